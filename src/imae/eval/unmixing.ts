import {
  imageBytes,
  isInMemory,
  readImages,
  spreadIndices,
  type ImageSet,
  type SetFacts,
  type TrainingSet,
} from '../../data/imageSet';
import { purposes, RandomStream } from '../../data/philox';
import { wholeCrop } from '../../data/sampler';
import { scaleSquare } from '../../data/bicubic';
import type { ImageUploader } from '../../data/upload/imageUploader';
import type { Engine } from '../../gpu/engine';
import { augment } from '../../ops/augment';
import { invertPermutation } from '../../ops/mask';
import { mixture } from '../../ops/mixture';
import { Graph, type TensorProgram } from '../../tensor/graph';
import { square } from '../../tensor/exactMath';
import type { Tensor } from '../../tensor/tensor';
import { patchCount, visiblePatches, type Config } from '../config/config';
import { DrawnMasks, randomMasks, type HeldOutMasks } from '../mask/heldOutMasks';
import type { MaskKind } from '../mask/masks';
import type { Model } from '../model/mae';
import { normalisation, type Normalisation } from '../model/normalisation';
import { stepImages } from '../train/gpuResidency';

/** Two held-out images and how they are blended. */
export interface Pair {
  readonly first: number;
  readonly second: number;
  /** Weight of the first image. */
  readonly alpha: number;
}

/** A mixture as the model took it apart, patches in image order, patch vectors (row, column, channel). */
export interface Unmixed {
  /** Normalised pixels [C, H, W]: the mixture, then the clean subordinate and dominant (the latter with two branches). */
  readonly mixed: Float32Array;
  readonly targets: readonly Float32Array[];
  /** [L, P·P·C] of each branch, in normalised pixels. */
  readonly predictions: readonly Float32Array[];
  /** [L]: whether the model did not see the patch. */
  readonly removed: readonly boolean[];
}

/** Mean squared errors over removed patches of what a branch predicted, and of three things it must beat. */
export interface BranchScore {
  /** Prediction to the branch's own image. */
  readonly own: number;
  /** Prediction to the other image of the pair. */
  readonly other: number;
  /** The training set's mean image to the branch's own image. */
  readonly mean: number;
  /** The mixture, those very patches unhidden, to the branch's own image. */
  readonly mixture: number;
  /** 1 − own ÷ mean: 1 is perfect, 0 no better than the mean image. */
  readonly score: number;
}

/** The unmixing score of a model: `takenApart` where every branch's own error is below all three others. */
export interface UnmixingScore {
  readonly subordinate: BranchScore;
  readonly dominant?: BranchScore;
  readonly takenApart: boolean;
}

/** Held-out pairs that a run is judged by: the same for every model and every run on a set. */
export function heldOutPairs(set: ImageSet, count: number, alphaOf: (index: number) => number): Pair[] {
  const stream = RandomStream.at(0, purposes.evaluation, 0);
  return Array.from({ length: count }, (_, index) => {
    const first = stream.integer(set.count);
    const second = (first + 1 + stream.integer(set.count - 1)) % set.count;
    return { first, second, alpha: alphaOf(index) };
  });
}

/** Takes batches of held-out pairs apart, with masks that are given. */
export class Unmixer {
  private constructor(
    private readonly model: Model,
    readonly normalisation: Normalisation,
    /** Whether predictions were put back by their targets' means and deviations. */
    readonly normPix: boolean,
    private readonly images: ImageUploader,
    private readonly program: TensorProgram,
    private readonly tensors: {
      readonly first: Tensor;
      readonly second: Tensor;
      readonly alpha: Tensor;
      readonly idsShuffle: Tensor;
      readonly mixed: Tensor;
      readonly targets: Tensor;
      readonly prediction: Tensor;
    },
    readonly batch: number,
    readonly keep: number,
    private readonly masks: HeldOutMasks,
  ) {}

