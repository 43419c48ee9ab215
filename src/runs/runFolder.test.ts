import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { UserError } from '../common/userError';
import { RunFolder } from './runFolder';

let base: string;
let run: RunFolder;
beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), 'palimpsest-'));
  run = RunFolder.create({ out: join(base, 'run'), name: 'demo' });
});
afterEach(() => {
  run.close();
  rmSync(base, { recursive: true });
});

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const checkpointNames = (): string[] => readdirSync(join(run.path, 'checkpoints')).sort();
const save = (phase: 'teacher' | 'imae' | 'mae', step: number) =>
  run.writeCheckpoint({ phase, step }, bytes(`model ${phase} ${step}`), bytes(`state ${phase} ${step}`));
const metrics = (): string => readFileSync(join(run.path, 'metrics.jsonl'), 'utf8');

describe('the folder', () => {
  test('by default is named by time and preset, and never shared', () => {
    const before = process.cwd();
    process.chdir(base);
    try {
      const now = new Date(2025, 0, 31, 9, 5, 7);
      const names = [1, 2].map(() => RunFolder.create({ name: 'cifar', now }).path);
      expect(names).toEqual([join('runs', '2025-01-31_09-05-07-cifar'), join('runs', '2025-01-31_09-05-07-cifar-2')]);
    } finally {
      process.chdir(before);
    }
  });

  test('may exist if it is empty', () => {
    const out = join(base, 'empty', 'one');
    mkdirSync(out, { recursive: true });
    expect(RunFolder.create({ out, name: 'demo' }).path).toBe(out);
  });

  test('with something in it is left alone', () => {
    const out = join(base, 'foreign');
    mkdirSync(out);
    writeFileSync(join(out, 'letter.txt'), '');
    expect(() => RunFolder.create({ out, name: 'demo' })).toThrow(/foreign is not empty \(letter\.txt/);
    expect(() => RunFolder.create({ out: join(out, 'letter.txt'), name: 'demo' })).toThrow(/is a file/);
    expect(() => RunFolder.create({ out: join(out, 'letter.txt', 'x'), name: 'demo' })).toThrow(UserError);
  });

  test('of another run is offered to be resumed', () => {
    run.writeConfig({ preset: 'demo' });
    run.appendMetrics({ phase: 'imae', step: 0 });
    expect(() => RunFolder.create({ out: run.path, name: 'demo' })).toThrow(`--resume ${run.path}`);
  });

  test("is one process's at a time, until it closes it or is gone", () => {
    run.writeConfig({ preset: 'demo' });
    const other = RunFolder.open(run.path);
    expect(() => other.claim()).toThrow(/is being written by another process/);
    run.close();
    other.claim();
    expect(() => run.claim()).toThrow(UserError);
    other.close();

    const lock = join(run.path, '.lock');
    run.claim();
    const mine = JSON.parse(readFileSync(lock, 'utf8')) as object;
    run.close();
    writeFileSync(lock, JSON.stringify({ ...mine, began: 'long ago' })); // the number went to another process
    run.claim();
    run.close();
    writeFileSync(lock, JSON.stringify({ ...mine, space: 'a container beside this one' }));
    expect(() => run.claim()).toThrow(UserError);
    writeFileSync(lock, JSON.stringify({ pid: 1, host: 'elsewhere' }));
    expect(() => run.claim()).toThrow(/by a process on elsewhere.*delete .*\.lock/);
    utimesSync(lock, new Date(), new Date(Date.now() - 120_000));
    run.claim();
    expect(readFileSync(lock, 'utf8')).toContain(`"pid":${process.pid}`);
  });

  test('can be begun again where a process was ended before it wrote its config.json', () => {
    const out = join(base, 'early');
    mkdirSync(out);
    writeFileSync(join(out, 'config.json.tmp'), '{');
    const folder = RunFolder.create({ out, name: 'demo' });
    folder.close();
  });

  test(
    'that the system has no room for is an error, not an endless loop',
    { skip: process.platform !== 'linux' },
    () => {
      expect(() => RunFolder.create({ out: '/proc/runs/one', name: 'demo' })).toThrow(/cannot be made: \w/);
    },
  );

  test('without a config.json cannot be resumed', () => {
    expect(() => RunFolder.open(run.path)).toThrow(/no config\.json/);
    run.writeConfig({ preset: 'demo', model: { dim: 64 } });
    expect(RunFolder.open(run.path).readConfig()).toEqual({ preset: 'demo', model: { dim: 64 } });
    writeFileSync(join(run.path, 'config.json'), '{"preset":');
    expect(() => RunFolder.open(run.path).readConfig()).toThrow(UserError);
  });
});

describe('sessions', () => {
  const line = {
    time: 'now',
    command: 'node train.js',
    phase: 'imae',
    step: 0,
    adapter: 'a',
    software: true,
    platform: 'Node 20',
    palimpsest: '0',
  };

  test('a line that was cut takes no other with it', () => {
    run.appendSession({ ...line, command: 'first' });
    writeFileSync(join(run.path, 'sessions.jsonl'), '{"time":"no', { flag: 'a' });
    run.appendSession({ ...line, command: 'second' });
    run.appendSession({ time: 'later', ended: 'finished', phase: 'imae', step: 3 });
    expect(run.sessions().map(({ command, end }) => [command, end?.ended])).toEqual([
      ['first', undefined],
      ['second', 'finished'],
    ]);
  });
});

describe('metrics', () => {
  test('each line is in the file when appendMetrics returns', () => {
    run.appendMetrics({ phase: 'teacher', step: 0, loss: 0.5 });
    expect(metrics()).toBe('{"phase":"teacher","step":0,"loss":0.5}\n');
    run.appendMetrics({ phase: 'teacher', step: 1, loss: 0.25 });
    expect(metrics().trimEnd().split('\n')).toHaveLength(2);
  });

  test('resuming takes back what comes at or after its step, and an unfinished line', () => {
    for (const step of [0, 10, 20]) run.appendMetrics({ phase: 'teacher', step });
    for (const step of [0, 10, 20]) run.appendMetrics({ phase: 'imae', step });
    writeFileSync(join(run.path, 'metrics.jsonl'), `${metrics()}{"phase":"imae","st`);

    run.truncateMetrics({ phase: 'imae', step: 20 });
    run.appendMetrics({ phase: 'imae', step: 20, loss: 1 });
    const lines = metrics()
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as unknown);
    expect(lines.slice(3)).toEqual([
      { phase: 'imae', step: 0 },
      { phase: 'imae', step: 10 },
      { phase: 'imae', step: 20, loss: 1 },
    ]);

    run.truncateMetrics({ phase: 'teacher', step: 10 });
    expect(metrics()).toBe('{"phase":"teacher","step":0}\n');
  });

  test('there is nothing to take back before the first line', () => {
    run.truncateMetrics({ phase: 'imae', step: 0 });
    expect(existsSync(join(run.path, 'metrics.jsonl'))).toBe(false);
  });
});

