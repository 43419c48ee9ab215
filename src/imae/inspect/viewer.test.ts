import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { ResidentImages } from '../../data/upload/residentImages';
import { imageBytes } from '../../data/imageSet';
import { readSafetensors, type Safetensors } from '../../formats/safetensors';
import type { Engine } from '../../engine/engine';
import { testEngine } from '../../testing/testEngine';
import { saveModel, trainedAs } from '../checkpoint/checkpoint';
import { visiblePatches, type Config, type Phase } from '../config/config';
import { normalisationMetadata } from '../checkpoint/modelFile';
import { normalisation } from '../model/normalisation';
import type { Model } from '../model/mae';
import { TINY_DATA, tinyConfig } from '../../testing/tinyRun';
import { initializeModel, makeModel } from '../train/models';
import { complementaryOrders } from '../mask/complementaryMasks';
import { unmixingScore, compileUnmixer } from '../eval/unmixing';
import { imageToPatches } from '../eval/patches';
import { Viewer, type Blend, type Reconstruction } from './viewer';

const SET = TINY_DATA.test;
const LENGTH = 16;
const WIDTH = 48;
const ORDER = Uint32Array.from({ length: LENGTH }, (_, i) => (i * 5 + 3) % LENGTH);

let engine: Engine;
beforeAll(async () => {
  engine = await testEngine();
});
afterEach(() => {
  const left = engine.pool.liveBuffers;
  engine.pool.dispose();
  expect(left).toBe(0);
});
afterAll(() => engine.dispose());

const imageAt = (index: number): Uint8Array => SET.images.slice(index * imageBytes(SET), (index + 1) * imageBytes(SET));
const blendOf = (first: number, second: number, alpha: number, keep: number): Blend => ({
  images: [imageAt(first), imageAt(second)],
  alpha,
  order: ORDER,
  keep,
});

/** A random model of a phase and its file. */
async function randomModel(config: Config, phase: Phase): Promise<{ model: Model; file: Safetensors }> {
  const model = makeModel(engine, config, phase);
  initializeModel(model, 7);
  const metadata = { phase, ...trainedAs(config, phase), ...normalisationMetadata(normalisation(config, SET)) };
  return { model, file: readSafetensors(saveModel(model, await model.parameters.read(), metadata)) };
}

async function withViewer<T>(
  config: Config,
  phase: Phase,
  work: (viewer: Viewer, model: Model) => Promise<T>,
): Promise<T> {
  const { model, file } = await randomModel(config, phase);
  const viewer = await Viewer.load(engine, file, 'x');
  try {
    return await work(viewer, model);
  } finally {
    await viewer.dispose();
    model.parameters.dispose();
  }
}

const raw = (reconstructions: readonly Reconstruction[]): Float32Array[] => reconstructions.map((each) => each.raw);

describe('takes given images apart as the trainer’s own unmixer does', () => {
  it.each([
    ['two branches', 'two-way', 0.5, false],
    ['two branches, an odd number of visible patches', 'two-way', 0.3, false],
    ['the subordinate alone', 'subordinate', 0.75, false],
    ['norm-pix', 'two-way', 0.4, true],
  ] as const)('%s', async (_, branches, maskRatio, normPix) => {
    const config = tinyConfig({ imae: { branches }, masking: { maskRatio }, model: { normPix } });
    await withViewer(config, 'imae', async (viewer, model) => {
      expect(viewer.task).toBe(branches === 'two-way' ? 'both' : 'subordinate');
      const keep = visiblePatches(model.size, maskRatio);
      const orders = complementaryOrders(ORDER, keep);
      const images = new ResidentImages(engine, SET);
      const unmixer = await compileUnmixer(engine, config, { set: SET, images, model, batch: orders.length });
      for (const alpha of [0.3, 0.5, 0.8]) {
        const unmixed = await unmixer.unmix(
          orders.map(() => ({ first: 4, second: 9, alpha })),
          orders,
        );
        const found = await viewer.takeApart(blendOf(4, 9, alpha, keep));
        expect(found).toHaveLength(model.branches);
        expect(found[0]?.of).toBe(alpha <= 0.5 ? 0 : 1);
        for (const [branch, { raw: looked, composite, target }] of found.entries()) {
          expectNear(target, unmixed[0]?.targets[branch] as Float32Array);
          // The unmixer puts back by targets that the GPU normalised, the viewer by its own.
          const expectSame = normPix ? expectNear : (a: Float32Array, b: Float32Array) => expect(a).toEqual(b);
          expectSame(looked, unmixed[0]?.predictions[branch] as Float32Array);
          for (let place = 0; place < LENGTH; place++) {
            const look = unmixed.find(({ removed }) => removed[place]);
            const patch = (of: Float32Array): Float32Array => of.subarray(place * WIDTH, (place + 1) * WIDTH);
            expectSame(patch(composite), patch(look?.predictions[branch] as Float32Array));
          }
        }
      }
      unmixer.dispose();
      images.dispose();
    });
  });

  it('a vanilla MAE completes the mixture', async () => {
    const config = tinyConfig({ masking: { maskRatio: 0.5 } });
    await withViewer(config, 'teacher', async (viewer, model) => {
      expect(viewer.task).toBe('mixture');
      const images = new ResidentImages(engine, SET);
      const unmixer = await compileUnmixer(engine, config, { set: SET, images, model, batch: 2 });
      const [unmixed] = await unmixer.unmix([{ first: 1, second: 6, alpha: 0.4 }], [ORDER]);
      const [found, ...others] = await viewer.takeApart(blendOf(1, 6, 0.4, 8));
      expect(others).toEqual([]);
      expect(found?.of).toBe('mixture');
      expect(found?.raw).toEqual(unmixed?.predictions[0]);
      expectNear(found?.target as Float32Array, unmixed?.mixed as Float32Array);
      expect(Object.keys(found?.errors ?? {})).toEqual(['own']);
      unmixer.dispose();
      images.dispose();
    });
  });
});

