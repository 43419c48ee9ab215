import { graphOf } from '../tensor/graph';
import { matchShape } from '../tensor/shape';
import type { Scalar, Tensor } from '../tensor/tensor';
import { recordMeanSquares, recordMeanSquaresGradient } from './latentMse';
import { elementwiseLoss, type Loss, type LossReduction } from './losses';
import { assertType } from './patchIndices';

/**
 * The squared error (prediction − target)²: its mean over all elements, its sum, or each. Gradients flow to both. As
 * `F.mse_loss`.
 *
 * @param prediction f32, of any shape
 * @param target f32, of the same shape
 * @returns a scalar; of that shape for `reduction: 'none'`
 * @throws EngineError `bad-shape` where the shapes differ, for another type than f32, or a word that is no reduction
 */
export const mse: Loss = ((
  prediction: Tensor,
  target: Tensor,
  { reduction = 'mean' }: { reduction?: LossReduction } = {},
) =>
  reduction === 'mean'
    ? meanSquare(prediction, target)
    : elementwiseLoss({ name: 'mse', prediction, target, reduction })) as Loss;

function meanSquare(prediction: Tensor, target: Tensor): Scalar<'f32'> {
  const graph = graphOf('mse', prediction, target);
  assertType('mse', 'prediction', prediction, 'f32');
  assertType('mse', 'target', target, 'f32');
  matchShape('mse', 'target', target.shape, prediction.shape);
  const loss = graph.empty('mse', [], 'f32', prediction.requiresGrad || target.requiresGrad);
  recordMeanSquares(graph, prediction, target, loss);
  graph.record('mse', [loss], (gradients) => {
    const dLoss = gradients.of(loss);
    if (!dLoss) return;
    for (const [z, teacher] of [
      [prediction, target],
      [target, prediction],
    ] as const) {
      const dz = gradients.into(z);
      if (dz) recordMeanSquaresGradient(graph, { z, teacher, dLoss }, dz);
    }
  });
  return loss;
}
