import { afterAll, beforeAll, expect, it } from 'vitest';
import { Owned } from '../../common/owned';
import type { Engine } from '../../engine/engine';
import { f32, u32 } from '../../engine/inputs';
import { readSafetensors, type Safetensors } from '../../formats/safetensors';
import { testEngine } from '../../testing/testEngine';
import { tinyConfig, tinyRun } from '../../testing/tinyRun';
import { TINY_CONFIG, tinyMae } from '../../testing/transformersModel';
import { allocateModel } from '../model/mae';
import { invertPermutation } from '../../ops/mask';
import { loadModel } from './checkpoint';
import { exportModel } from './exportModel';
import { completeModel } from './modelConfig';
import { describeModel, type ModelOverrides } from './modelFile';

let engine: Engine;
beforeAll(async () => {
  engine = await testEngine();
});
afterAll(() => engine.dispose());

const { mae, transformers } = tinyMae();
const ofTransformers = (config: object): Safetensors =>
  completeModel({ tensors: transformers, metadata: {} }, 'x', () => ({ config: { ...TINY_CONFIG, ...config } }));
const IMAGES = Float32Array.from({ length: 2 * 3 * 16 * 16 }, (_, i) => ((i * 37) % 256) / 255);
const KEEP = 2;
const IDS = Uint32Array.of(2, 0, 3, 1, 1, 3, 0, 2);

/** Latents, predictions and the loss of a model on two images under a mask. */
async function outputs(file: Safetensors, overrides: ModelOverrides = {}): Promise<Float32Array[]> {
  const facts = describeModel(file, 'x', overrides);
  const owned = new Owned();
  try {
    const model = allocateModel(engine, 'model', facts, { frozen: true });
    owned.own(model.parameters);
    loadModel(model, file, 'x');
    const program = owned.own(
      await engine.compile({ images: f32(2, 3, 16, 16), ids: u32(2, 4) }, ({ images, ids }) => {
        const masks = { idsShuffle: ids, idsRestore: invertPermutation(ids), keep: KEEP };
        const { latent, prediction } = model.net.forward(images, masks);
        return { latent, prediction, loss: model.net.forwardLoss(prediction, images, masks, facts.normPix) };
      }),
    );
    await program.run({ images: IMAGES, ids: IDS });
    const { latent, prediction, loss } = program.outputs;
    return [await latent.data(), await prediction.data(), await loss.data()];
  } finally {
    owned.dispose();
  }
}

it('a model of transformers computes the same bits as under MAE’s names', async () => {
  const same = await outputs({ tensors: mae, metadata: {} }, { heads: 3, decoderHeads: 2, normPix: true });
  expect(same.flatMap((values) => [...values]).every(Number.isFinite)).toBe(true);
  expect(await outputs(ofTransformers({ layer_norm_eps: 1e-6 }))).toEqual(same);
  expect(await outputs(ofTransformers({ layer_norm_eps: 1e-6, num_attention_heads: 4 }))).not.toEqual(same);
});

it('ε counts, and is kept by an export', async () => {
  const [small, large] = [await outputs(ofTransformers({})), await outputs(ofTransformers({ layer_norm_eps: 1e-2 }))];
  for (const [index, values] of small.entries()) expect(values).not.toEqual(large[index]);
  const said = { heads: 3, decoderHeads: 2, normPix: true, layerNormEps: 1e-12 };
  expect(await outputs({ tensors: mae, metadata: {} }, said)).toEqual(small);
  for (const [config, values] of [
    [{}, small],
    [{ layer_norm_eps: 1e-2 }, large],
  ] as const) {
    const { bytes } = exportModel({ name: 'x', file: ofTransformers(config) }, 'model', {});
    expect(await outputs(readSafetensors(bytes))).toEqual(values);
  }
});

it('a run is trained with its ε, and its checkpoints keep it', async () => {
  const trained = async (layerNormEps: number) => {
    const { store, steps } = await tinyRun(engine, tinyConfig({ model: { layerNormEps } }));
    const files = store.checkpoints.map(({ model }) => readSafetensors(model));
    expect(files.map((file) => describeModel(file, 'x').size.layerNormEps)).toEqual(files.map(() => layerNormEps));
    expect(files).not.toEqual([]);
    return steps.map(({ loss }) => loss);
  };
  const usual = await trained(1e-6);
  expect(await trained(1e-2)).not.toEqual(usual);
  const { steps } = await tinyRun(engine, tinyConfig());
  expect(steps.map(({ loss }) => loss)).toEqual(usual);
});
