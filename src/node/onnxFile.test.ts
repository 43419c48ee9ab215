import { InferenceSession, Tensor, env, type OnnxValue } from 'onnxruntime-web';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Owned } from '../common/owned';
import type { Engine } from '../engine/engine';
import { f32, u32 } from '../engine/inputs';
import { storedTensor, type Safetensors, type StoredTensor } from '../formats/safetensors';
import { loadModel } from '../imae/checkpoint/checkpoint';
import { collectModel } from '../imae/checkpoint/exportModel';
import { describeModel } from '../imae/checkpoint/modelFile';
import { encoderGraph, maeGraph } from '../imae/checkpoint/onnxGraph';
import { allocateModel, type Branches } from '../imae/model/mae';
import { invertPermutation } from '../ops/mask';
import { testEngine } from '../testing/testEngine';
import { tinyMae } from '../testing/transformersModel';
import { onnxFile } from './onnxFile';

/* What ONNX Runtime makes of a model, and what the engine makes of it. */

env.wasm.numThreads = 1;
let engine: Engine;
beforeAll(async () => {
  engine = await testEngine();
});
afterAll(() => engine.dispose());

const METADATA = {
  ...{ heads: '3', decoderHeads: '2', layerNormEps: '1e-5', normPix: 'true' },
  ...{ mean: '[0.5,0.4,0.3]', std: '[0.5,0.25,0.125]' },
};
const BATCH = 3;
const [KEEP, LENGTH] = [2, 4];
const IDS = Uint32Array.of(2, 0, 3, 1, 1, 3, 0, 2, 0, 1, 2, 3);
const RESTORE = Uint32Array.of(1, 3, 0, 2, 2, 0, 3, 1, 0, 1, 2, 3);
const IMAGES = Float32Array.from({ length: BATCH * 3 * 16 * 16 }, (_, i) => ((i * 37) % 256) / 128 - 1);
/** Sums of up to 192 products, in another order: some roundings of 6e-8 of values of about 1. */
const ROUNDING = 2e-5;

/** The tiny model with one branch or two. */
function model(branches: Branches): Safetensors {
  const tensors = new Map(tinyMae().mae);
  if (branches === 1) return { tensors, metadata: METADATA };
  for (const end of ['weight', 'bias']) {
    const { shape } = tensors.get(`decoder_embed.${end}`) as StoredTensor;
    const count = shape.reduce((product, side) => product * side, 1);
    tensors.delete(`decoder_embed.${end}`);
    for (const branch of [1, 2]) {
      const values = Float32Array.from({ length: count }, (_, i) => ((i * branch * 29) % 17) / 17 - 0.5);
      tensors.set(`decoder_embed${branch}.${end}`, storedTensor(shape, values));
    }
  }
  return { tensors, metadata: METADATA };
}

/** The engine's latents, of all patches and of some, and predictions, one branch after the other. */
async function expected(file: Safetensors): Promise<Record<'whole' | 'latent' | 'prediction', Float32Array>> {
  const facts = describeModel(file, 'x');
  const owned = new Owned();
  try {
    const { net, parameters } = allocateModel(engine, 'model', facts, { frozen: true });
    owned.own(parameters);
    loadModel({ parameters }, file, 'x');
    const program = owned.own(
      await engine.compile({ images: f32(BATCH, 3, 16, 16), ids: u32(BATCH, LENGTH) }, ({ images, ids }) => {
        const masks = { idsShuffle: ids, idsRestore: invertPermutation(ids), keep: KEEP };
        const { latent, prediction } = net.forward(images, masks);
        return { whole: net.forwardEncoder(images), latent, prediction };
      }),
    );
    await program.run({ images: IMAGES, ids: IDS });
    const { whole, latent, prediction } = program.outputs;
    return { whole: await whole.data(), latent: await latent.data(), prediction: await prediction.data() };
  } finally {
    owned.dispose();
  }
}

async function run(file: Uint8Array, feeds: Record<string, OnnxValue>): Promise<InferenceSession.OnnxValueMapType> {
  const session = await InferenceSession.create(file, { executionProviders: ['wasm'] });
  try {
    return await session.run(feeds);
  } finally {
    await session.release();
  }
}

const pixels = new Tensor('float32', IMAGES, [BATCH, 3, 16, 16]);
const ids = (values: readonly number[], width: number): Tensor =>
  new Tensor('int64', BigInt64Array.from(values, BigInt), [BATCH, width]);
const MASKED = {
  pixel_values: pixels,
  ids_keep: ids(
    [...IDS].filter((_, i) => i % LENGTH < KEEP),
    KEEP,
  ),
  ids_restore: ids([...RESTORE], LENGTH),
};

function expectClose(found: OnnxValue | undefined, wanted: Float32Array, shape: readonly number[]): void {
  const { data, dims } = found as Tensor;
  expect(dims).toEqual(shape);
  const values = data as Float32Array;
  expect(values.length).toBe(wanted.length);
  const largest = wanted.reduce((most, value, i) => Math.max(most, Math.abs(value - (values[i] as number))), 0);
  expect(largest).toBeLessThan(ROUNDING);
}

describe('ONNX Runtime', () => {
  it('gives the features of an encoder, of a batch of any size', async () => {
    const { tensors, facts, metadata } = collectModel({ name: 'x', file: model(1) }, 'encoder', {});
    const file = onnxFile(encoderGraph(tensors, facts.size), metadata);
    const { whole } = await expected(model(1));
    const { last_hidden_state: found } = await run(file, { pixel_values: pixels });
    expectClose(found, whole, [BATCH, 1 + LENGTH, 12]);
    const first = new Tensor('float32', IMAGES.slice(0, 3 * 16 * 16), [1, 3, 16, 16]);
    const { last_hidden_state: one } = await run(file, { pixel_values: first });
    expectClose(one, whole.slice(0, (1 + LENGTH) * 12), [1, 1 + LENGTH, 12]);
  });

  it.each<[Branches, string[]]>([
    [1, ['logits']],
    [2, ['logits1', 'logits2']],
  ])('gives the latents and predictions of a whole model with %i branches', async (branches, names) => {
    const { tensors, facts, metadata } = collectModel({ name: 'x', file: model(branches) }, 'model', {});
    const { size } = describeModel(model(branches), 'x');
    expect(facts.size).toEqual(size);
    const found = await run(onnxFile(maeGraph(tensors, size, branches), metadata), MASKED);
    const { latent, prediction } = await expected(model(branches));
    expectClose(found['last_hidden_state'], latent, [BATCH, 1 + KEEP, 12]);
    const width = 3 * 8 * 8;
    const rows = prediction.length / width;
    const ofBranch = rows / branches;
    for (const [index, name] of names.entries()) {
      const patches = Array.from({ length: ofBranch }, (_, row) => row)
        .filter((row) => row % (1 + LENGTH) > 0)
        .flatMap((row) => [
          ...prediction.slice((index * ofBranch + row) * width, (index * ofBranch + row + 1) * width),
        ]);
      expectClose(found[name], Float32Array.from(patches), [BATCH, LENGTH, width]);
    }
  });
});
