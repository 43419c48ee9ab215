import type { ChildProcess } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { TINY } from '../imae/testRun';
import { RunFolder } from './runFolder';
import { spawnTrain } from './spawnTrain';

const base = mkdtempSync(join(tmpdir(), 'palimpsest-'));
const config = join(base, 'config.json');
const folder = (name: string): string => join(base, name);
const start = (name: string, options: Parameters<typeof spawnTrain>[1], ...more: string[]): ReturnType<typeof spawnTrain> =>
  spawnTrain(['--config', config, '--out', folder(name), ...more], options);
const lastSession = (name: string): unknown =>
  JSON.parse(readFileSync(join(folder(name), 'sessions.jsonl'), 'utf8').trimEnd().split('\n').at(-1) ?? '');

// Long enough to be stopped half way.
beforeAll(() => {
  const settings = { ...TINY, teacher: { ...TINY.teacher, budget: { steps: 100_000 } }, logging: { logEvery: 5 } };
  writeFileSync(config, JSON.stringify(settings));
});
afterAll(() => rmSync(base, { recursive: true }));

const AT_WORK = /^teacher +5\/100000/m;

describe('a run is saved, says how to go on, and ends as a shell expects', () => {
  test.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
    ['SIGHUP', 129],
  ] as const)('by %s', async (signal, expected) => {
    const { code, out, err } = await start(signal, { whenSaid: [[AT_WORK, (child) => child.kill(signal)]] });
    expect({ code, err }).toEqual({ code: expected, err: '' });
    expect(out).toContain(`go on     node train.js --resume ${folder(signal)}\n`);
    const saved = RunFolder.open(folder(signal)).checkpoints().at(-1);
    expect(out).toContain(`saved as ${saved?.modelPath ?? ''}`);
    expect(saved?.step).toBeGreaterThan(4);
    expect(lastSession(signal)).toMatchObject({ ended: 'stopped', phase: 'teacher', step: saved?.step });
    expect(existsSync(join(folder(signal), '.lock'))).toBe(false);
  });

  test('when nobody reads its output any more', async () => {
    const { code, err } = await start('pipe', { whenSaid: [[AT_WORK, (child) => child.stdout?.destroy()]] });
    expect({ code, err }).toEqual({ code: 141, err: '' });
    expect(RunFolder.open(folder('pipe')).checkpoints().at(-1)?.step).toBeGreaterThan(4);
  });
});

test('a second Ctrl-C ends it at once', async () => {
  const whenSaid = [
    [/^prepare/m, (child: ChildProcess) => child.kill('SIGINT')],
    [/^stopping/m, (child: ChildProcess) => child.kill('SIGINT')],
  ] as const;
  // A model of many layers takes a while to prepare.
  const { code, out } = await start('twice', { whenSaid }, '--depth', '24', '--decoder-depth', '12');
  expect(code).toBe(130);
  expect(out).not.toContain('saved as');
});
