import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { digestImages, readImages, type ImageSet, type StreamedSet, type TrainTest } from '../../data/imageSet';
import { StreamedImages } from '../../data/upload/streamedImages';
import { UserError } from '../../common/userError';
import type { Engine } from '../../engine/engine';
import { testEngine } from '../../testing/testEngine';
import type { PartialSettings } from '../config/options';
import { staysOnGpu } from './gpuResidency';
import { TINY_DATA, tinyConfig, tinyRun } from '../../testing/tinyRun';

/* Whether a set stays on the GPU or is streamed changes no bit of a training. */

let engine: Engine;
beforeAll(async () => {
  engine = await testEngine();
});
afterAll(() => engine.dispose());

/** The tiny set as one whose images have to be fetched. */
function streamed(read: StreamedSet['read']): TrainTest {
  const { images, ...facts } = TINY_DATA.train;
  expect(images.length).toBeGreaterThan(0);
  return { train: { ...facts, identity: 'tiny', read }, test: TINY_DATA.test };
}

const timelessOf = async (settings: PartialSettings, data?: TrainTest): Promise<unknown> => {
  const { store } = await tinyRun(engine, tinyConfig(settings), {}, data);
  return { lines: store.timeless, models: store.checkpoints.map(({ model }) => model) };
};

describe('a streamed training', () => {
  it.each<[string, PartialSettings]>([
    ['a batch at once', {}],
    ['in micro-batches, with partners of all classes', { training: { accumulate: 2 }, masking: { sameProb: 0.5 } }],
  ])('has the bits of a resident one: %s', async (_, settings) => {
    const wanted = await timelessOf({ ...settings, data: { stream: 'no' } });
    expect(await timelessOf({ ...settings, data: { stream: 'yes' } })).toEqual(wanted);
    // Fetched late, and not in order.
    let calls = 0;
    const data = streamed(async (indices) => {
      await new Promise((resolve) => setTimeout(resolve, [7, 1, 4][calls++ % 3]));
      return await readImages(TINY_DATA.train, indices);
    });
    expect(await timelessOf(settings, data)).toEqual(wanted);
  });

  it('fetches ahead, and each image of a step once', async () => {
    const fetched: number[][] = [];
    const data = streamed(async (indices) => {
      fetched.push(Array.from(indices));
      return await readImages(TINY_DATA.train, indices);
    });
    await tinyRun(
      engine,
      tinyConfig({ training: { mode: 'mae', budget: { steps: 3 } }, logging: { scoreEvery: 0, checkpointEvery: 0 } }),
      {},
      data,
    );
    const steps = fetched.filter((indices) => indices.length === 8);
    expect(steps.length).toBe(6); // of the teacher's and the student's steps together, and none beyond the last
    for (const indices of steps) expect(new Set(indices).size).toBe(8);
  });

  it('tells how long the GPU waited', async () => {
    const slow = streamed(async (indices) => {
      await new Promise((resolve) => setTimeout(resolve, 100));
      return await readImages(TINY_DATA.train, indices);
    });
    const { store } = await tinyRun(engine, tinyConfig({ imae: { lambda: 0, start: 'scratch' } }), {}, slow);
    const waiting = store.lines.flatMap((line) => (typeof line['waiting'] === 'number' ? [line['waiting']] : []));
    expect(waiting).toHaveLength(4);
    expect(waiting[0]).toBeGreaterThan(0.1); // the first step can but wait
    for (const share of waiting) expect(share).toBeLessThanOrEqual(1);
    const resident = await tinyRun(engine, tinyConfig({ imae: { lambda: 0, start: 'scratch' } }));
    expect(resident.store.lines.some((line) => 'waiting' in line)).toBe(false);
  });

  it('ends with what is wrong with an image', async () => {
    const data = streamed(() => Promise.reject(new UserError('a.jpg cannot be decoded')));
    await expect(tinyRun(engine, tinyConfig(), {}, data)).rejects.toThrow('a.jpg cannot be decoded');
  });

  it('logs the share of pairs of one class', async () => {
    const shares = async (sameProb: number): Promise<unknown[]> => {
      const { store } = await tinyRun(
        engine,
        tinyConfig({ imae: { lambda: 0, start: 'scratch' }, masking: { sameProb } }),
      );
      return store.lines.flatMap((line) => ('sameClass' in line ? [line['sameClass']] : []));
    };
    expect(await shares(1)).toEqual([1, 1, 1, 1]);
    expect(await shares(0)).toEqual([0, 0, 0, 0]);
  });
});

describe('a set', () => {
  it('stays on the GPU where it leaves half of the memory, or the user says so', () => {
    const { train } = TINY_DATA;
    const on = (budget: number, stream: 'auto' | 'yes' | 'no' = 'auto'): boolean =>
      staysOnGpu({ pool: { budget } }, tinyConfig({ data: { stream } }), train);
    const { length } = train.images;
    expect([on(Infinity), on(2 * length), on(2 * length - 1), on(1, 'no'), on(Infinity, 'yes')]).toEqual([
      true,
      true,
      false,
      true,
      false,
    ]);
    const data = streamed(() => Promise.reject(new Error('unused')));
    expect(staysOnGpu({ pool: { budget: Infinity } }, tinyConfig({ data: { stream: 'no' } }), data.train)).toBe(false);
  });

  it('that has an identity is digested by it, its classes and its size', async () => {
    const set: ImageSet = { ...TINY_DATA.train, identity: 'x' };
    const before = await digestImages(set);
    expect(await digestImages({ ...set, images: new Uint8Array(set.images.length) })).toBe(before);
    expect(await digestImages({ ...set, identity: 'y' })).not.toBe(before);
    expect(await digestImages({ ...set, labels: set.labels.toReversed() })).not.toBe(before);
  });
});

describe('StreamedImages', () => {
  it('puts images into chunks that a binding can hold, and numbers them', async () => {
    const set: ImageSet = { ...TINY_DATA.train };
    const images = new StreamedImages(engine, set, { perStep: 8, perPart: 4 });
    const step = Uint32Array.of(9, 3, 9, 40, 7);
    await images.ready(0, (at) => (at === 0 ? step : undefined));
    expect(images.place([Uint32Array.of(40, 9), Uint32Array.of(9, 7)]).map((list) => [...list])).toEqual([
      [0, 1],
      [1, 2],
    ]);
    const [chunk] = images.chunks;
    const bytes = new Uint8Array(await engine.read(chunk.images.storage));
    const wanted = await readImages(set, [40, 9, 7]);
    expect(bytes.subarray(0, wanted.length)).toEqual(wanted);
    images.dispose();
  });
});
