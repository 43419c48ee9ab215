import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { engineVariants } from '../../../kernels-test/variants';
import { choicesOf, variantName, type KernelChoices, type KernelVariant } from '../../gpu/autotune';
import type { Engine } from '../../engine/engine';
import { openEngine } from '../../node/dawn';
import { testEngine } from '../../testing/testEngine';
import { spawnTrain } from '../../testing/spawnTrain';
import type { PartialSettings } from '../config/options';
import { MemoryStore, TINY, tinyConfig, tinyRun, type TinyRun } from '../../testing/tinyRun';

/** Everything random at once: crops, flips, partners by class, α of each sample, masks. */
const RANDOM: PartialSettings = {
  data: { crop: [0.2, 1], flip: true },
  masking: { sameProb: 0.5, alpha: { law: 'beta', a: 1, b: 1 }, alphaPer: 'sample' },
};

type RunOptions = Parameters<typeof tinyRun>[2];

/** A run on an engine of its own, which it leaves empty. */
async function runAlone(settings: PartialSettings, options: RunOptions = {}): Promise<TinyRun> {
  return runOn(await testEngine(), settings, options);
}

async function runOn(engine: Engine, settings: PartialSettings, options: RunOptions = {}): Promise<TinyRun> {
  try {
    const run = await tinyRun(engine, tinyConfig(settings), options);
    expect(engine.pool.liveBuffers).toBe(0);
    return run;
  } finally {
    engine.dispose();
  }
}

/** All that a run leaves: every step's figures, the lines of its metrics, and its checkpoints byte for byte. */
const traces = ({ steps, store }: TinyRun): unknown => ({
  steps,
  lines: store.timeless,
  checkpoints: store.checkpoints,
});

