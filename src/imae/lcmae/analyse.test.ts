import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { expectClose, random } from '../../../kernels-test/allclose';
import { permutation, RandomStream } from '../../data/philox';
import * as purposes from '../../data/purposes';
import { makeShapesTrainTest } from '../../data/shapes';
import type { Engine } from '../../engine/engine';
import { testEngine } from '../../testing/testEngine';
import { attention } from '../../ops/attention';
import { Graph } from '../../tensor/graph';
import { attentionRow } from '../inspect/attentionRow';
import { patchCount, studentSize } from '../config/config';
import { allocateModel, type Model } from '../model/mae';
import type { ModelFacts } from '../checkpoint/modelFile';
import { compileMaskOrders } from '../mask/maskOrders';
import { imageToPatches } from '../eval/patches';
import { TINY_DATA, tinyConfig } from '../../testing/tinyRun';
import { initializeModel } from '../train/models';
import { analyse } from './analyse';
import { analysisSections } from './analysisFigures';
import { compileWindowedEncoder } from './windowedEncoder';
import { type Instrumented, compileInstrumentedForward } from './instrumentedForward';
import { summarise, uniformField, type Field, compileFieldFinder, compileSightLimiter } from './receptiveField';

const SIZE = studentSize(tinyConfig({ model: { decoderDepth: 2 } }));
const LENGTH = patchCount(SIZE);
const SIDE = Math.sqrt(LENGTH);
const KEEP = 6;
/** A random order of patches for each of some images. */
const randomOrders = (count: number): Uint32Array[] =>
  Array.from({ length: count }, (_, image) => permutation(RandomStream.at(0, purposes.evaluation, image), LENGTH));
const PIXELS = SIZE.channels * SIZE.image ** 2;

