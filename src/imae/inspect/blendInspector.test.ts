import { afterAll, beforeAll, expect, it } from 'vitest';
import { imageBytes } from '../../data/imageSet';
import { readSafetensors } from '../../formats/safetensors';
import type { Engine } from '../../engine/engine';
import { testEngine } from '../../testing/testEngine';
import { BlendInspector } from './blendInspector';
import { saveModel, trainedAs } from '../checkpoint/checkpoint';
import { Inspector } from './inspector';
import { normalisationMetadata } from '../checkpoint/modelFile';
import { TINY_DATA, tinyConfig } from '../../testing/tinyRun';
import { initializeModel, makeModel } from '../train/models';
import { Viewer, type Blend } from './viewer';

const SET = TINY_DATA.test;
const STATISTICS = { mean: [0.1, 0.2, 0.3], std: [0.5, 0.25, 0.4] };
const ORDER = Uint32Array.from({ length: 16 }, (_, i) => (i * 5 + 3) % 16);

let engine: Engine;
let viewer: Viewer;
let inspector: BlendInspector;
beforeAll(async () => {
  engine = await testEngine();
  const config = tinyConfig();
  const model = makeModel(engine, config, 'imae');
  initializeModel(model, 7);
  const metadata = { phase: 'imae', ...trainedAs(config, 'imae'), ...normalisationMetadata(STATISTICS) };
  viewer = await Viewer.load(engine, readSafetensors(saveModel(model, await model.parameters.read(), metadata)), 'x');
  model.parameters.dispose();
  inspector = new BlendInspector(engine, viewer);
});
afterAll(async () => {
  await inspector.dispose();
  await viewer.dispose();
  expect(engine.pool.liveBuffers).toBe(0);
  engine.dispose();
});

const bytesAt = (index: number): Uint8Array => SET.images.slice(index * imageBytes(SET), (index + 1) * imageBytes(SET));
const blendOf = (alpha: number, keep: number): Blend => ({
  images: [bytesAt(4), bytesAt(9)],
  alpha,
  order: ORDER,
  keep,
});

/** [C, H, W] normalised. */
const pixelsAt = (index: number): Float32Array =>
  Float32Array.from(bytesAt(index), (value, i) => {
    const channel = Math.floor(i / (16 * 16));
    return (value / 255 - (STATISTICS.mean[channel] ?? 0)) / (STATISTICS.std[channel] ?? 1);
  });

it('says of bytes what an inspector says of normalised pixels, whatever number is visible', async () => {
  for (const keep of [8, 5]) {
    const plain = await Inspector.create(engine, viewer.model, keep);
    const expected = await plain.inspect({ image1: pixelsAt(4), image2: pixelsAt(9), alpha: 0.3, order: ORDER });
    expect(await inspector.inspect(blendOf(0.3, keep))).toEqual(expected);
    for (const place of [undefined, ORDER[0], ORDER[15]]) {
      const maps = await inspector.attentionOf(place);
      expect(maps).toHaveLength(3);
      expect(maps).toEqual(expected.layers.map((_, layer) => plain.attentionOf(layer, place)));
    }
    plain.dispose();
  }
});

it('answers calls that come at once one after the other, and keeps one program’s worth on the GPU', async () => {
  const apart = [await inspector.inspect(blendOf(0.2, 8)), await inspector.inspect(blendOf(0.2, 6))];
  const held = engine.pool.liveBuffers;
  expect(await Promise.all([inspector.inspect(blendOf(0.2, 8)), inspector.inspect(blendOf(0.2, 6))])).toEqual(apart);
  expect(engine.pool.liveBuffers).toBe(held);
});

it('has nothing to say of attention before there was a blend', async () => {
  const fresh = new BlendInspector(engine, viewer);
  expect(await fresh.attentionOf(0)).toEqual([]);
  await fresh.dispose();
});
