import type { ImageSet } from '../../data/imageSet';
import { ResidentImages } from '../../data/upload/residentImages';
import { wholeCrop } from '../../data/sampler';
import type { Engine } from '../../gpu/engine';
import { augment } from '../../ops/augment';
import { concat } from '../../ops/concat';
import { invertPermutation, type PatchMasks } from '../../ops/mask';
import { mixture } from '../../ops/mixture';
import { Graph, type TensorProgram } from '../../tensor/graph';
import type { Tensor } from '../../tensor/tensor';
import { patchCount, visiblePatches } from '../config/config';
import type { Model } from '../model/mae';
import { ordersOf, recordMasks, type MaskKind } from '../mask/masks';
import type { Normalisation } from '../model/normalisation';

/** Two images of a set, by their indices. */
export interface ImagePair {
  readonly first: number;
  readonly second: number;
}

/** What a model makes of some samples: encoder outputs [samples, 1 + K, D] and each branch's latents [samples, 1 + K, Dd]. */
export interface Latents {
  readonly h: Float32Array;
  readonly z: readonly Float32Array[];
}

interface RecordedMasks {
  readonly program: TensorProgram;
  readonly first: Tensor;
  readonly second: Tensor;
  readonly counter: Tensor;
  readonly idsShuffle: Tensor;
}

interface Recorded {
  readonly program: TensorProgram;
  readonly inputs: {
    readonly first: Tensor;
    readonly second: Tensor;
    readonly idsShuffle: Tensor;
    readonly alpha?: Tensor;
  };
  readonly outputs: readonly { readonly model: Model; readonly h: Tensor; readonly z: Tensor }[];
}

/** Reads the latents of pairs of a set's images, of the images by themselves and of their mixtures, under masks that are given. */
export class LatentReader {
  private constructor(
    private readonly images: ResidentImages,
    private readonly alone: Recorded,
    private readonly blended: Recorded,
    private readonly masks: RecordedMasks,
    readonly batch: number,
  ) {}

  /**
   * @param models what encodes the images by themselves, and what encodes mixtures; all take the same images and patches
   * @param mask what is hidden of a pair, and how much: by attention, rather what `models.alone` attends to
   * @param batch pairs at once
   */
  static async create(
    engine: Engine,
    set: ImageSet,
    statistics: Normalisation,
    models: { readonly alone: Model; readonly mixed: readonly Model[] },
    { mask, maskRatio, batch }: { readonly mask: MaskKind; readonly maskRatio: number; readonly batch: number },
  ): Promise<LatentReader> {
    const images = new ResidentImages(engine, set);
    const { size } = models.alone;
    const keep = visiblePatches(size, maskRatio);
    const pairsOf = (graph: Graph) => {
      const box = [...wholeCrop(set.width, set.height), 0];
      const crops = graph.input(
        'boxes',
        [batch, 5],
        'f32',
        Float32Array.from({ length: batch * 5 }, (_, i) => box[i % 5] ?? 0),
      );
      const [first, second] = [graph.input('first', [batch], 'u32'), graph.input('second', [batch], 'u32')] as const;
      const view = (indices: Tensor): Tensor =>
        augment({ chunks: images.chunks, indices, crops, ...statistics, size: size.image });
      return { first, second, images: [view(first), view(second)] as const };
    };
    const recordOrders = async (): Promise<RecordedMasks> => {
      const graph = new Graph(engine);
      const { first, second, images: pair } = pairsOf(graph);
      const counter = graph.input('mask counter', [5], 'u32');
      const { mixed } = mixture(...pair, graph.input('alpha', [1], 'f32', Float32Array.of(0.5)));
      const { idsShuffle } = recordMasks(
        { model: size, masking: { maskRatio } },
        { kind: mask, seen: mixed, counter, teacher: models.alone },
      );
      graph.output(idsShuffle);
      return { program: await graph.compile(), first, second, counter, idsShuffle };
    };
    const record = async (of: 'images' | 'mixtures'): Promise<Recorded> => {
      const graph = new Graph(engine);
      const { first, second, images: pair } = pairsOf(graph);
      const idsShuffle = graph.input('ids_shuffle', [batch, patchCount(size)], 'u32');
      const masks: PatchMasks = { idsShuffle, idsRestore: invertPermutation(idsShuffle), keep };
      const alpha = of === 'mixtures' ? graph.input('alpha', [1]) : undefined;
      const seen = alpha ? mixture(...pair, alpha).mixed : concat(pair);
      const outputs = (alpha ? models.mixed : [models.alone]).map((model) => {
        const h = model.net.forwardEncoder(seen, masks);
        return { model, h, z: model.net.forwardBranches(h) };
      });
      graph.output(...outputs.flatMap(({ h, z }) => [h, z]));
      const program = await graph.compile();
      return { program, inputs: { first, second, idsShuffle, ...(alpha ? { alpha } : {}) }, outputs };
    };
    try {
      return new LatentReader(images, await record('images'), await record('mixtures'), await recordOrders(), batch);
    } catch (error) {
      images.dispose();
      throw error;
    }
  }

