import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { expectClose, random } from '../../../kernels-test/allclose';
import { engineVariants } from '../../../kernels-test/variants';
import { permutation, RandomStream } from '../../data/philox';
import * as purposes from '../../data/purposes';
import type { Engine } from '../../engine/engine';
import { testEngine } from '../../testing/testEngine';
import { invertPermutation } from '../../ops/mask';
import { Graph } from '../../tensor/graph';
import type { ModelSize } from '../config/config';
import { allocateModel } from '../model/mae';

const BATCH = 3;
const SIZE: ModelSize = {
  image: 12,
  channels: 3,
  patch: 3,
  dim: 36,
  depth: 2,
  heads: 3,
  decoderDim: 12,
  decoderDepth: 1,
  decoderHeads: 1,
};
const LENGTH = 16;
const { dim } = SIZE;

/**
 * Two sums of the same terms in another order, through two blocks: a few roundings of 6e-8 each. Without the mask the
 * difference is four orders of magnitude larger.
 */
const TOLERANCE = 2e-6;

interface Encoding {
  /** [B, 1 + K, D]: class token and visible patches, in the order of the mask. */
  readonly latent: Float32Array;
  readonly gradients: ReadonlyMap<string, Float32Array>;
}

/** Each sample's patches in an order of its own; the first `keep` are visible. */
const ORDERS = Array.from({ length: BATCH }, (_, sample) =>
  permutation(RandomStream.at(7, purposes.mask, sample), LENGTH),
);

/** Rows of a full encoding at which the class token and the visible patches of a sample stand. */
const rowsOf = (sample: number, keep: number): number[] => [
  0,
  ...[...(ORDERS[sample] as Uint32Array).slice(0, keep)].map((place) => 1 + place),
];

/**
 * Encodes the same images, and goes back from the same random weights on class token and visible patches.
 *
 * @param how from gathered tokens, or from all of them with a key mask or without
 */
async function run(engine: Engine, keep: number, how: 'gathered' | 'masked' | 'unmasked'): Promise<Encoding> {
  const { net, parameters } = allocateModel(engine, 'encoder', { size: SIZE, branches: 1 });
  // Random biases too, which zero would hide; weights large enough for attention to choose (deviation 1/√inputs).
  for (const [index, [name, { shape }]] of parameters.entries.entries()) {
    const fanIn = shape.length > 1 ? shape.slice(1).reduce((a, b) => a * b, 1) : 1;
    const values = random(shape, index + 1).data.map((value) => value * Math.sqrt(3 / fanIn));
    if (!name.endsWith('pos_embed')) parameters.write(name, Float32Array.from(values));
  }
  const graph = new Graph(engine);
  const images = graph.input(
    'images',
    [BATCH, 3, SIZE.image, SIZE.image],
    'f32',
    Float32Array.from(random([BATCH * 3 * SIZE.image ** 2], 99).data),
  );
  const weights = random([BATCH, 1 + keep, dim], 5).data;
  let latent;
  let seed = Float32Array.from(weights);
  if (how === 'gathered') {
    const idsShuffle = graph.input(
      'order',
      [BATCH, LENGTH],
      'u32',
      Uint32Array.from(ORDERS.flatMap((order) => [...order])),
    );
    latent = net.forwardEncoder(images, {
      idsShuffle,
      idsRestore: invertPermutation(idsShuffle),
      keep,
    });
  } else {
    const mask = new Uint32Array(BATCH * (1 + LENGTH)).fill(how === 'masked' ? 0 : 1);
    seed = new Float32Array(BATCH * (1 + LENGTH) * dim);
    for (let sample = 0; sample < BATCH; sample++) {
      for (const [place, row] of rowsOf(sample, keep).entries()) {
        mask[sample * (1 + LENGTH) + row] = 1;
        const from = (sample * (1 + keep) + place) * dim;
        seed.set(weights.subarray(from, from + dim), (sample * (1 + LENGTH) + row) * dim);
      }
    }
    latent = net.forwardEncoder(images, undefined, {
      keyMask: graph.input('key mask', [BATCH, 1 + LENGTH], 'u32', mask),
    });
  }
  graph.backward(latent, graph.input('d latent', latent.shape, 'f32', seed));
  graph.output(latent);
  const program = await graph.compile();
  program.run();
  const values = await program.read(latent);
  const gradients = new Map<string, Float32Array>();
  for (const { name, grad } of parameters.arenas.flatMap(({ members }) => members)) {
    const encodes = /^(cls_token|patch_embed|blocks|norm)/.test(name);
    if (encodes) gradients.set(name, await program.read(grad));
  }
  program.dispose();
  parameters.dispose();
  return { latent: how === 'gathered' ? values : gather(values, keep), gradients };
}

function gather(full: Float32Array, keep: number): Float32Array {
  const latent = new Float32Array(BATCH * (1 + keep) * dim);
  for (let sample = 0; sample < BATCH; sample++) {
    for (const [place, row] of rowsOf(sample, keep).entries()) {
      const from = (sample * (1 + LENGTH) + row) * dim;
      latent.set(full.subarray(from, from + dim), (sample * (1 + keep) + place) * dim);
    }
  }
  return latent;
}

function distance(a: Float32Array, b: Float32Array): number {
  return Math.hypot(...a.map((value, i) => value - (b[i] as number))) / Math.hypot(...b);
}

describe('an encoder on all tokens with a key mask equals the encoder on gathered tokens', () => {
  let engine: Engine;
  let variants: Readonly<Record<string, Engine>>;
  beforeAll(async () => {
    engine = await testEngine();
    variants = engineVariants(engine);
  });
  afterEach(() => {
    for (const [name, { pool }] of Object.entries(variants)) expect(pool.liveBuffers, name).toBe(0);
  });
  afterAll(() => {
    engine.dispose();
  });

  const isGathered = async (keep: number, names: readonly string[]): Promise<void> => {
    for (const name of names) {
      const variant = variants[name] as Engine;
      const gathered = await run(variant, keep, 'gathered');
      const masked = await run(variant, keep, 'masked');
      expectClose(`${name}: latent`, masked.latent, gathered.latent, TOLERANCE);
      expect(gathered.gradients.size).toBe(5 + SIZE.depth * 12);
      for (const [parameter, gradient] of gathered.gradients) {
        expect(Math.hypot(...gradient), parameter).toBeGreaterThan(0);
        expectClose(`${name}: gradient of ${parameter}`, masked.gradients.get(parameter) ?? [], gradient, TOLERANCE);
      }
    }
  };
  it('with 1 of 16 patches visible', () => isGathered(1, ['kernels for software adapters']));
  it('with 5 of 16 patches visible', { tags: ['thorough'] }, () =>
    isGathered(5, ['kernels for GPUs', 'kernels for software adapters', 'plain kernels']),
  );

  it('and without the mask it does not', async () => {
    const gathered = await run(engine, 5, 'gathered');
    const unmasked = await run(engine, 5, 'unmasked');
    expect(distance(unmasked.latent, gathered.latent)).toBeGreaterThan(1e4 * TOLERANCE);
    for (const name of [
      'blocks.0.attn.qkv.weight',
      'blocks.1.mlp.fc1.weight',
      'patch_embed.proj.weight',
      'cls_token',
    ]) {
      const [a, b] = [unmasked.gradients.get(name), gathered.gradients.get(name)] as [Float32Array, Float32Array];
      expect(distance(a, b), name).toBeGreaterThan(1e4 * TOLERANCE);
    }
  });
});