  /**
   * @param batch pairs taken apart at once
   * @param options.mask what is hidden of them; random by default
   * @param options.teacher whom masks by attention follow
   */
  static async create(
    engine: Engine,
    config: Config,
    set: ImageSet,
    model: Model,
    batch: number,
    { mask = 'random', teacher }: { readonly mask?: MaskKind; readonly teacher?: Model | undefined } = {},
  ): Promise<Unmixer> {
    const images = stepImages(engine, config, set, { perStep: 2 * batch, perPart: 2 * batch });
    try {
      const { size } = model;
      const graph = new Graph(engine);
      const statistics = normalisation(config, set);
      const box = [...wholeCrop(set.width, set.height), 0];
      const boxes = Float32Array.from({ length: batch * 5 }, (_, i) => box[i % 5] ?? 0);
      const viewIn = (into: Graph, indices: Tensor): Tensor => {
        const crops = into.input('boxes', [batch, 5], 'f32', boxes);
        return augment({ chunks: images.chunks, indices, crops, ...statistics, size: size.image });
      };
      const view = (indices: Tensor): Tensor => viewIn(graph, indices);
      const first = graph.input('first', [batch], 'u32');
      const second = graph.input('second', [batch], 'u32');
      const alpha = graph.input('alpha', [batch]);
      const idsShuffle = graph.input('ids_shuffle', [batch, patchCount(size)], 'u32');
      const keep = visiblePatches(size, config.masking.maskRatio);
      const masks = { idsShuffle, idsRestore: invertPermutation(idsShuffle), keep };
      const { mixed, targets } = mixture(view(first), view(second), alpha);
      const { prediction } = model.net.forward(mixed, masks);
      graph.output(mixed, targets, prediction);
      const drawn =
        mask === 'random'
          ? randomMasks(patchCount(size))
          : await DrawnMasks.create(engine, config, mask, viewIn, batch, teacher);
      const program = await graph.compile();
      const tensors = { first, second, alpha, idsShuffle, mixed, targets, prediction };
      return new Unmixer(model, statistics, config.model.normPix, images, program, tensors, batch, keep, drawn);
    } catch (error) {
      images.dispose();
      throw error;
    }
  }

  /**
   * Takes pairs apart.
   *
   * @param orders of each pair's patches; the first `keep` are visible
   */
  async unmix(pairs: readonly Pair[], orders: readonly Uint32Array[]): Promise<Unmixed[]> {
    const results: Unmixed[] = [];
    await this.unmixEach(pairs, orders, (part) => results.push(...part));
    return results;
  }

  /** As `unmix`, a batch at a time: for more than should be kept. */
  async unmixEach(
    pairs: readonly Pair[],
    orders: readonly Uint32Array[],
    use: (unmixed: readonly Unmixed[]) => void,
  ): Promise<void> {
    for (let from = 0; from < pairs.length; from += this.batch) {
      const part = pairs.slice(from, from + this.batch);
      use(await this.unmixBatch(part, orders.slice(from, from + this.batch)));
    }
  }

  private async unmixBatch(pairs: readonly Pair[], orders: readonly Uint32Array[]): Promise<Unmixed[]> {
    const { program, tensors, images, batch, keep } = this;
    const length = patchCount(this.model.size);
    const filled = Array.from({ length: batch }, (_, index) => index % pairs.length);
    const pairOf = (index: number): Pair => pairs[filled[index] as number] as Pair;
    const sides = [
      Uint32Array.from(filled, (_, index) => pairOf(index).first),
      Uint32Array.from(filled, (_, index) => pairOf(index).second),
    ];
    await images.ready(0, (step) => (step === 0 ? Uint32Array.from(sides.flatMap((side) => [...side])) : undefined));
    const [first, second] = images.place(sides) as [Uint32Array, Uint32Array];
    program.write(tensors.first, first);
    program.write(tensors.second, second);
    program.write(
      tensors.alpha,
      Float32Array.from(filled, (_, index) => pairOf(index).alpha),
    );
    const ids = new Uint32Array(batch * length);
    for (const [index, which] of filled.entries()) ids.set(orders[which] as Uint32Array, index * length);
    program.write(tensors.idsShuffle, ids);
    program.run();
    const mixed = (await program.read(tensors.mixed)) as Float32Array;
    const targets = (await program.read(tensors.targets)) as Float32Array;
    const prediction = (await program.read(tensors.prediction)) as Float32Array;
    const pixels = mixed.length / batch;
    const values = prediction.length / (batch * this.model.branches);
    const width = values / (length + 1);
    return pairs.map((_, index) => {
      const order = orders[index] as Uint32Array;
      const removed = Array.from({ length }, () => true);
      for (const visible of order.subarray(0, keep)) removed[visible] = false;
      const clean = [0, 1].map((side) =>
        targets.slice((side * batch + index) * pixels, (side * batch + index + 1) * pixels),
      );
      const predictions = Array.from({ length: this.model.branches }, (__, branch) => {
        const at = (branch * batch + index) * values;
        const patches = prediction.slice(at + width, at + values); // without the class token's row
        return this.normPix ? putBack(this.model.size, patches, clean[branch] as Float32Array) : patches;
      });
      return { mixed: mixed.slice(index * pixels, (index + 1) * pixels), targets: clean, predictions, removed };
    });
  }

