import { at } from '../../common/at';
import { batches, filled, split } from '../../common/batches';
import { Owned } from '../../common/owned';
import type { SetFacts } from '../../data/imageSet';
import type { ImageUploader } from '../../data/upload/imageUploader';
import type { Engine } from '../../engine/engine';
import { u32 } from '../../engine/inputs';
import { givenMasks } from '../../ops/mask';
import { mixture } from '../../ops/mixture';
import { squared } from '../../tensor/exactMath';
import type { Tensor } from '../../tensor/tensor';
import { patchCount, visiblePatches, type Config } from '../config/config';
import { compileDrawnMasks, pairInputs, pairValues, randomMasks } from '../mask/heldOutMasks';
import type { MaskKind } from '../mask/masks';
import type { Model } from '../model/mae';
import { normalisation, type Normalisation } from '../model/normalisation';
import { viewImages, wholeBoxes } from '../model/views';
import type { Pair } from './heldOutPairs';
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
  readonly set: SetFacts;
  /** Of the set, twice the batch at a time; they must be there as long as the unmixer is. */
  readonly images: ImageUploader;
  readonly model: Model;
  /** Pairs taken apart at once. */
  readonly batch: number;
  /** What is hidden of them; random by default. */
  readonly mask?: MaskKind;
  /** Whom masks by attention follow. */
  readonly teacher?: Model | undefined;
}

/** Takes batches of held-out pairs apart, with masks that are given. */
export interface Unmixer {
  readonly normalisation: Normalisation;
  /** Whether predictions are put back by their targets' means and deviations. */
  readonly normPix: boolean;
  /** How many patches are visible. */
  readonly keep: number;
  /**
   * Takes pairs apart.
   *
   * @param orders of each pair's patches; the first `keep` are visible
   */
  unmix(pairs: readonly Pair[], orders: readonly Uint32Array[]): Promise<Unmixed[]>;
  /** As `unmix`, a batch at a time: for more than should be kept. */
  unmixEach(
    pairs: readonly Pair[],
    orders: readonly Uint32Array[],
    use: (unmixed: readonly Unmixed[]) => void,
  ): Promise<void>;
  /** An order of each pair's patches, as its mask chooses: the same for every model that is shown the same pairs. */
  orders(pairs: readonly Pair[]): Promise<Uint32Array[]>;
  dispose(): void;
}

/** @throws EngineError `out-of-memory` */
export async function compileUnmixer(engine: Engine, config: Config, setup: UnmixerSetup): Promise<Unmixer> {
  const { set, images, model, batch, mask = 'random', teacher } = setup;
  const { size } = model;
  const { normPix } = config.model;
  const keep = visiblePatches(size, config.masking.maskRatio);
  const length = patchCount(size);
  const statistics = normalisation(config, set);
  const owned = new Owned();
  try {
    const view = (indices: Tensor<'u32'>, boxes: Tensor): Tensor =>
      viewImages({ images, size, normalisation: statistics }, indices, boxes);
    const inputs = { ...pairInputs(batch), idsShuffle: u32(batch, length) };
    const program = owned.own(
      await engine.compile(inputs, ({ first, second, alpha, idsShuffle }, graph) => {
        const boxes = wholeBoxes(graph, set, batch);
        const { mixed, targets } = mixture(view(first, boxes), view(second, boxes), alpha);
        const { prediction } = model.net.forward(mixed, givenMasks(idsShuffle, keep));
        return { mixed, targets, prediction };
      }),
    );
    const drawn = { kind: mask, set, view, batch, teacher };
    const masks = owned.own(mask === 'random' ? randomMasks(length) : await compileDrawnMasks(engine, config, drawn));
    const unmixEach: Unmixer['unmixEach'] = async (pairs, orders, use) => {
      for (const { part, from } of batches(pairs, batch)) {
        const values = pairValues(part, batch);
        await images.ready(0, (step) => (step === 0 ? Uint32Array.of(...values.first, ...values.second) : undefined));
        const placed = images.place([values.first, values.second]);
        const order = orders.slice(from, from + batch);
        const idsShuffle = filled(order, batch, Uint32Array);
        await program.run({ first: at(placed, 0), second: at(placed, 1), alpha: values.alpha, idsShuffle });
        const { outputs } = program;
        const mixed = split(await outputs.mixed.data(), batch);
        const targets = split(await outputs.targets.data(), 2 * batch);
        const predictions = split(await outputs.prediction.data(), model.branches * batch);
        use(
          part.map((_, index): Unmixed => {
            const clean = [at(targets, index), at(targets, batch + index)];
            const ofBranches = clean.slice(0, model.branches).map((target, branch) => {
              const rows = at(predictions, branch * batch + index);
              const patches = rows.slice(rows.length / (length + 1)); // without the class token's row
              return normPix ? putBack(size, patches, target) : patches;
            });
            const removed = hiddenOf(at(order, index), keep);
            return { mixed: at(mixed, index), targets: clean, predictions: ofBranches, removed };
          }),
        );
      }
    };
    return {
      ...{ normalisation: statistics, normPix, keep, unmixEach },
      async unmix(pairs, orders) {
        const results: Unmixed[] = [];
        await unmixEach(pairs, orders, (part) => results.push(...part));
        return results;
      },
      orders: (pairs) => masks.orders(pairs),
      dispose: () => owned.dispose(),
    };
  } catch (error) {
    owned.dispose();
    throw error;
  }
}

/** Of each patch, whether it is hidden. */
function hiddenOf(order: Uint32Array, keep: number): boolean[] {
  const hidden = Array.from(order, () => true);
  for (const visible of order.subarray(0, keep)) hidden[visible] = false;
  return hidden;
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
          sums.own += squared(p - wanted);
          sums.other += squared(p - (other[i] as number));
          sums.mean += squared((mean[i] as number) - wanted);
          sums.mixture += squared((blend[i] as number) - wanted);
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