describe('in one process', () => {
  let first: TinyRun;
  beforeAll(async () => {
    first = await runAlone(RANDOM);
  });

  it('the same seed gives the same run, bit for bit, on two devices and on two engines of one', async () => {
    expect(first.steps.map(({ step }) => step)).toEqual([0, 1, 2, 0, 1, 2, 3]);
    expect(new Set(first.steps.map(({ loss }) => loss)).size).toBe(7);
    expect(traces(await runOn(await openEngine(), RANDOM))).toEqual(traces(first));
    expect(traces(await runAlone(RANDOM))).toEqual(traces(first));
  });

  it('another seed gives another curve from the first step on', async () => {
    const other = await runAlone({ ...RANDOM, training: { seed: 6 } });
    for (const [index, { loss }] of first.steps.entries()) expect(other.steps[index]?.loss).not.toBe(loss);
  });

  // Before the first step, in the teacher, between the phases, and in i-MAE at a step that is scored.
  it.each([
    [0, 'teacher', 0],
    [1, 'teacher', 2],
    [3, 'imae', 0],
    [4, 'imae', 2],
  ] as const)(
    'asked to stop after %i steps, and resumed, it is the run that was never stopped',
    async (stopAfter, phase, step) => {
      const store = new MemoryStore();
      const stopped = await runAlone(RANDOM, { store, stopAfter });
      expect(stopped.result.stopped).toEqual({ phase, step, checkpoint: `${phase}-${step}` });
      const resumed = await runAlone(RANDOM, { store, resume: store.resumePoint() });
      expect([...stopped.steps, ...resumed.steps]).toEqual(first.steps);
      expect(store.timeless).toEqual(first.store.timeless);
      expect(store.checkpoints.at(-1)).toEqual(first.store.checkpoints.at(-1));
      expect(store.sheets).toEqual(first.store.sheets);
      expect(resumed.result).toEqual(first.result);
    },
  );

  it('also where it stops at a step at which nothing is due', async () => {
    const settings = { ...RANDOM, logging: { checkpointEvery: 0, scoreEvery: 0 } };
    const store = new MemoryStore();
    const stopped = await runAlone(settings, { store, stopAfter: 4 });
    const { phase, step = 0 } = stopped.result.stopped ?? {};
    // One step of i-MAE is done when it is asked to stop; those that are under way are finished.
    expect([phase, step > 0, step < 4]).toEqual(['imae', true, true]);
    const resumed = await runAlone(settings, { store, resume: store.resumePoint() });
    expect([...stopped.steps, ...resumed.steps]).toEqual(first.steps);
    expect(store.checkpoints.at(-1)).toEqual(first.store.checkpoints.at(-1));
  });

  it('also where Muon moves the matrices and the rate falls in a line', async () => {
    const settings = { ...RANDOM, optimizer: { muon: 10 }, schedule: { decay: 0.5 } };
    const whole = await runAlone(settings);
    expect(whole.steps.at(-1)?.loss).not.toBe(first.steps.at(-1)?.loss);
    const store = new MemoryStore();
    const stopped = await runAlone(settings, { store, stopAfter: 5 });
    const resumed = await runAlone(settings, { store, resume: store.resumePoint() });
    expect([...stopped.steps, ...resumed.steps]).toEqual(whole.steps);
    expect(store.checkpoints.at(-1)).toEqual(whole.store.checkpoints.at(-1));
  });

  it('a run is not resumed under a changed configuration, but with other logging it is', async () => {
    const store = new MemoryStore();
    await runAlone({ ...RANDOM, training: { ...RANDOM.training, budget: { steps: 3 } } }, { store });
    const shorter = { ...RANDOM, training: { ...RANDOM.training, budget: { steps: 2 } } };
    await expect(runAlone(shorter, { store, resume: store.resumePoint() })).rejects.toThrow(
      /training\.budget is \{"steps":2\}, but the checkpoint was trained with \{"steps":3\}/,
    );
    await runAlone(
      { ...RANDOM, training: { ...RANDOM.training, budget: { steps: 3 } }, logging: { logEvery: 2 } },
      { store, resume: store.resumePoint() },
    );
  });

  it('a setting that is meant to change does so from the next step on, and the run is then another one', async () => {
    const slower = { ...RANDOM, optimizer: { learningRate: { lr: 1e-3 } } };
    const changed = new Set(['optimizer.learningRate']);
    const store = new MemoryStore();
    await runAlone(RANDOM, { store, stopAfter: 4 });
    const before = store.checkpoints.at(-1);
    await expect(runAlone(slower, { store, resume: store.resumePoint() })).rejects.toThrow(
      /optimizer\.learningRate is {"lr":0\.001}/,
    );
    await expect(
      runAlone({ ...slower, training: { seed: 6 } }, { store, resume: store.resumePoint(), changed }),
    ).rejects.toThrow(/training\.seed/);
    expect(store.checkpoints.at(-1)).toBe(before);

    const again = new MemoryStore();
    again.checkpoints.push(...store.checkpoints);
    const whole = await runAlone(slower, { store, resume: store.resumePoint(), changed });
    expect(whole.steps.map(({ step }) => step)).toEqual([2, 3]);
    expect(whole.steps[0]?.loss).toBe(first.steps[5]?.loss);
    expect(whole.steps[1]?.loss).not.toBe(first.steps[6]?.loss);
    expect((whole.steps[0]?.lr ?? 0) / (first.steps[5]?.lr ?? 0)).toBeCloseTo(1 / 3);

    // Where its first step fails, it can still go on: the checkpoint was written again before.
    const full = new Error('the disk is full');
    again.appendMetrics = () => {
      throw full;
    };
    await expect(
      runAlone(
        { ...slower, logging: { scoreEvery: 0, checkpointEvery: 0 } },
        { store: again, resume: again.resumePoint(), changed },
      ),
    ).rejects.toBe(full);
    again.appendMetrics = (line) => void again.lines.push(line);
    expect(again.checkpoints.at(-1)).toMatchObject({ phase: 'imae', step: 2, model: before?.model });
    const resumed = await runAlone(slower, { store: again, resume: again.resumePoint() });
    expect(resumed.steps).toEqual(whole.steps);
    expect(again.checkpoints.at(-1)).toEqual(store.checkpoints.at(-1));
    await expect(runAlone(RANDOM, { store: again, resume: again.resumePoint() })).rejects.toThrow(
      /optimizer\.learningRate/,
    );
  });

  it.each(['two-way', 'subordinate'] as const)(
    'blocks that are computed twice leave every bit as it was: %s',
    async (branches) => {
      const settings = { ...RANDOM, imae: { branches }, model: { depth: 2, decoderDepth: 2 } };
      const [kept, again] = [
        await runAlone(settings),
        await runAlone({ ...settings, training: { recompute: 'blocks' } }),
      ];
      expect(traces(again)).toEqual(traces(kept));
    },
  );

  it('in micro-batches and with blocks computed twice, too: bit for bit, and resumed with the blocks kept', async () => {
    const settings = { ...RANDOM, model: { depth: 2 }, training: { accumulate: 4 } };
    const saving = { ...settings, training: { accumulate: 4, recompute: 'blocks' as const } };
    const whole = await runAlone(settings);
    expect(traces(await runAlone(saving))).toEqual(traces(whole));
    const store = new MemoryStore();
    const stopped = await runAlone(saving, { store, stopAfter: 4 });
    const resumed = await runAlone(settings, { store, resume: store.resumePoint() });
    expect([...stopped.steps, ...resumed.steps]).toEqual(whole.steps);
    expect(store.checkpoints.at(-1)).toEqual(whole.store.checkpoints.at(-1));
  });

  it('micro-batches draw what the whole batch draws: the same losses within rounding', async () => {
    const [whole, halves] = [
      await runAlone({ ...RANDOM, imae: { lambda: 0.5 } }),
      await runAlone({ ...RANDOM, imae: { lambda: 0.5 }, training: { accumulate: 2 } }),
    ];
    for (const [index, { loss, parts, gradNorm }] of whole.steps.entries()) {
      const other = halves.steps[index] as (typeof whole.steps)[number];
      // Step 0 sees the same weights; later ones those that AdamW made, which lifts the rounding of small gradients.
      const tolerance = index === 0 ? 1e-6 : 1e-4;
      expect(Object.keys(other.parts)).toEqual(Object.keys(parts));
      for (const [name, value] of Object.entries({ ...parts, loss, gradNorm })) {
        const found = { ...other.parts, loss: other.loss, gradNorm: other.gradNorm }[name] as number;
        expect(Math.abs(found - value) / value, `step ${index}: ${name}`).toBeLessThan(tolerance);
      }
    }
  });
});

