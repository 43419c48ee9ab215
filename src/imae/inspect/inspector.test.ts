import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { random } from '../../../kernels-test/allclose';
import { permutation, RandomStream } from '../../data/philox';
import * as purposes from '../../data/purposes';
import type { Engine } from '../../engine/engine';
import { testEngine } from '../../testing/testEngine';
import { Graph } from '../../tensor/graph';
import { invertPermutation } from '../../ops/mask';
import type { ModelSize } from '../config/config';
import { Inspector, LATENT_ALPHAS, type Inspection, type LatentDistances } from './inspector';
import { allocateModel, type Model } from '../model/mae';
import { imageToPatches } from '../eval/patches';

const SIZE: ModelSize = {
  image: 12,
  channels: 3,
  patch: 3,
  dim: 24,
  depth: 2,
  heads: 3,
  decoderDim: 12,
  decoderDepth: 1,
  decoderHeads: 2,
};
const LENGTH = 16;
const KEEP = 5;
const PIXELS = 3 * 12 * 12;
const ORDER = permutation(RandomStream.at(7, purposes.mask, 0), LENGTH);
const [IMAGE1, IMAGE2] = [1, 2].map((seed) => Float32Array.from(random([PIXELS], seed).data)) as [
  Float32Array,
  Float32Array,
];

let engine: Engine;
let model: Model;
let inspector: Inspector;
beforeAll(async () => {
  engine = await testEngine();
  model = allocateModel(engine, 'model', { size: SIZE, branches: 2 });
  const { parameters } = model;
  parameters.initialize((index) => RandomStream.at(3, purposes.init, index));
  // Large enough for attention to choose.
  const weight = parameters.get('blocks.0.attn.qkv.weight');
  parameters.write('blocks.0.attn.qkv.weight', Float32Array.from(random([weight.size], 9).data));
  inspector = await Inspector.create(engine, model, KEEP);
});
afterAll(() => {
  inspector.dispose();
  model.parameters.dispose();
  expect(engine.pool.liveBuffers).toBe(0);
  engine.dispose();
});

const inspect = (alpha: number): Promise<Inspection> =>
  inspector.inspect({ image1: IMAGE1, image2: IMAGE2, alpha, order: ORDER });

describe('attention', () => {
  it('tells the layers of the encoder and of the decoder in the pass of each branch', async () => {
    expect((await inspect(0.3)).layers).toEqual([
      { part: 'encoder', block: 0, heads: 3 },
      { part: 'encoder', block: 1, heads: 3 },
      { part: 'subordinate', block: 0, heads: 2 },
      { part: 'dominant', block: 0, heads: 2 },
    ]);
  });

  it('is that of the first layer computed plainly in float64', async () => {
    await inspect(0.3);
    const expected = await firstLayerAttention(0.3);
    for (const place of [undefined, ...ORDER.subarray(0, KEEP)]) {
      const found = inspector.attentionOf(0, place);
      const row = expected(place);
      for (let head = 0; head < 3; head++) {
        expect(found?.toClass[head]).toBeCloseTo(row(head, 0), 5);
        for (const [index, to] of ORDER.subarray(0, KEEP).entries()) {
          expect(found?.toPlaces[head]?.[to]).toBeCloseTo(row(head, 1 + index), 5);
        }
      }
    }
  });

  it('has no hidden place in the encoder and every place in the decoder, and adds up to 1', async () => {
    await inspect(0.3);
    const hidden = ORDER.subarray(KEEP);
    expect(inspector.attentionOf(0, hidden[0])).toBeUndefined();
    for (const [layer, missing] of [
      [1, LENGTH - KEEP],
      [2, 0],
      [3, 0],
    ] as const) {
      const map = inspector.attentionOf(layer, ORDER[0]);
      expect(map?.toPlaces.length).toBeGreaterThan(0);
      for (const [head, places] of (map?.toPlaces ?? []).entries()) {
        expect(places.filter(Number.isNaN)).toHaveLength(missing);
        const sum = places.reduce(
          (total, weight) => total + (Number.isNaN(weight) ? 0 : weight),
          map?.toClass[head] ?? NaN,
        );
        expect(sum).toBeCloseTo(1, 12);
      }
    }
    // The branches decode other latents.
    expect(inspector.attentionOf(2, 3)?.toPlaces).not.toEqual(inspector.attentionOf(3, 3)?.toPlaces);
  });
});

