import { graphOf, type Graph } from '../tensor/graph';
import { matchShape, rowsOf } from '../tensor/shape';
import type { Gradients } from '../tensor/tape';
import type { Precision, Tensor } from '../tensor/tensor';
import { recordMatmul } from './matmul';
import { assertFloating, assertType } from './patchIndices';
import { recordSplitKReduce } from './splitKReduce';

/**
 * x·Wᵀ, plus a bias and a residual where given, in one kernel, as `F.linear`.
 *
 * @param x [..., K]
 * @param weight [N, K]
 * @param bias [N]
 * @param residual [..., N] f32
 * @param precision of the result: f32, unless it is for attention or a product alone
 * @returns [..., N]
 * @throws EngineError `bad-shape`
 */
export function linear(
  x: Tensor,
  weight: Tensor,
  bias?: Tensor,
  residual?: Tensor,
  precision: Precision = 'f32',
): Tensor {
  const graph = graphOf('linear', x, weight, bias, residual);
  assertFloating('linear', 'x', x);
  assertFloating('linear', 'weight', weight);
  if (bias) assertType('linear', 'bias', bias, 'f32');
  if (residual) assertType('linear', 'residual', residual, 'f32');
  const { rows: m, width: k } = rowsOf(x.shape);
  const { n } = matchShape('linear', 'weight', weight.shape, ['n', 'k'], { k });
  if (bias) matchShape('linear', 'bias', bias.shape, [n]);
  const shape = [...x.shape.slice(0, -1), n];
  if (residual) matchShape('linear', 'residual', residual.shape, shape);
  const requiresGrad = [x, weight, bias, residual].some((input) => input?.requiresGrad);
  const out = graph.empty('linear', shape, precision, requiresGrad);
  recordMatmul(graph, { layout: 'nt', m, n, k }, { a: x, b: weight, out }, false, {
    ...(bias ? { bias } : {}),
    ...(residual ? { residual } : {}),
  });
  graph.record('linear', [out], (gradients) => {
    const dOut = gradients.of(out);
    if (!dOut) return;
    recordLinearBackward(graph, { m, n, k }, { x, weight, ...(bias ? { bias } : {}), dOut }, gradients);
    if (residual) gradients.pass(residual, dOut);
  });
  return out;
}

/** What the gradients of x·Wᵀ + b are made of; b may be absent. */
interface LinearOperands {
  readonly x: Tensor;
  readonly weight: Tensor;
  readonly bias?: Tensor;
  readonly dOut: Tensor;
}

/** Appends the gradients of x·Wᵀ + b with respect to x [M, K], W [N, K] and b [N], given dOut [M, N]. */
export function recordLinearBackward(
  graph: Graph,
  { m, n, k }: { readonly m: number; readonly n: number; readonly k: number },
  operands: LinearOperands,
  gradients: Gradients,
): void {
  const { x, weight, dOut } = operands;
  const dX = gradients.into(x);
  if (dX) recordMatmul(graph, { layout: 'nn', m, n: k, k: n }, { a: dOut, b: weight, out: dX.out }, dX.accumulate);
  recordParameterGradients(graph, { m, n, k }, operands, gradients);
}

/** Appends dW = dOutᵀ·x and, in the same pass over dOut, db = Σ_m dOut[m]. */
export function recordParameterGradients(
  graph: Graph,
  { m, n, k }: { readonly m: number; readonly n: number; readonly k: number },
  { x, weight, bias, dOut }: LinearOperands,
  gradients: Gradients,
): void {
  const dWeight = gradients.into(weight);
  const dBias = bias && gradients.into(bias);
  if (!dWeight && !dBias) return;
  const out = dWeight?.out ?? graph.empty('unused gradient', [n, k]);
  const shape = { layout: 'tn', m: n, n: k, k: m } as const;
  recordMatmul(
    graph,
    shape,
    { a: dOut, b: x, out },
    dWeight?.accumulate ?? false,
    dBias && k > 0 ? { rowSums: dBias } : {},
  );
  // A product without elements makes no pass over dOut.
  if (dBias && k === 0) recordSplitKReduce(graph, { ...dBias, partials: dOut, splits: m });
}
