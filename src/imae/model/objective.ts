import type { PatchMasks } from '../../ops/mask';
import type { BlockOptions } from '../../nn/layers';
import { concat } from '../../ops/concat';
import { latentMse } from '../../ops/latentMse';
import { mixture } from '../../ops/mixture';
import { weightedSum } from '../../ops/weightedSum';
import type { Scalar, Tensor } from '../../tensor/tensor';
import type { Model, Outputs } from './mae';

/** The parts of the loss, and their sum. */
export interface Losses {
  readonly loss: Scalar<'f32'>;
  /** Shape [S]: mean squared error over removed patches, a branch. */
  readonly pixel: Tensor;
  /** Shape [S]: mean squared distance of the branch latents from the teacher's; absent without a teacher. */
  readonly distill?: Tensor;
}

/**
 * A vanilla MAE on a batch: predicts the removed patches of what it sees.
 *
 * @param model encoder and decoder
 * @param images [B, C, H, W]
 * @param masks which patches it sees
 * @param options `share` is that of this batch in the loss, where it is one of several micro-batches
 */
export function maeObjective(
  model: Model,
  images: Tensor,
  masks: PatchMasks,
  { normPix, share = 1, blocks = {} }: Pick<ImaeWeights, 'normPix' | 'share' | 'blocks'>,
): Outputs & Losses {
  const outputs = model.net.forward(images, masks, blocks);
  const pixel = model.net.forwardLoss(outputs.prediction, images, masks, normPix);
  return { ...outputs, pixel, loss: weightedSum([{ values: pixel, weights: [share] }]) };
}

/** What an i-MAE is trained on. */
export interface ImaeBatch {
  /** The clean images, each [B, C, H, W]. */
  readonly image1: Tensor;
  readonly image2: Tensor;
  /** [1] or [B]: the weight of `image1`. */
  readonly alpha: Tensor;
}

/** How the losses of an i-MAE are weighed. */
export interface ImaeWeights {
  /** λ of the subordinate branch and of the dominant one. */
  readonly lambda: readonly [number, number];
  readonly normPix: boolean;
  /** The batch's share in the loss, where it is one of several micro-batches; 1 by default. */
  readonly share?: number;
  /** Whether the teacher encodes each clean image, as by default, or the mixture, as the target of every branch. */
  readonly teacherInput?: 'clean' | 'mixed';
  /** For the student's blocks. */
  readonly blocks?: BlockOptions;
}

/**
 * i-MAE on a batch of pairs: it sees their mixture; branch 1 predicts the clean subordinate, branch 2 the clean dominant.
 *
 *   L = Σ m·(mse(p1, t_sub) + mse(p2, t_dom)) / Σ m + λ·(MSE(z1, zT_sub) + MSE(z2, zT_dom))
 *
 * @param teacher a frozen vanilla MAE: it encodes the clean images (or the mixture) under the student's masks
 * @param given the masks, or how to draw them for the mixture
 */
export function imaeObjective(
  student: Model,
  teacher: Model | undefined,
  batch: ImaeBatch,
  given: PatchMasks | ((mixed: Tensor) => PatchMasks),
  { lambda, normPix, share = 1, teacherInput = 'clean', blocks = {} }: ImaeWeights,
): Outputs & Losses & { readonly teacherZ?: Tensor } {
  const { branches } = student;
  const { mixed, targets } = mixture(batch.image1, batch.image2, batch.alpha, branches);
  const masks = typeof given === 'function' ? given(mixed) : given;
  const outputs = student.net.forward(mixed, masks, blocks);
  const pixel = student.net.forwardLoss(outputs.prediction, targets, masks, normPix);
  const pixelTerm = { values: pixel, weights: [share, share].slice(0, branches) };
  if (!teacher) return { ...outputs, pixel, loss: weightedSum([pixelTerm]) };

  const isMixed = teacherInput === 'mixed';
  const teacherLatent = teacher.net.forwardEncoder(isMixed ? mixed : targets, masks);
  const seen = teacher.net.forwardBranches(teacherLatent);
  const teacherZ = isMixed && branches === 2 ? concat([seen, seen]) : seen;
  const distill = latentMse(outputs.z, teacherZ, branches);
  const loss = weightedSum([
    pixelTerm,
    { values: distill, weights: lambda.slice(0, branches).map((weight) => weight * share) },
  ]);
  return { ...outputs, pixel, distill, loss, teacherZ };
}
