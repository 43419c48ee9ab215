import { at } from '../../common/at';
import { filled } from '../../common/batches';
import { Owned } from '../../common/owned';
import type { ImageSet } from '../../data/imageSet';
import { ResidentImages } from '../../data/upload/residentImages';
import type { Engine } from '../../engine/engine';
import { f32, u32 } from '../../engine/inputs';
import type { Output } from '../../engine/outputs';
import { concat } from '../../ops/concat';
import { givenMasks } from '../../ops/mask';
import { mixture } from '../../ops/mixture';
import type { Graph } from '../../tensor/graph';
import type { Tensor } from '../../tensor/tensor';
import { patchCount, visiblePatches } from '../config/config';
import { ordersOf, recordMasks, type MaskKind } from '../mask/masks';
import type { Model } from '../model/mae';
import type { Normalisation } from '../model/normalisation';
import { viewImages, wholeBoxes } from '../model/views';
import type { Pair } from './heldOutPairs';

/** Two images of a set, by their indices. */
export type ImagePair = Pick<Pair, 'first' | 'second'>;

/** What a model makes of some samples: encoder outputs [samples, 1 + K, D] and each branch's latents [samples, 1 + K, Dd]. */
export interface Latents {
  readonly h: Float32Array;
  readonly z: readonly Float32Array[];
}

/** Reads the latents of pairs of a set's images, of the images by themselves and of their mixtures, under masks that are given. */
export interface LatentReader {
  /** Pairs at once, at most. */
  readonly batch: number;
  /**
   * The patches of each pair in an order; the first are visible. Masks that look at what they hide look at the mixture of
   * both halves, so that one serves for every α.
   *
   * @param counter [5], as of `drawMasks`
   */
  orders(pairs: readonly ImagePair[], counter: Uint32Array): Promise<Uint32Array[]>;
  /**
   * The latents of both images of each pair by themselves.
   *
   * @param orders of each pair's patches; the first `keep` are visible
   */
  ofImages(
    pairs: readonly ImagePair[],
    orders: readonly Uint32Array[],
  ): Promise<{ readonly first: Latents; readonly second: Latents }>;
  /** The latents of the pairs' mixtures, of each model. @param alpha weight of each pair's first image */
  ofMixtures(pairs: readonly ImagePair[], orders: readonly Uint32Array[], alpha: number): Promise<Latents[]>;
  dispose(): void;
}

interface LatentReaderSetup {
  readonly set: ImageSet;
  readonly normalisation: Normalisation;
  /** What encodes the images by themselves, and what encodes mixtures; all take the same images and patches. */
  readonly models: { readonly alone: Model; readonly mixed: readonly Model[] };
  /** What is hidden of a pair; by attention, rather what `models.alone` attends to. */
  readonly mask: MaskKind;
  readonly maskRatio: number;
  /** Pairs at once. */
  readonly batch: number;
}

/** @throws EngineError `out-of-memory` */
export async function compileLatentReader(engine: Engine, setup: LatentReaderSetup): Promise<LatentReader> {
  const { set, normalisation, models, mask, maskRatio, batch } = setup;
  const owned = new Owned();
  try {
    const images = owned.own(new ResidentImages(engine, set));
    const { size } = models.alone;
    const length = patchCount(size);
    const keep = visiblePatches(size, maskRatio);
    const pair = { first: u32(batch), second: u32(batch) };
    const seen = ({ first, second }: { first: Tensor<'u32'>; second: Tensor<'u32'> }, program: Graph) => {
      const boxes = wholeBoxes(program, set, batch);
      const view = (indices: Tensor<'u32'>): Tensor => viewImages({ images, size, normalisation }, indices, boxes);
      return [view(first), view(second)] as const;
    };
    const encode = ({ net }: Model, shown: Tensor, idsShuffle: Tensor<'u32'>) => {
      const h = net.forwardEncoder(shown, givenMasks(idsShuffle, keep));
      return { h, z: net.forwardBranches(h) };
    };
    const alone = owned.own(
      await engine.compile({ ...pair, idsShuffle: u32(batch, length) }, ({ idsShuffle, ...of }, program) =>
        encode(models.alone, concat(seen(of, program)), idsShuffle),
      ),
    );
    const mixed = owned.own(
      await engine.compile(
        { ...pair, idsShuffle: u32(batch, length), alpha: f32(1) },
        ({ idsShuffle, alpha, ...of }, program) => {
          const blend = mixture(...seen(of, program), alpha).mixed;
          return models.mixed.map((model) => encode(model, blend, idsShuffle));
        },
      ),
    );
    const drawn = owned.own(
      await engine.compile({ ...pair, counter: u32(5) }, ({ counter, ...of }, program) => {
        const half = program.input('alpha', [1], 'f32', Float32Array.of(0.5));
        const masked = { model: size, masking: { maskRatio } };
        const blend = mixture(...seen(of, program), half).mixed;
        const { idsShuffle } = recordMasks(masked, { kind: mask, seen: blend, counter, teacher: models.alone });
        return { idsShuffle };
      }),
    );
    return {
      batch,
      async orders(pairs, counter) {
        await drawn.run({ ...pairsOf(pairs, batch), counter });
        return ordersOf(await drawn.outputs.idsShuffle.data(), length, pairs.length);
      },
      async ofImages(pairs, orders) {
        await alone.run({ ...pairsOf(pairs, batch), idsShuffle: filled(orders, batch, Uint32Array) });
        const both = await latentsOf(alone.outputs, models.alone.branches, 2 * batch);
        return { first: both(0, pairs.length), second: both(batch, pairs.length) };
      },
      async ofMixtures(pairs, orders, alpha) {
        const idsShuffle = filled(orders, batch, Uint32Array);
        await mixed.run({ ...pairsOf(pairs, batch), idsShuffle, alpha: Float32Array.of(alpha) });
        const all: Latents[] = [];
        for (const [index, { branches }] of models.mixed.entries()) {
          const of = await latentsOf(at(mixed.outputs, index), branches, batch);
          all.push(of(0, pairs.length));
        }
        return all;
      },
      dispose: () => owned.dispose(),
    };
  } catch (error) {
    owned.dispose();
    throw error;
  }
}

/** Images of pairs; a batch that is not full is filled with its own pairs again. */
function pairsOf(pairs: readonly ImagePair[], batch: number) {
  const all = Array.from({ length: batch }, (_, index) => at(pairs, index % pairs.length));
  return { first: Uint32Array.from(all, ({ first }) => first), second: Uint32Array.from(all, ({ second }) => second) };
}

/** Reads the latents of a batch, and gives those of some of its samples. */
async function latentsOf(
  outputs: { readonly h: Output; readonly z: Output },
  branches: number,
  batch: number,
): Promise<(from: number, count: number) => Latents> {
  const [h, z] = [await outputs.h.data(), await outputs.z.data()];
  return (from, count) => ({
    h: samples(h, batch, from, count),
    z: Array.from({ length: branches }, (_, branch) => samples(z, batch * branches, batch * branch + from, count)),
  });
}

/** Some samples of a tensor of `of`. */
function samples(values: Float32Array, of: number, from: number, count: number): Float32Array {
  const size = values.length / of;
  return values.slice(from * size, (from + count) * size);
}