  /** An order of each pair's patches, as its mask chooses: the same for every model that is shown the same pairs. */
  orders(pairs: readonly Pair[]): Promise<Uint32Array[]> {
    return this.masks.orders(pairs);
  }

  dispose(): void {
    this.masks.dispose();
    this.program.dispose();
    this.images.dispose();
  }
}

/** [C, H, W] → [L, P·P·C], patch vectors (row, column, channel). */
export function imageToPatches(
  size: Pick<Model['size'], 'image' | 'patch' | 'channels'>,
  pixels: Float32Array,
): Float32Array {
  const { image, patch, channels } = size;
  const grid = image / patch;
  const out = new Float32Array(pixels.length);
  let at = 0;
  for (let place = 0; place < grid * grid; place++) {
    const top = Math.floor(place / grid) * patch;
    const left = (place % grid) * patch;
    for (let row = 0; row < patch; row++) {
      for (let column = 0; column < patch; column++) {
        for (let channel = 0; channel < channels; channel++) {
          out[at++] = pixels[(channel * image + top + row) * image + left + column] as number;
        }
      }
    }
  }
  return out;
}

/**
 * Undoes the normalisation of each patch by its own statistics, as MAE's visualisation does.
 *
 * @param patches [L, P·P·C], as predicted with `normPix`
 * @param target [C, H, W]: the clean image, whose patches have those statistics
 */
export function putBack(size: Model['size'], patches: Float32Array, target: Float32Array): Float32Array {
  const width = patches.length / patchCount(size);
  const { means, deviations } = patchStatistics(imageToPatches(size, target), width);
  return patches.map((value, i) => value * at(deviations, i, width) + at(means, i, width));
}

/** Mean and deviation of each patch, as `normPix` normalises by them. */
function patchStatistics(patches: Float32Array, width: number): { means: Float64Array; deviations: Float64Array } {
  const means = new Float64Array(patches.length / width);
  const deviations = means.map((_, place) => {
    const patch = patches.subarray(place * width, (place + 1) * width);
    const mean = patch.reduce((sum, x) => sum + x, 0) / width;
    means[place] = mean;
    return Math.sqrt(patch.reduce((sum, x) => sum + square(x - mean), 0) / (width - 1) + 1e-6);
  });
  return { means, deviations };
}

/** Patches less the means and by the deviations of others, or of themselves. */
function normalised(patches: Float32Array, by: Float32Array, width: number): Float32Array {
  const { means, deviations } = patchStatistics(by, width);
  return patches.map((value, i) => (value - at(means, i, width)) / at(deviations, i, width));
}

/** Each patch less its mean, by its deviation: what is predicted with `normPix`. @param patches [L, width] */
export function normalisedPatches(patches: Float32Array, width: number): Float32Array {
  return normalised(patches, patches, width);
}

function at(ofPatches: Float64Array, element: number, width: number): number {
  return ofPatches[Math.floor(element / width)] as number;
}

/** Sums over removed patches of what a branch and its yardsticks are off by. */
interface BranchSums {
  own: number;
  other: number;
  mean: number;
  mixture: number;
  count: number;
}

/** Adds up the unmixing score over unmixed pairs, which need not all be kept. */
export class UnmixingSums {
  private readonly branches: BranchSums[] = [];

  /**
   * @param mean [L, P·P·C], what is best predicted without looking: see `meanTarget`
   * @param options.normPix compares every patch normalised by its own mean and deviation, as the model was trained to predict
   *   it: put back by the target's, a prediction would be given what it does not know
   */
  constructor(
    private readonly size: Model['size'],
    private readonly mean: Float32Array,
    private readonly options: { readonly normPix?: boolean } = {},
  ) {}

  add(unmixed: readonly Unmixed[]): void {
    const { size, mean, options, branches } = this;
    const width = mean.length / patchCount(size);
    const compared = (patches: Float32Array, by = patches): Float32Array =>
      options.normPix ? normalised(patches, by, width) : patches;
    const patchesOf = (pixels: Float32Array): Float32Array => compared(imageToPatches(size, pixels));
    for (const { predictions, targets, mixed, removed } of unmixed) {
      const blend = patchesOf(mixed);
      for (const [branch, predicted] of predictions.entries()) {
        const sums = (branches[branch] ??= { own: 0, other: 0, mean: 0, mixture: 0, count: 0 });
        const target = targets[branch] as Float32Array;
        const prediction = compared(predicted, imageToPatches(size, target));
        const own = patchesOf(target);
        const other = patchesOf(targets[1 - branch] as Float32Array);
        for (let i = 0; i < prediction.length; i++) {
          if (!removed[Math.floor(i / width)]) continue;
          const [p, wanted] = [prediction[i] as number, own[i] as number];
          sums.own += square(p - wanted);
          sums.other += square(p - (other[i] as number));
          sums.mean += square((mean[i] as number) - wanted);
          sums.mixture += square((blend[i] as number) - wanted);
          sums.count++;
        }
      }
    }
  }