describe('kernels', () => {
  it('fast ones and plain ones give the same curve within rounding', { tags: ['thorough'] }, async () => {
    const engine: Engine = await testEngine();
    try {
      const curves: number[][] = [];
      for (const variant of Object.values(engineVariants(engine))) {
        const { steps } = await tinyRun(variant, tinyConfig({ ...RANDOM, logging: { scoreEvery: 0 } }));
        curves.push(steps.map(({ loss }) => loss));
        expect(variant.pool.liveBuffers).toBe(0);
      }
      const [reference = [], ...others] = curves;
      for (const curve of others)
        curve.forEach((loss, i) => expect(Math.abs(loss / (reference[i] as number) - 1)).toBeLessThan(1e-4));
    } finally {
      engine.dispose();
    }
  });

  it.each(['kernels for GPUs', 'kernels for software adapters'])(
    'all variants to do a dispatch give the same curve bit for bit: %s',
    { tags: ['thorough'], timeout: 300_000 },
    async (variant) => {
      const engine: Engine = await testEngine();
      try {
        const settings = tinyConfig({ ...RANDOM, logging: { scoreEvery: 0 } });
        let asked: KernelChoices['asked'] = [];
        const run = async (entries: Record<string, string>): Promise<unknown> => {
          const fresh = engineVariants(engine)[variant] as Engine;
          const choices = choicesOf(fresh);
          choices.adopt(entries);
          const { steps, store } = await tinyRun(fresh, settings);
          expect(choices.unknown).toEqual([]);
          asked = choices.asked;
          return { steps, checkpoints: store.checkpoints };
        };
        const byRule = await run({});
        expect(asked.length).toBeGreaterThan(20);
        // None as by rule, and here this one, there that one.
        const other = asked.map(({ key, variants }, index) => [
          key,
          variantName(variants[1 + (index % (variants.length - 1))] as KernelVariant),
        ]);
        expect(await run(Object.fromEntries(other) as Record<string, string>)).toEqual(byRule);
      } finally {
        engine.dispose();
      }
    },
  );
});

describe('in separate processes', () => {
  const base = mkdtempSync(join(tmpdir(), 'palimpsest-'));
  const config = join(base, 'config.json');
  const folder = (name: string): string => join(base, name);
  afterAll(() => rmSync(base, { recursive: true }));
  beforeAll(() => {
    // Long enough for a signal to arrive while it trains.
    const long = {
      ...TINY,
      ...RANDOM,
      training: { ...TINY.training, budget: { steps: 120 } },
      logging: { ...TINY.logging, scoreEvery: 60, checkpointEvery: 40 },
    };
    writeFileSync(config, JSON.stringify(long));
  });

  const lines = (run: string): object[] =>
    readFileSync(join(folder(run), 'metrics.jsonl'), 'utf8')
      .trimEnd()
      .split('\n')
      .map((line) => ({ ...(JSON.parse(line) as object), imagesPerSecond: undefined }));
  /** A run's files of the last step of each phase; which others are there depends on where it stopped. */
  const lastFiles = (run: string, part: string): [string, Uint8Array][] =>
    readdirSync(join(folder(run), part))
      .filter((name) => /-0*(3|120)\./.test(name))
      .sort()
      .map((name) => [name, readFileSync(join(folder(run), part, name))]);

  it('the same seed leaves the same files; so does a run stopped by Ctrl-C and resumed', async () => {
    const whole = await spawnTrain(['--config', config, '--out', folder('whole')]);
    expect(whole.err).toBe('');
    expect(whole.code).toBe(0);

    const stopped = await spawnTrain(['--config', config, '--out', folder('stopped')], {
      whenSaid: [[/i-MAE\s+\d+\/120/, (child) => child.kill('SIGINT')]],
    });
    expect(stopped.code).toBe(130);
    expect(stopped.out).toContain('stopping  after this step');
    expect(stopped.out).toMatch(/stopped +i-MAE after \d+ steps, saved as .*imae-\d+\.safetensors/);
    expect(stopped.out).toContain(`go on     node train.js --resume ${folder('stopped')}`);
    const before = lines('stopped').length;
    expect(before).toBeLessThan(lines('whole').length);
    // What ran before the signal is the same in both processes.
    expect(lines('stopped')).toEqual(lines('whole').slice(0, before));

    const resumed = await spawnTrain(['--resume', folder('stopped')]);
    expect(resumed.err).toBe('');
    expect(resumed.code).toBe(0);
    expect(resumed.out).toContain('(from step ');
    expect(lines('stopped')).toEqual(lines('whole'));
    expect(lastFiles('whole', 'checkpoints')).toHaveLength(4);
    expect(lastFiles('stopped', 'checkpoints')).toEqual(lastFiles('whole', 'checkpoints'));
    expect(lastFiles('whole', 'panels')).toHaveLength(2);
    expect(lastFiles('stopped', 'panels')).toEqual(lastFiles('whole', 'panels'));
  });
});
