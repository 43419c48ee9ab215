import type { Engine } from '../../gpu/engine';
import { invertPermutation } from '../../ops/mask';
import { Graph, type TensorProgram } from '../../tensor/graph';
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
export class InstrumentedForward {
  private constructor(
    private readonly size: ModelSize,
    readonly keep: number,
    private readonly program: TensorProgram,
    private readonly tensors: {
      readonly images: Tensor;
      readonly idsShuffle: Tensor;
      readonly features: readonly Tensor[];
      readonly qkv: readonly Tensor[];
      readonly prediction: Tensor;
    },
  ) {}

  /** @param model a vanilla MAE; it stays its owner's, who may write other weights to it */
  static async create(engine: Engine, model: Model, keep: number): Promise<InstrumentedForward> {
    const { size, net } = model;
    const graph = new Graph(engine);
    const { images, masks } = maskedInputs(graph, size, keep);
    const features: Tensor[] = [];
    const qkv: Tensor[] = [];
    const latent = net.forwardEncoder(images, masks, { watchTokens: (tokens) => features.push(tokens) });
    features.push(latent);
    const z = net.forwardBranches(latent);
    const prediction = net.forwardDecoder(z, masks, { watch: (packed) => qkv.push(packed) });
    graph.output(...features, ...qkv, prediction);
    const { idsShuffle } = masks;
    return new InstrumentedForward(size, keep, await graph.compile(), {
      images,
      idsShuffle,
      features,
      qkv,
      prediction,
    });
  }

  /**
   * @param images [C, H, W] each, normalised
   * @param orders of each image's patches
   */
  async look(images: readonly Float32Array[], orders: readonly Uint32Array[]): Promise<Instrumented[]> {
    const { program, tensors, size } = this;
    const looks: Instrumented[] = [];
    for (let from = 0; from < images.length; from += BATCH) {
      const part = orders.slice(from, from + BATCH);
      program.write(tensors.images, filled(images.slice(from, from + BATCH), Float32Array));
      program.write(tensors.idsShuffle, filled(part, Uint32Array));
      program.run();
      const read = async (tensor: Tensor): Promise<Float32Array[]> =>
        split((await program.read(tensor)) as Float32Array);
      const features = await Promise.all(tensors.features.map(read));
      const qkv = await Promise.all(tensors.qkv.map(read));
      const predictions = await read(tensors.prediction);
      looks.push(
        ...part.map((order, index) => ({
          order,
          features: features.map((layer) => layer[index] as Float32Array),
          qkv: qkv.map((layer) => layer[index] as Float32Array),
          prediction: withoutClass(predictions[index] as Float32Array, patchCount(size)),
        })),
      );
    }
    return looks;
  }

  dispose(): void {
    this.program.dispose();
  }
}

/** Images and masks as a batch of inputs. */
export function maskedInputs(graph: Graph, size: ModelSize, keep: number, requiresGrad = false) {
  const images = graph.input('images', [BATCH, size.channels, size.image, size.image], 'f32', undefined, requiresGrad);
  const idsShuffle = graph.input('ids_shuffle', [BATCH, patchCount(size)], 'u32');
  return { images, masks: { idsShuffle, idsRestore: invertPermutation(idsShuffle), keep } };
}

/** A batch of all parts, one after the other, and again where there are too few. */
export function filled<T extends Float32Array | Uint32Array>(parts: readonly T[], Kind: new (length: number) => T): T {
  const size = parts[0]?.length ?? 0;
  const all = new Kind(BATCH * size);
  for (let index = 0; index < BATCH; index++) all.set(parts[index % parts.length] as T, index * size);
  return all;
}

/** The samples of a batch. */
export function split(batch: Float32Array): Float32Array[] {
  const size = batch.length / BATCH;
  return Array.from({ length: BATCH }, (_, index) => batch.slice(index * size, (index + 1) * size));
}

/** [1 + L, n] → [L, n]. */
export function withoutClass(rows: Float32Array, length: number): Float32Array {
  return rows.subarray(rows.length / (length + 1));
}
