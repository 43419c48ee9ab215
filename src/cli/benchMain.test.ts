import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadImage } from '@napi-rs/canvas';
import { afterAll, describe, expect, test, vi } from 'vitest';
import { parseSaved } from '../../bench/resultFile';
import { main } from './benchMain';

/*
 * The command as a user calls it: what is wrong with a call is said in one message before anything is timed, and what was found
 * is kept.
 */

const root = join(import.meta.dirname, '..', '..');
const base = mkdtempSync(join(tmpdir(), 'palimpsest-'));
afterAll(() => rmSync(base, { recursive: true }));
const at = (name: string): string => join(base, name);

function bench(...args: string[]): { status: number | null; out: string; err: string } {
  const program = join(root, 'tools', 'run.js');
  const { status, stdout, stderr } = spawnSync(process.execPath, [program, 'bench', ...args], {
    cwd: base,
    encoding: 'utf8',
  });
  // Dawn says a thing or two of its own.
  return { status, out: stdout, err: stderr.replace(/^Warning: .*\n/gm, '') };
}

describe('a wrong call', () => {
  mkdirSync(at('folder'));
  writeFileSync(at('file'), '');
  writeFileSync(at('foreign.json'), '{"format":"another"}');
  writeFileSync(at('damaged.json'), '{"format":');

  test.each([
    [
      ['--filter', 'nothing'],
      /^--filter: no bench has 'nothing' in its name\. There are adamw, .*, step, host, startUp\.$/,
    ],
    [['--compare', at('absent.json')], /^--compare: absent\.json cannot be read: there is no such file or folder\.$/],
    [['--compare', at('folder')], /^--compare: folder cannot be read: it is a folder\.$/],
    [
      ['--compare', at('foreign.json')],
      /^--compare: foreign\.json has the format 'another', not 'palimpsest bench 1'\. Give a file/,
    ],
    [['--compare', at('damaged.json')], /^--compare: damaged\.json is no JSON\. Give a file/],
    [['--json', at('folder')], /^--json: folder is a folder\. Give the name of a file\.$/],
    [['--json', at('file/x.json')], /^--json: file\/x\.json cannot be written: .*file is no folder\.$/],
    [['--json', ''], /^--json: the path is empty\. Give one, or leave it out\.$/],
    [['--roofline', 'picture.jpg'], /^--roofline: 'picture\.jpg' ends neither in \.png nor in \.svg\.$/],
    [['--roofline', at('file/x.png')], /^--roofline: file\/x\.png cannot be written: /],
    [['--kernels', 'best'], /argument 'best' is invalid.*See npm run bench -- --help\.$/],
    [['--jsno', 'x'], /unknown option '--jsno'/],
    [['more'], /too many arguments/],
  ])('%j', async (args, message) => {
    const error = vi.spyOn(console, 'error').mockReturnValue();
    const log = vi.spyOn(console, 'log').mockReturnValue();
    try {
      expect(await main(['node', 'bench', ...args])).toBe(2);
      expect(log).not.toHaveBeenCalled();
      expect(error).toHaveBeenCalledTimes(1);
      const [text] = error.mock.calls[0] as [string];
      expect(text.replaceAll(`${base}/`, '')).toMatch(message);
      expect(text).not.toContain('\n');
    } finally {
      vi.restoreAllMocks();
    }
  });
});

test('saves, draws and compares what it found', { timeout: 240_000 }, async () => {
  const first = bench('--filter', 'weightedSum', '--json', 'deep/er/a.json', '--roofline', 'a.png');
  expect(first.err).toBe('');
  expect(first.status).toBe(0);
  const saved = parseSaved('a.json', readFileSync(at('deep/er/a.json'), 'utf8'));
  const [row] = saved.benches;
  expect(row).toMatchObject({ kernel: 'weightedSum', name: 'two terms of 2, forward and backward' });
  for (const name of ['f32', 'copy', 'workgroup', 'dispatch'] as const)
    expect(saved.ceilings?.[name].value).toBeGreaterThan(0);
  expect(first.out).toContain(`timed by  ${saved.clock?.kind ?? ''}: `);
  expect(first.out).toMatch(/\nkernel +case +µs +spread +GFLOP\/s +GB\/s +of ceiling\nweightedSum +two terms/);
  const { width, height } = await loadImage(readFileSync(at('a.png')));
  expect([width, height]).toEqual([1500, 960]);

  const faster = { ...saved, benches: [{ ...row, microseconds: 1e-3, spread: 0 }] };
  writeFileSync(at('old.json'), JSON.stringify(faster));
  const second = bench('--filter', 'weightedSum', '--compare', 'old.json', '--roofline', 'b.svg');
  expect(second.status).toBe(0);
  expect(second.out).toMatch(
    /\nkernel +case +old µs +new µs +new\/old\nweightedSum .* SLOWER\n1 compared: 0 faster, 1 slower/,
  );
  expect(readFileSync(at('b.svg'), 'utf8')).toContain('<svg');
  expect(existsSync(at('b.svg.tmp'))).toBe(false);
});
