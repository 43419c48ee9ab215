import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Engine } from '../../engine/engine';
import { testEngine } from '../../testing/testEngine';
import { PROBE_DEFAULTS, runProbe, type ProbeSettings } from './probe';
import type { NamedFile } from '../checkpoint/namedFile';
import { COLOURED, Points, shuffledLabels, untrainedModel } from '../../testing/pointClassifier';

/** A learning rate that moves a probe within the few steps that a small set gives. */
const SETTINGS: ProbeSettings = {
  ...PROBE_DEFAULTS,
  epochs: 20,
  warmupEpochs: 2,
  batch: 12,
  blr: 40,
  crop: null,
  flip: false,
  seed: 1,
};

describe('a linear probe', () => {
  let engine: Engine;
  let model: NamedFile;
  beforeAll(async () => {
    engine = await testEngine();
    model = await untrainedModel(engine);
  });
  afterAll(() => {
    expect(engine.pool.liveBuffers).toBe(0);
    engine.dispose();
  });

  it.each([
    ['pixels', 'class', null],
    ['random', 'mean', null],
    ['trained', 'class', null],
    ['trained', 'mean', [0.5, 1]],
  ] as const)('tells separable features apart: %s, %s, crops %j', async (probed, pool, crop) => {
    const watcher = new Points();
    const settings = { ...SETTINGS, pool, crop, flip: crop !== null };
    const result = await runProbe(engine, { model, probed, data: COLOURED, settings, watcher });
    expect(result).toMatchObject({
      top1: 1,
      top5: 1,
      count: 33,
      perClass: [1, 1, 1],
      confusion: [
        [11, 0, 0],
        [0, 11, 0],
        [0, 0, 11],
      ],
    });
    expect(watcher.steps).toBe(160);
    expect(result.curve).toEqual(watcher.points);
    expect(result.curve.map(({ epoch }) => epoch)).toEqual(Array.from({ length: 20 }, (_, i) => i + 1));
    expect(result.curve.at(-1)?.loss).toBeLessThan(result.curve[0]?.loss ?? 0);
  });

  it('is at chance where labels mean nothing', async () => {
    const result = await runProbe(engine, {
      model,
      probed: 'trained',
      data: shuffledLabels(COLOURED),
      settings: SETTINGS,
      watcher: new Points(),
    });
    // Of 33 images a third is right by chance, ± 2.7 (one deviation): 3 deviations each way.
    expect(result.top1).toBeGreaterThan(1 / 3 - 0.25);
    expect(result.top1).toBeLessThan(1 / 3 + 0.25);
  });

  it('gives the same bits for the same seed, and others for another', async () => {
    const run = async (seed: number): Promise<readonly number[]> => {
      const settings = { ...SETTINGS, epochs: 3, crop: [0.3, 1], flip: true, seed } as const;
      const { curve } = await runProbe(engine, {
        model,
        probed: 'trained',
        data: COLOURED,
        settings,
        watcher: new Points(),
      });
      return curve.map(({ loss }) => loss);
    };
    const first = await run(1);
    expect(await run(1)).toEqual(first);
    expect(await run(2)).not.toEqual(first);
  });

  it('of whole images takes features that were computed once as it takes those computed at each step', async () => {
    const run = async (crop: readonly [number, number] | null): Promise<readonly number[]> => {
      const settings = { ...SETTINGS, epochs: 3, crop, flip: false };
      const { curve } = await runProbe(engine, {
        model,
        probed: 'trained',
        data: COLOURED,
        settings,
        watcher: new Points(),
      });
      return curve.map(({ loss }) => loss);
    };
    // A crop of all of a square image's area is the whole image, and the same kernels see it in batches of the same size.
    expect(await run([1, 1])).toEqual(await run(null));
  });

  it('refuses what cannot be', async () => {
    const run = (settings: Partial<ProbeSettings>): Promise<unknown> =>
      runProbe(engine, {
        model,
        probed: 'pixels',
        data: COLOURED,
        settings: { ...SETTINGS, ...settings },
        watcher: new Points(),
      });
    await expect(run({ warmupEpochs: 20 })).rejects.toThrow('A warm-up of 20 epochs leaves nothing of 20');
    await expect(run({ batch: 97 })).rejects.toThrow("A batch of 97 is more than the set's 96 images");
  });
});
