import type { Pair } from './heldOutPairs';
import type { ImageSet } from '../../data/imageSet';
import { wholeCrop } from '../../data/sampler';
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
import { imageToPatches, normalised, putBack } from './patches';

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

/** What is taken apart, and by what. */
interface UnmixerSetup {
  readonly set: ImageSet;
  readonly model: Model;
  /** Pairs taken apart at once. */
  readonly batch: number;
  /** What is hidden of them; random by default. */
  readonly mask?: MaskKind;
  /** Whom masks by attention follow. */
  readonly teacher?: Model | undefined;
}

interface UnmixerTensors {
  readonly first: Tensor;
  readonly second: Tensor;
  readonly alpha: Tensor;
  readonly idsShuffle: Tensor;
  readonly mixed: Tensor;
  readonly targets: Tensor;
  readonly prediction: Tensor;
}

interface UnmixerSettings {
  readonly normalisation: Normalisation;
  /** Whether predictions are put back by their targets' means and deviations. */
  readonly normPix: boolean;
  readonly batch: number;
  readonly keep: number;
  readonly masks: HeldOutMasks;
}

/** Takes batches of held-out pairs apart, with masks that are given. */
export class Unmixer {
  private constructor(
    private readonly model: Model,
    private readonly images: ImageUploader,
    private readonly program: TensorProgram,
    private readonly tensors: UnmixerTensors,
    private readonly settings: UnmixerSettings,
  ) {}

  get normalisation(): Normalisation {
    return this.settings.normalisation;
  }

  get normPix(): boolean {
    return this.settings.normPix;
  }

  get keep(): number {
    return this.settings.keep;
  }

  static async create(
    engine: Engine,
    config: Config,
    { set, model, batch, mask = 'random', teacher }: UnmixerSetup,
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
          : await DrawnMasks.create(engine, config, { kind: mask, view: viewIn, batch, teacher });
      const program = await graph.compile();
      const tensors = { first, second, alpha, idsShuffle, mixed, targets, prediction };
      const settings = { normalisation: statistics, normPix: config.model.normPix, batch, keep, masks: drawn };
      return new Unmixer(model, images, program, tensors, settings);
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
    const { batch } = this.settings;
    for (let from = 0; from < pairs.length; from += batch) {
      const part = pairs.slice(from, from + batch);
      use(await this.unmixBatch(part, orders.slice(from, from + batch)));
    }
  }

  private async unmixBatch(pairs: readonly Pair[], orders: readonly Uint32Array[]): Promise<Unmixed[]> {
    const { program, tensors, images } = this;
    const { batch, keep, normPix } = this.settings;
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
        return normPix ? putBack(this.model.size, patches, clean[branch] as Float32Array) : patches;
      });
      return { mixed: mixed.slice(index * pixels, (index + 1) * pixels), targets: clean, predictions, removed };
    });
  }

  /** An order of each pair's patches, as its mask chooses: the same for every model that is shown the same pairs. */
  orders(pairs: readonly Pair[]): Promise<Uint32Array[]> {
    return this.settings.masks.orders(pairs);
  }

  dispose(): void {
    this.settings.masks.dispose();
    this.program.dispose();
    this.images.dispose();
  }
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
