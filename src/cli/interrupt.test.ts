import type { ChildProcess } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { TINY } from '../testing/tinyRun';
import { RunFolder } from '../runs/runFolder';
import { spawnTrain } from '../testing/spawnTrain';

const base = mkdtempSync(join(tmpdir(), 'palimpsest-'));
const config = join(base, 'config.json');
const folder = (name: string): string => join(base, name);
const start = (
  name: string,
  options: Parameters<typeof spawnTrain>[1],
  ...more: string[]
): ReturnType<typeof spawnTrain> => spawnTrain(['--config', config, '--out', folder(name), ...more], options);
const lastSession = (name: string): unknown =>
  JSON.parse(
    readFileSync(join(folder(name), 'sessions.jsonl'), 'utf8')
      .trimEnd()
      .split('\n')
      .at(-1) ?? '',
  );

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

test('two signals of one Ctrl-C are one', async () => {
  const twice = (child: ChildProcess): void => {
    child.kill('SIGINT');
    setTimeout(() => child.kill('SIGINT'), 20);
  };
  const { code, out } = await start('bounced', { whenSaid: [[AT_WORK, twice]] });
  expect(code).toBe(130);
  expect(out).toContain('saved as');
});

test('a second Ctrl-C ends it at once', async () => {
  const interrupt = (child: ChildProcess): boolean => child.kill('SIGINT');
  const whenSaid = [
    [/^run /m, interrupt],
    [/^stopping/m, (child: ChildProcess) => setTimeout(interrupt, 400, child)],
  ] as const;
  // A step takes about a second on a software adapter, so that the second finds it at work.
  const large = ['--dim', '512', '--heads', '8', '--depth', '3', '--batch', '64'];
  const { code, out } = await start('twice', { whenSaid }, ...large);
  expect(code).toBe(130);
  expect(out).not.toContain('saved as');
});