  /**
   * The patches of each pair in an order; the first are visible. PatchMasks that look at what they hide look at the mixture of
   * both halves, so that one serves for every α.
   *
   * @param pairs at most `batch`
   * @param counter [5], as of `drawMasks`
   */
  async orders(pairs: readonly ImagePair[], counter: Uint32Array): Promise<Uint32Array[]> {
    const { program, idsShuffle } = this.masks;
    this.writePairs(program, this.masks, pairs);
    program.write(this.masks.counter, counter);
    program.run();
    const ids = (await program.read(idsShuffle)) as Uint32Array;
    return ordersOf(ids, ids.length / this.batch, pairs.length);
  }

  /**
   * The latents of both images of each pair by themselves.
   *
   * @param pairs at most `batch`
   * @param orders of each pair's patches; the first `keep` are visible
   */
  async ofImages(
    pairs: readonly ImagePair[],
    orders: readonly Uint32Array[],
  ): Promise<{ readonly first: Latents; readonly second: Latents }> {
    const { alone, batch } = this;
    this.run(alone, pairs, orders);
    const [{ model, h, z }] = alone.outputs as [Recorded['outputs'][number]];
    const [values, ofBranches] = [await read(alone, h), await read(alone, z)];
    const side = (from: number): Latents => ({
      h: samples(values, 2 * batch, from, pairs.length),
      z: Array.from({ length: model.branches }, (_, branch) =>
        samples(ofBranches, 2 * batch * model.branches, 2 * batch * branch + from, pairs.length),
      ),
    });
    return { first: side(0), second: side(batch) };
  }

  /** The latents of the pairs' mixtures, of each model. @param alpha weight of each pair's first image */
  async ofMixtures(pairs: readonly ImagePair[], orders: readonly Uint32Array[], alpha: number): Promise<Latents[]> {
    const { blended, batch } = this;
    if (blended.inputs.alpha) blended.program.write(blended.inputs.alpha, new Float32Array([alpha]));
    this.run(blended, pairs, orders);
    const all: Latents[] = [];
    for (const { model, h, z } of blended.outputs) {
      const [values, ofBranches] = [await read(blended, h), await read(blended, z)];
      all.push({
        h: samples(values, batch, 0, pairs.length),
        z: Array.from({ length: model.branches }, (_, branch) =>
          samples(ofBranches, batch * model.branches, batch * branch, pairs.length),
        ),
      });
    }
    return all;
  }

  /** A batch that is not full is filled with its own pairs again. */
  private run({ program, inputs }: Recorded, pairs: readonly ImagePair[], orders: readonly Uint32Array[]): void {
    const length = orders[0]?.length ?? 0;
    const ids = new Uint32Array(this.batch * length);
    for (let index = 0; index < this.batch; index++)
      ids.set(orders[index % pairs.length] as Uint32Array, index * length);
    this.writePairs(program, inputs, pairs);
    program.write(inputs.idsShuffle, ids);
    program.run();
  }

  private writePairs(
    program: TensorProgram,
    { first, second }: Pick<RecordedMasks, 'first' | 'second'>,
    pairs: readonly ImagePair[],
  ): void {
    const filled = Array.from({ length: this.batch }, (_, index) => pairs[index % pairs.length] as ImagePair);
    program.write(
      first,
      Uint32Array.from(filled, (pair) => pair.first),
    );
    program.write(
      second,
      Uint32Array.from(filled, (pair) => pair.second),
    );
  }

  dispose(): void {
    this.masks.program.dispose();
    this.alone.program.dispose();
    this.blended.program.dispose();
    this.images.dispose();
  }
}

async function read({ program }: Recorded, tensor: Tensor): Promise<Float32Array> {
  return (await program.read(tensor)) as Float32Array;
}

/** Some samples of a tensor of `of`. */
function samples(values: Float32Array, of: number, from: number, count: number): Float32Array {
  const size = values.length / of;
  return values.slice(from * size, (from + count) * size);
}