describe('an analysis', () => {
  let engine: Engine;
  let model: Model;
  beforeAll(async () => {
    engine = await testEngine();
  });
  afterAll(() => {
    expect(engine.pool.liveBuffers).toBe(0);
    engine.dispose();
  });

  /** A frozen model, with random weights that differ enough for attention to choose. */
  async function withModel<T>(work: () => Promise<T>): Promise<T> {
    model = allocateModel(engine, 'model', { size: SIZE, branches: 1 }, { frozen: true });
    initializeModel(model, 3);
    try {
      return await work();
    } finally {
      model.parameters.dispose();
    }
  }

  const images = (count: number): Float32Array[] =>
    Array.from({ length: count }, (_, i) => Float32Array.from(random([PIXELS], 50 + i).data));

  it('a row of attention times the values is what the fused kernel gives', async () => {
    const [n, heads, d] = [7, 3, 4];
    const qkv = Float32Array.from(random([n * 3 * heads * d], 9).data, (value) => 2 * value);
    const graph = new Graph(engine);
    const out = attention(graph.input('qkv', [1, n, 3 * heads * d], 'f32', qkv), heads);
    graph.output(out);
    const program = await graph.compile();
    program.run();
    const wanted = await program.read(out);
    program.dispose();
    const made = new Float64Array(wanted.length);
    for (let query = 0; query < n; query++) {
      for (let head = 0; head < heads; head++) {
        const row = attentionRow(qkv, n, heads, head, query);
        for (let c = 0; c < d; c++) {
          for (let key = 0; key < n; key++) {
            const value = qkv[key * 3 * heads * d + (2 * heads + head) * d + c] as number;
            made[(query * heads + head) * d + c] =
              (made[(query * heads + head) * d + c] as number) + (row[key] as number) * value;
          }
        }
      }
    }
    expectClose('attention', made, wanted, 2e-6);
  });

  it('sees the same of an image whatever else is shown', () =>
    withModel(async () => {
      const looks = await compileInstrumentedForward(engine, model, KEEP);
      const [shown, orders] = [images(18), randomOrders(18)];
      const all = await looks.look(shown, orders);
      expect(all).toHaveLength(18);
      expect(all[17]?.features.map(({ length }) => length)).toEqual([0, 0].map(() => (1 + KEEP) * SIZE.dim));
      expect(await looks.look(shown.slice(17), orders.slice(17))).toEqual(all.slice(17));
      looks.dispose();
    }));

  it.each(['random', 'variance'] as const)('draws %s masks, each with an order of its own', async (kind) => {
    const orders = await compileMaskOrders(engine, SIZE, kind, 1 - KEEP / LENGTH);
    const half = (patch: number): number => Math.floor((patch % SIDE) / (SIDE / 2));
    const shown = images(18).map((image) =>
      image.map((value, i) => value * (i % SIZE.image < SIZE.image / 2 ? 0.001 : 1)),
    );
    const drawn = await orders.draw(shown, 0);
    const others = await orders.draw(shown, 1);
    expect(await orders.draw(shown, 0)).toEqual(drawn);
    orders.dispose();
    for (const order of drawn)
      expect([...order].sort((a, b) => a - b)).toEqual(Array.from({ length: LENGTH }, (_, i) => i));
    expect(others).not.toEqual(drawn);
    expect(new Set(drawn.map(String)).size).toBeGreaterThan(9);
    // What is visible: of random masks as much on either side, of masks by variance what is flat.
    const flat =
      drawn.reduce((sum, order) => sum + [...order.subarray(0, KEEP)].filter((patch) => half(patch) === 0).length, 0) /
      (18 * KEEP);
    if (kind === 'variance') expect(flat).toBeGreaterThan(0.95);
    else expect(Math.abs(flat - 0.5)).toBeLessThan(0.2); // four deviations of so many draws
  });

  it('the gradient with respect to a pixel is what a change of it does', () =>
    withModel(async () => {
      const finder = await compileFieldFinder(engine, model, KEEP);
      const looks = await compileInstrumentedForward(engine, model, KEEP);
      const [image] = images(1) as [Float32Array];
      const orders = randomOrders(1);
      const order = orders[0] as Uint32Array;
      const weights = Float32Array.from(random([(1 + LENGTH) * (PIXELS / LENGTH)], 8).data);
      weights.fill(0, 0, PIXELS / LENGTH);
      const [gradient] = (await finder.gradients([image], orders, [weights])) as [Float32Array];
      const objective = async (changed: Float32Array): Promise<number> => {
        const { prediction } = (await looks.look([changed], orders))[0] as Instrumented;
        return prediction.reduce((sum, value, i) => sum + value * (weights[PIXELS / LENGTH + i] as number), 0);
      };
      const patches = imageToPatches(SIZE, gradient);
      const width = PIXELS / LENGTH;
      for (const [k, place] of order.entries()) {
        const own = patches.subarray(place * width, (place + 1) * width);
        if (k >= KEEP) expect(own.every((value) => value === 0)).toBe(true);
      }
      const norm = Math.hypot(...gradient);
      expect(norm).toBeGreaterThan(0.01);
      // Along the gradient itself the change is its norm; central differences at h are right to h² and to rounding ÷ h.
      const h = 0.02;
      const moved = (by: number): Float32Array =>
        image.map((value, i) => value + (by * (gradient[i] as number)) / norm);
      const measured = ((await objective(moved(h))) - (await objective(moved(-h)))) / (2 * h);
      expect(Math.abs(measured / norm - 1)).toBeLessThan(2e-3);
      finder.dispose();
      looks.dispose();
    }));

  it('a model that cannot tell patches apart has a uniform field', () =>
    withModel(async () => {
      for (const name of ['pos_embed', 'decoder_pos_embed']) {
        model.parameters.write(name, new Float32Array(model.parameters.get(name).size));
      }
      const finder = await compileFieldFinder(engine, model, KEEP);
      const flat = [new Float32Array(PIXELS).fill(0.5)];
      const [field] = (await finder.find(flat, randomOrders(1))) as [Field];
      expect(Math.min(...field.norms)).toBeGreaterThan(0);
      for (const norm of field.norms) expect(norm / (field.norms[0] as number)).toBeCloseTo(1, 4);
      expect(summarise([field], LENGTH).half).toBe(summarise([uniformField(field)], LENGTH).half);
      finder.dispose();
    }));

  it('with all in sight, the error is that of the plain prediction; with less, another', () =>
    withModel(async () => {
      const limiter = await compileSightLimiter(engine, model, KEEP);
      const looks = await compileInstrumentedForward(engine, model, KEEP);
      const [shown, orders] = [images(3), randomOrders(3)];
      const targets = shown.map((image) => imageToPatches(SIZE, image));
      const width = PIXELS / LENGTH;
      let wanted = 0;
      for (const [index, { prediction, order }] of (await looks.look(shown, orders)).entries()) {
        const place = order.at(-1) as number;
        for (let i = place * width; i < (place + 1) * width; i++) {
          wanted += ((prediction[i] as number) - ((targets[index] as Float32Array)[i] as number)) ** 2 / width / 3;
        }
      }
      expect(await limiter.error(shown, orders, targets, Infinity)).toBeCloseTo(wanted, 5);
      expect(Math.abs((await limiter.error(shown, orders, targets, 1)) - wanted)).toBeGreaterThan(1e-4);
      limiter.dispose();
      looks.dispose();
    }));

  it('a window that holds all patches hides but the class token; a small one changes a token only by what is within', () =>
    withModel(async () => {
      const encoder = await compileWindowedEncoder(engine, model);
      const [image] = images(1) as [Float32Array];
      const far = image.slice();
      // The last patch, 3 patches away from the first in both directions.
      for (let c = 0; c < SIZE.channels; c++)
        for (let y = 12; y < 16; y++) for (let x = 12; x < 16; x++) far[(c * 16 + y) * 16 + x] = 2;
      const ofFirst = async (shown: Float32Array, radius: number): Promise<Float32Array> =>
        ((await encoder.encode([shown], radius))[0] as Float32Array).slice(SIZE.dim, 2 * SIZE.dim);
      expect(await ofFirst(far, 2)).toEqual(await ofFirst(image, 2));
      expect(await ofFirst(far, 5)).not.toEqual(await ofFirst(image, 5));
      expect(await ofFirst(image, Infinity)).not.toEqual(await ofFirst(image, 5));
      encoder.dispose();
    }));

  it('gives all seven measurements, of trained and random weights, and a figure of each', () =>
    withModel(async () => {
      const facts: ModelFacts = {
        size: SIZE,
        branches: 1,
        normalisation: { mean: [0.5, 0.5, 0.5], std: [0.25, 0.25, 0.25] },
        normPix: false,
      };
      const told: number[] = [];
      const analysis = await analyse(engine, model, facts, TINY_DATA.test, {
        images: 5,
        mask: 'random',
        ratios: [0.5, 0.75],
        progress: (done) => told.push(done),
      });
      expect(told).toEqual(Array.from({ length: 16 }, (_, i) => i + 1));
      for (const at of [...analysis.trained, ...analysis.random]) {
        expect(at.identity.worst).toBeLessThan(1e-9);
        expect([at.invariance.length, at.distance.length, at.attention.length, at.consistency.length]).toEqual([
          2, 2, 2, 2,
        ]);
        expect(at.field.within.at(-1)).toBeCloseTo(1, 12);
        expect(at.consistency[0]?.rank).toBeLessThanOrEqual(SIZE.dim);
        const values = JSON.stringify({ ...at, identity: { ...at.identity, perPlace: [] } });
        expect(values).not.toMatch(/null/); // what is not finite
      }
      // The trained model here is itself of random weights, of another seed.
      expect(analysis.random[0]?.field).not.toEqual(analysis.trained[0]?.field);
      const sections = analysisSections(analysis, 'A test.');
      expect(sections.map(({ figures }) => figures.length)).toEqual([2, 1, 2, 3, 1, 2, 1]);
      for (const figure of sections.flatMap(({ figures }) => figures)) expect(figure.caption).toMatch(/A test\.$/);
    }));

  it('scales images that are stored larger than the model takes them, as photographs are', () =>
    withModel(async () => {
      const facts: ModelFacts = {
        size: SIZE,
        branches: 1,
        normalisation: { mean: [0.5, 0.5, 0.5], std: [0.25, 0.25, 0.25] },
        normPix: false,
      };
      const { test } = makeShapesTrainTest({ trainCount: 1, testCount: 4, size: SIZE.image + 3, seed: 0 });
      const { images, trained } = await analyse(engine, model, facts, test, {
        images: 3,
        mask: 'block',
        ratios: [0.5],
        progress: () => undefined,
      });
      expect(images).toBe(3);
      expect(trained[0]?.errorOfAll).toBeGreaterThan(0);
    }));
});
