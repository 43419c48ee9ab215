import { at } from '../../common/at';
import { batches, filled, split } from '../../common/batches';
import type { Engine } from '../../engine/engine';
import { f32, u32 } from '../../engine/inputs';
import { givenMasks } from '../../ops/mask';
import type { Tensor } from '../../tensor/tensor';
import { patchCount, type ModelSize } from '../config/config';
import type { Model } from '../model/mae';

/** Images of one program run. */
export const BATCH = 16;

/** What a model made of one image under one mask. */
export interface Instrumented {
  /** The patches in an order; the first `keep` were visible. */
  readonly order: Uint32Array;
  /** [1 + K, D] each, class token first, then visible patches in their order: what each block of the encoder was given, then its output. */
  readonly features: readonly Float32Array[];
  /** [1 + L, 3·Dd] of each block of the decoder: packed queries, keys and values. */
  readonly qkv: readonly Float32Array[];
  /** [L, P·P·C]. */
  readonly prediction: Float32Array;
}

/** Shows images to a model under masks, and lets what happens inside it be seen. */
export interface InstrumentedForward {
  /**
   * @param images [C, H, W] each, normalised
   * @param orders of each image's patches
   */
  look(images: readonly Float32Array[], orders: readonly Uint32Array[]): Promise<Instrumented[]>;
  dispose(): void;
}

/**
 * @param model a vanilla MAE; it stays its owner's, who may write other weights to it
 * @param keep how many patches are visible
 * @throws EngineError `out-of-memory`
 */
export async function compileInstrumentedForward(
  engine: Engine,
  { size, net }: Model,
  keep: number,
): Promise<InstrumentedForward> {
  const program = await engine.compile(maskedInputs(size), ({ images, idsShuffle }) => {
    const masks = givenMasks(idsShuffle, keep);
    const features: Tensor[] = [];
    const qkv: Tensor[] = [];
    const latent = net.forwardEncoder(images, masks, { watchTokens: (tokens) => features.push(tokens) });
    const prediction = net.forwardDecoder(net.forwardBranches(latent), masks, { watch: (packed) => qkv.push(packed) });
    return { features: [...features, latent], qkv, prediction };
  });
  const { features, qkv, prediction } = program.outputs;
  const length = patchCount(size);
  return {
    async look(images, orders) {
      const looks: Instrumented[] = [];
      for (const { part, from } of batches(orders, BATCH)) {
        await program.run(maskedValues(images.slice(from, from + BATCH), part));
        const ofFeatures = await Promise.all(features.map(async (layer) => split(await layer.data(), BATCH)));
        const ofQkv = await Promise.all(qkv.map(async (block) => split(await block.data(), BATCH)));
        const predictions = split(await prediction.data(), BATCH);
        looks.push(
          ...part.map((order, index) => ({
            order,
            features: ofFeatures.map((layer) => at(layer, index)),
            qkv: ofQkv.map((block) => at(block, index)),
            prediction: withoutClass(at(predictions, index), length),
          })),
        );
      }
      return looks;
    },
    dispose: () => program.dispose(),
  };
}

/** A batch of images, and an order of each one's patches. */
export function maskedInputs(size: ModelSize) {
  return {
    images: f32(BATCH, size.channels, size.image, size.image),
    idsShuffle: u32(BATCH, patchCount(size)),
  };
}

/** The values of `maskedInputs`. */
export function maskedValues(images: readonly Float32Array[], orders: readonly Uint32Array[]) {
  return { images: filled(images, BATCH, Float32Array), idsShuffle: filled(orders, BATCH, Uint32Array) };
}

/** [1 + L, n] → [L, n]. */
export function withoutClass(rows: Float32Array, length: number): Float32Array {
  return rows.subarray(rows.length / (length + 1));
}