  /** Over all that was added. */
  get score(): UnmixingScore {
    const [subordinate, dominant] = this.branches.map(({ own, other, mean, mixture, count }) => ({
      own: own / count,
      other: other / count,
      mean: mean / count,
      mixture: mixture / count,
      score: 1 - own / mean,
    })) as [BranchScore, BranchScore?];
    const takenApart = [subordinate, dominant].every(
      (branch) => !branch || branch.own < Math.min(branch.other, branch.mean, branch.mixture),
    );
    return { subordinate, ...(dominant ? { dominant } : {}), takenApart };
  }
}

/** The unmixing score over unmixed pairs. @param mean and @param options as of `UnmixingSums` */
export function unmixingScore(
  size: Model['size'],
  unmixed: readonly Unmixed[],
  mean: Float32Array,
  options: { readonly normPix?: boolean } = {},
): UnmixingScore {
  const sums = new UnmixingSums(size, mean, options);
  sums.add(unmixed);
  return sums.score;
}

/** The mean over a set of each pixel at its place, normalised: [C, H, W] at the set's own size. */
export function meanImage(set: ImageSet, normalisation: Normalisation): Float32Array {
  const sums = new Float64Array(imageBytes(set));
  addImages(sums, set.images);
  return normalisedPixels(
    set,
    sums.map((sum) => sum / set.count),
    normalisation,
  );
}

function addImages(sums: Float64Array, images: Uint8Array): void {
  const pixels = sums.length;
  for (let at = 0; at < images.length; at++) sums[at % pixels] = (sums[at % pixels] as number) + (images[at] as number);
}

/** Pixels on the scale of bytes, [C, any places], as the model sees them. */
function normalisedPixels(
  { channels }: SetFacts,
  pixels: ArrayLike<number>,
  { mean, std }: Normalisation,
): Float32Array {
  const plane = pixels.length / channels;
  return Float32Array.from(pixels, (value, i) => {
    const channel = Math.floor(i / plane);
    return (value / 255 - (mean[channel] ?? 0)) / (std[channel] ?? 1);
  });
}

/** Images that stand for a whole set's where it would take long to look at all of them. */
const SAMPLED = 4096;
/** And where each has to be scaled for it. */
const SAMPLED_SCALED = 1024;
/** Images that are read at once. */
const READ_AT_ONCE = 64;

/**
 * What is best predicted without looking, as the unmixing score compares it: [L, P·P·C], the mean over a set of what a patch
 * is at its place. With `normPix` that is the mean of normalised patches, which is nearer to anything than the mean image's
 * own patches, normalised. Where all images would take too long (normalised patches, streamed sets), those of 4,096 images
 * evenly spread over the set stand for them; of 1,024 where each has to be scaled to the model's size.
 */
export async function meanTarget(
  size: Model['size'],
  set: TrainingSet,
  normalisation: Normalisation,
  { normPix }: { readonly normPix: boolean },
): Promise<Float32Array> {
  const atModelSize = (pixels: ArrayLike<number>): Float32Array =>
    normalisedPixels(set, scaleSquare(pixels, set, size.image), normalisation);
  if (!normPix && isInMemory(set)) {
    const sums = new Float64Array(imageBytes(set));
    addImages(sums, set.images);
    return imageToPatches(size, atModelSize(sums.map((sum) => sum / set.count)));
  }
  const isScaled = set.width !== size.image || set.height !== size.image;
  const chosen = spreadIndices(set.count, normPix && isScaled ? SAMPLED_SCALED : SAMPLED);
  const bytes = imageBytes(set);
  const pixels = size.channels * size.image ** 2;
  const width = pixels / patchCount(size);
  const sums = new Float64Array(normPix ? pixels : bytes);
  for (let from = 0; from < chosen.length; from += READ_AT_ONCE) {
    const images = await readImages(set, chosen.subarray(from, from + READ_AT_ONCE));
    if (!normPix) {
      addImages(sums, images);
      continue;
    }
    for (let start = 0; start < images.length; start += bytes) {
      const patches = imageToPatches(size, atModelSize(images.subarray(start, start + bytes)));
      for (const [i, value] of normalised(patches, patches, width).entries()) sums[i] = (sums[i] as number) + value;
    }
  }
  const means = sums.map((sum) => sum / chosen.length);
  return normPix ? Float32Array.from(means) : imageToPatches(size, atModelSize(means));
}
