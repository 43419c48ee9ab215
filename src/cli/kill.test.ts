// @module-tag thorough
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { RandomStream } from '../data/philox';
import * as purposes from '../data/purposes';
import { TINY } from '../testing/tinyRun';
import { spawnTrain } from '../testing/spawnTrain';

/** A run of a few seconds that writes often. */
const SETTINGS = {
  ...TINY,
  teacher: { budget: { steps: 40 }, warmup: { steps: 4 } },
  training: { ...TINY.training, budget: { steps: 60 } },
  logging: { logEvery: 1, scoreEvery: 15, checkpointEvery: 4, panelsEvery: 20 },
};
const KILLS = 20;
const SEED = 20;

const base = mkdtempSync(join(tmpdir(), 'palimpsest-'));
const config = join(base, 'config.json');
afterAll(() => rmSync(base, { recursive: true }));

/** What a run learns and shows: all that it leaves but for what clocks measured, and who worked on it. */
function traces(run: string): unknown {
  const lines = readFileSync(join(run, 'metrics.jsonl'), 'utf8').trimEnd().split('\n');
  const files = ['checkpoints', 'panels'].flatMap((part) =>
    readdirSync(join(run, part)).map((name) => [name, readFileSync(join(run, part, name)).toString('base64')]),
  );
  return {
    metrics: lines.map((line) => ({ ...(JSON.parse(line) as object), imagesPerSecond: undefined })),
    files: Object.fromEntries(files) as unknown,
    config: readFileSync(join(run, 'config.json'), 'utf8'),
  };
}

describe('a process killed at a random instant', () => {
  let undisturbed: unknown;
  let duration = 0;
  beforeAll(async () => {
    writeFileSync(config, JSON.stringify(SETTINGS));
    const run = join(base, 'undisturbed');
    await spawnTrain(['--config', config, '--out', join(base, 'warm-up')]); // what is compiled once a machine
    const began = performance.now();
    expect(await spawnTrain(['--config', config, '--out', run])).toMatchObject({ code: 0, err: '' });
    duration = performance.now() - began;
    undisturbed = traces(run);
  });

  const stream = RandomStream.at(SEED, purposes.evaluation, 0);
  const instants = Array.from({ length: KILLS }, () => Math.round(stream.uniform() * 1000) / 10);

  test.each(instants)('at %f %% of its time leaves what resumes to the same bits', async (percent) => {
    const run = join(base, `killed-${percent}`);
    // Machines are not always as fast as at the first time: one that ended before it was killed is killed earlier.
    for (let delay = (percent / 100) * duration; ; delay *= 0.8) {
      const { code } = await spawnTrain(['--config', config, '--out', run], { killAfter: delay });
      if (code === null) break;
      rmSync(run, { recursive: true });
    }
    // Before it has a config.json, a run has not begun, and the same command begins it.
    const again = existsSync(join(run, 'config.json')) ? ['--resume', run] : ['--config', config, '--out', run];
    expect(await spawnTrain(again)).toMatchObject({ code: 0, err: '' });
    expect(traces(run)).toEqual(undisturbed);
    rmSync(run, { recursive: true });
  });
});
