import type { PatchMasks } from '../../ops/mask';
import type { BlockOptions } from '../../nn/layers';
import { alignment, type Alignment } from '../../ops/alignment';
import { weightedSum } from '../../ops/weightedSum';
import type { Tensor } from '../../tensor/tensor';
import type { Model, Outputs } from '../model/mae';
import { type Losses } from '../model/objective';

/** How the losses of an LC-MAE are weighed. */
export interface LcmaeWeights {
  /** μ, of the alignment. */
  readonly mu: number;
  readonly normPix: boolean;
  /** The batch's share in the loss, where it is one of several micro-batches. */
  readonly share?: number;
  readonly blocks?: BlockOptions;
}

/**
 * An MAE that sees each image under two masks A and B, in the spirit of LC-MAE (2023), and is asked to predict the same:
 *
 *   L = mean over removed patches, of both masks, of mse(u, y) + μ · mean over patches that both remove of ½ mse(u_A, u_B)
 *
 * Both means are over pixels too, so that the second is the alignment term of ‖u_A − y‖² + ‖u_B − y‖² = ½‖u_A − u_B‖² + 2‖ū − y‖²
 * in the units of the first. With μ = 0 it is an MAE on the batch taken twice.
 *
 * @param twice [2B, C, H, W]: the images, and once more the same
 * @param masks of 2B samples
 */
export function lcmaeObjective(
  model: Model,
  twice: Tensor,
  masks: PatchMasks,
  { mu, normPix, share = 1, blocks = {} }: LcmaeWeights,
): Outputs & Losses & Alignment {
  const outputs = model.net.forward(twice, masks, blocks);
  const { prediction } = outputs;
  const pixel = model.net.forwardLoss(prediction, twice, masks, normPix);
  const { idsRestore, keep } = masks;
  const { patch } = model.size;
  const aligned = alignment({ prediction, images: twice, idsRestore, keep, patch, normPix });
  const loss = weightedSum([
    { values: pixel, weights: [share] },
    { values: aligned.align, weights: [mu * share] },
  ]);
  return { ...outputs, ...aligned, pixel, loss };
}
