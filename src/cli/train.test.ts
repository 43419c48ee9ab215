import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';

const root = join(import.meta.dirname, '..', '..');

function train(...args: string[]): { status: number | null; out: string; err: string } {
  const options = { cwd: root, encoding: 'utf8' } as const;
  const { status, stdout, stderr } = spawnSync(process.execPath, ['train.js', ...args], options);
  return { status, out: stdout, err: stderr };
}

describe('node train.js', () => {
  test('--help', () => {
    const { status, out } = train('--help');
    expect(status).toBe(0);
    expect(out).toContain('Usage: node train.js');
  });

  test('an unknown flag ends with code 2 and one line, without a stack trace', () => {
    const { status, out, err } = train('--stpes', '3');
    expect({ status, out }).toEqual({ status: 2, out: '' });
    expect(err.trimEnd().split('\n')).toEqual([expect.stringContaining('Did you mean --steps?')]);
  });
});