it.each([false, true])('its errors are those of the composite by the unmixing score (norm-pix %s)', async (normPix) => {
  const config = tinyConfig({ model: { normPix } });
  await withViewer(config, 'imae', async (viewer, { size }) => {
    const found = await viewer.takeApart(blendOf(2, 5, 0.7, 8), new Float32Array(LENGTH * WIDTH).fill(0.25));
    const [dominant, subordinate] = [imageAt(2), imageAt(5)].map((pixels) => normalised(config, pixels)) as [
      Float32Array,
      Float32Array,
    ];
    const mixed = subordinate.map((value, i) => 0.3 * value + 0.7 * (dominant[i] as number));
    const mean = new Float32Array(LENGTH * WIDTH).fill(0.25);
    const predictions = found.map(({ composite }) => composite);
    const removed = Array.from({ length: LENGTH }, () => true);
    const score = unmixingScore(size, [{ mixed, targets: [subordinate, dominant], predictions, removed }], mean, {
      normPix,
    });
    for (const [branch, expected] of [score.subordinate, score.dominant].entries()) {
      for (const name of ['own', 'other', 'mixture', 'mean'] as const) {
        expect(found[branch]?.errors[name]).toBeCloseTo(expected?.[name] as number, 4);
      }
    }
    if (normPix) return;
    // And by hand, of one: the mean squared distance over the whole image.
    const [first] = found as [Reconstruction];
    const wanted = imageToPatches(size, first.target);
    const distance =
      first.composite.reduce((sum, value, i) => sum + (value - (wanted[i] as number)) ** 2, 0) / wanted.length;
    expect(first.errors.own).toBeCloseTo(distance, 4);
  });
});

describe('of many requests', () => {
  it('each is answered by itself, also where they come together and ask for other numbers of patches', async () => {
    await withViewer(tinyConfig(), 'imae', async (viewer) => {
      const blends = [blendOf(0, 1, 0.2, 8), blendOf(2, 3, 0.2, 8), blendOf(2, 3, 0.6, 3), blendOf(0, 1, 0.2, 8)];
      const together = await Promise.all(blends.map((blend) => viewer.takeApart(blend)));
      for (const [index, blend] of blends.entries())
        expect(raw(await viewer.takeApart(blend))).toEqual(raw(together[index] ?? []));
      expect(raw(together[3] ?? [])).toEqual(raw(together[0] ?? []));
      expect(raw(together[1] ?? [])).not.toEqual(raw(together[0] ?? []));
    });
  });

  it('what was compiled is kept: data alone makes no buffer; other numbers of patches make some, within bounds', async () => {
    const { model, file } = await randomModel(tinyConfig(), 'imae');
    const viewer = await Viewer.load(engine, file, 'x', { programBytes: 0 });
    const look = async (alpha: number, keep: number): Promise<number> => {
      await viewer.takeApart(blendOf(0, 1, alpha, keep));
      return engine.pool.liveBuffers;
    };
    const before = await look(0.1, 8);
    expect(await look(0.9, 8)).toBe(before);
    expect(await look(0.9, 4)).toBe(before); // in the place of the other one
    const roomy = await Viewer.load(engine, file, 'x');
    await roomy.takeApart(blendOf(0, 1, 0.5, 8));
    const one = engine.pool.liveBuffers;
    await roomy.takeApart(blendOf(0, 1, 0.5, 4));
    expect(engine.pool.liveBuffers).toBeGreaterThan(one);
    await Promise.all([viewer.dispose(), roomy.dispose()]);
    model.parameters.dispose();
  });

  it('one that is under way when the viewer is disposed is answered, and leaves nothing', async () => {
    const { model, file } = await randomModel(tinyConfig(), 'imae');
    const viewer = await Viewer.load(engine, file, 'x');
    const looking = viewer.takeApart(blendOf(0, 1, 0.5, 8));
    await viewer.dispose();
    expect(await looking).toHaveLength(2);
    model.parameters.dispose();
  });
});

it('a file that is no model is refused, and leaves nothing', async () => {
  const { model, file } = await randomModel(tinyConfig(), 'imae');
  model.parameters.dispose();
  file.tensors.delete('decoder_pred.bias');
  await expect(Viewer.load(engine, file, 'broken.safetensors')).rejects.toThrow(
    /broken.safetensors has no tensor 'decoder_pred.bias'/,
  );
});

function normalised(config: Config, pixels: Uint8Array): Float32Array {
  const { mean, std } = normalisation(config, SET);
  const plane = SET.width * SET.height;
  return Float32Array.from(pixels, (value, i) => {
    const channel = Math.floor(i / plane);
    return (value / 255 - (mean[channel] as number)) / (std[channel] as number);
  });
}

function expectNear(found: Float32Array, wanted: Float32Array): void {
  expect(found).toHaveLength(wanted.length);
  const worst = found.reduce((most, value, i) => Math.max(most, Math.abs(value - (wanted[i] as number))), 0);
  expect(worst).toBeLessThan(1e-4);
}