describe('checkpoints', () => {
  test('the last is by phase, then by number', () => {
    expect(run.checkpoints().at(-1)).toBeUndefined();
    save('teacher', 200);
    save('imae', 9);
    save('imae', 10);
    const last = run.checkpoints().at(-1);
    expect(last).toMatchObject({ phase: 'imae', step: 10 });
    expect(readFileSync(last?.modelPath ?? '', 'utf8')).toBe('model imae 10');
    expect(readFileSync(last?.statePath ?? '', 'utf8')).toBe('state imae 10');
  });

  test('the last two of a phase stay, and the final one of the phase before', () => {
    for (const step of [50, 100, 150]) save('teacher', step);
    expect(run.checkpoints().map(({ step }) => step)).toEqual([100, 150]);
    for (const step of [50, 100, 150]) save('imae', step);
    const kept = run.checkpoints().map(({ phase, step }) => `${phase} ${step}`);
    expect(kept).toEqual(['teacher 150', 'imae 100', 'imae 150']);
    expect(checkpointNames()).toHaveLength(6);
  });

  test('a half-written one does not count, and goes with the next', () => {
    save('imae', 10);
    run.writeFile('checkpoints/imae-20.safetensors', bytes('model without state'));
    writeFileSync(join(run.path, 'checkpoints', 'imae-20.state.safetensors.tmp'), 'half');
    writeFileSync(join(run.path, 'checkpoints', 'mine.safetensors'), 'not ours');
    expect(run.checkpoints().at(-1)?.step).toBe(10);
    save('imae', 30);
    expect(checkpointNames()).toEqual([
      'imae-10.safetensors',
      'imae-10.state.safetensors',
      'imae-30.safetensors',
      'imae-30.state.safetensors',
      'mine.safetensors',
    ]);
  });
});

test('a file is written into its folder and leaves nothing beside it', () => {
  run.writeFile('panels/imae-0.png', bytes('png'));
  run.writeFile('panels/imae-0.png', bytes('another'));
  expect(readdirSync(join(run.path, 'panels'))).toEqual(['imae-0.png']);
  expect(readFileSync(join(run.path, 'panels', 'imae-0.png'), 'utf8')).toBe('another');
});
