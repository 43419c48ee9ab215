import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, test, vi } from 'vitest';
import { main } from './kernelTestsMain';

const RUN = join(import.meta.dirname, '..', '..', 'tools', 'run.js');

describe('npm run kernels', () => {
  test('runs the tests that a filter leaves, and says how it went', () => {
    const { status, stdout } = spawnSync(process.execPath, [RUN, 'kernelTests', '--filter', 'sameBits'], {
      encoding: 'utf8',
    });
    expect(stdout).toMatch(/adapter +\S/);
    expect(stdout).toMatch(/All [1-9]\d* tests hold \(\d+ s\)\.\n$/);
    expect(status).toBe(0);
  });

  test.each([
    [['--filter', 'zzz'], /^--filter: no test has 'zzz' in its name\..* There are adamw, .*, where\.$/],
    [['--jsno'], /^unknown option '--jsno'.*See npm run kernels -- --help\.$/s],
    [['more'], /^too many arguments.*See npm run kernels -- --help\.$/s],
  ])('%j is a wrong call', async (args, message) => {
    const error = vi.spyOn(console, 'error').mockReturnValue();
    try {
      expect(await main(['node', 'kernelTests', ...args])).toBe(2);
      expect(error.mock.calls).toEqual([[expect.stringMatching(message)]]);
    } finally {
      error.mockRestore();
    }
  });
});