describe('latents', () => {
  it('are at their own image at the ends, and between them where an encoding by itself is', async () => {
    const { latents } = await inspect(0.3);
    expect(latents.map((each) => each.of)).toEqual(['encoder', 'subordinate', 'dominant']);
    for (const { to1, to2 } of latents) {
      expect([to1.at(-1), to2[0]]).toEqual([0, 0]);
      expect([to1[0], to2.at(-1)]).toEqual([1, 1]);
      expect(to1).toHaveLength(LATENT_ALPHAS.length);
    }
    const [h1, h2, mixed] = [await encodeAlone(1), await encodeAlone(0), await encodeAlone(0.3)];
    const apart = distance(h1, h2);
    const at = LATENT_ALPHAS.indexOf(0.3);
    expect(latents[0]?.to1[at]).toBeCloseTo(distance(mixed, h1) / apart, 5);
    expect(latents[0]?.to2[at]).toBeCloseTo(distance(mixed, h2) / apart, 5);
  });

  it('are those of the pair inspected last', async () => {
    const other = await inspector.inspect({ image1: IMAGE2, image2: IMAGE1, alpha: 0.3, order: ORDER });
    const turned = ORDER.slice().reverse();
    const elsewhere = await inspector.inspect({ image1: IMAGE2, image2: IMAGE1, alpha: 0.3, order: turned });
    const [{ to1, to2 }] = (await inspect(0.6)).latents as [LatentDistances];
    expect(other.latents[0]?.to1.map((each) => each.toFixed(4))).toEqual(to2.map((each) => each.toFixed(4)).reverse());
    expect(other.latents[0]?.to1[4]).not.toBeCloseTo(to1[4] ?? NaN, 4);
    expect(elsewhere.latents[0]?.to1[4]).not.toBeCloseTo(other.latents[0]?.to1[4] ?? NaN, 4);
  });

  it('of each visible place lie between the images’: at them for weights of 0 and 1', async () => {
    for (const alpha of [0, 1]) {
      const { shares } = await inspect(alpha);
      for (const place of ORDER.subarray(0, KEEP)) expect(shares[place]).toBeCloseTo(alpha, 5);
      expect(shares.filter(Number.isNaN)).toHaveLength(LENGTH - KEEP);
    }
    const { shares } = await inspect(0.5);
    for (const place of ORDER.subarray(0, KEEP)) expect(shares[place]).not.toBeCloseTo(0, 2);
  });
});

function blend(alpha: number): Float32Array {
  return IMAGE1.map((value, i) => alpha * value + (1 - alpha) * (IMAGE2[i] as number));
}

function distance(a: Float32Array, b: Float32Array): number {
  return Math.hypot(...a.map((value, i) => value - (b[i] as number)));
}

/** [1 + K, D] by a program of one sample. */
async function encodeAlone(alpha: number): Promise<Float32Array> {
  const graph = new Graph(engine);
  const images = graph.input('images', [1, 3, 12, 12], 'f32', blend(alpha));
  const idsShuffle = graph.input('ids', [1, LENGTH], 'u32', ORDER);
  const masks = { idsShuffle, idsRestore: invertPermutation(idsShuffle), keep: KEEP };
  const h = model.net.forwardEncoder(images, masks);
  graph.output(h);
  const program = await graph.compile();
  program.run();
  const values = await program.read(h);
  program.dispose();
  return values;
}

/** Attention weights of the first block, plainly: of a place's token (none: the class token's), a head, to a token. */
async function firstLayerAttention(
  alpha: number,
): Promise<(place: number | undefined) => (head: number, to: number) => number> {
  const values = await model.parameters.read();
  const get = (name: string): Float32Array => values.get(name) as Float32Array;
  const { dim, heads } = SIZE;
  const pixels = imageToPatches(SIZE, blend(alpha));
  // The convolution's weights are (channel, row, column), a patch vector is (row, column, channel).
  const embed = (place: number): number[] =>
    Array.from({ length: dim }, (_, out) => {
      let sum = get('patch_embed.proj.bias')[out] as number;
      for (let channel = 0; channel < 3; channel++) {
        for (let at = 0; at < 9; at++) {
          const weight = get('patch_embed.proj.weight')[(out * 3 + channel) * 9 + at] as number;
          sum += weight * (pixels[place * 27 + at * 3 + channel] as number);
        }
      }
      return sum + (get('pos_embed')[(1 + place) * dim + out] as number);
    });
  const places = [...ORDER.subarray(0, KEEP)];
  const cls = Array.from({ length: dim }, (_, i) => (get('cls_token')[i] as number) + (get('pos_embed')[i] as number));
  const qkv = [cls, ...places.map(embed)].map((token) => {
    const mean = token.reduce((sum, x) => sum + x, 0) / dim;
    const deviation = Math.sqrt(token.reduce((sum, x) => sum + (x - mean) ** 2, 0) / dim + 1e-6);
    const normed = token.map(
      (x, i) =>
        ((x - mean) / deviation) * (get('blocks.0.norm1.weight')[i] as number) +
        (get('blocks.0.norm1.bias')[i] as number),
    );
    return Array.from({ length: 3 * dim }, (_, out) =>
      normed.reduce(
        (sum, x, i) => sum + x * (get('blocks.0.attn.qkv.weight')[out * dim + i] as number),
        get('blocks.0.attn.qkv.bias')[out] as number,
      ),
    );
  });
  const d = dim / heads;
  return (place) => {
    const query = place === undefined ? 0 : 1 + places.indexOf(place);
    return (head, to) => {
      const exps = qkv.map((key) => {
        let dot = 0;
        for (let i = 0; i < d; i++) dot += (qkv[query]?.[head * d + i] as number) * (key[dim + head * d + i] as number);
        return Math.exp(dot / Math.sqrt(d));
      });
      return (exps[to] as number) / exps.reduce((sum, x) => sum + x, 0);
    };
  };
}
