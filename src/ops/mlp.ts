import { graphOf } from '../tensor/graph';
import { matchShape, rowsOf } from '../tensor/shape';
import type { Tensor } from '../tensor/tensor';
import { recordLinearBackward, recordParameterGradients } from './linear';
import { recordMatmul } from './matmul';

export interface MlpOperands {
  /** [F, D] */
  readonly weight1: Tensor;
  /** [F] */
  readonly bias1: Tensor;
  /** [D, F] */
  readonly weight2: Tensor;
  /** [D] */
  readonly bias2: Tensor;
  /** [..., D], added where it is given */
  readonly residual?: Tensor;
}

/**
 * W2·gelu(W1·x + b1) + b2, plus a residual where given: the MLP of a transformer block. One operation, so that GELU and its derivative
 * happen on the way out of the matrix products.
 *
 * @param x [..., D]
 * @throws EngineError `bad-shape`
 */
export function mlp(x: Tensor, operands: MlpOperands): Tensor {
  const graph = graphOf(
    'mlp',
    x,
    operands.weight1,
    operands.bias1,
    operands.weight2,
    operands.bias2,
    operands.residual,
  );
  const { weight1, bias1, weight2, bias2, residual } = operands;
  const { rows: m, width: d } = rowsOf(x.shape);
  const { f } = matchShape('mlp', 'weight1', weight1.shape, ['f', 'd'], { d });
  matchShape('mlp', 'bias1', bias1.shape, [f]);
  matchShape('mlp', 'weight2', weight2.shape, [d, f]);
  matchShape('mlp', 'bias2', bias2.shape, [d]);
  if (residual) matchShape('mlp', 'residual', residual.shape, x.shape);
  const requiresGrad = [x, weight1, bias1, weight2, bias2, residual].some((input) => input?.requiresGrad);

  const pre = graph.empty('mlp pre', [m, f], graph.precision);
  const hidden = graph.empty('mlp hidden', [m, f], graph.precision);
  const out = graph.empty('mlp', x.shape, 'f32', requiresGrad);
  const up = { layout: 'nt', m, n: f, k: d } as const;
  const down = { layout: 'nt', m, n: d, k: f } as const;
  recordMatmul(graph, up, { a: x, b: weight1, out: hidden }, false, { bias: bias1, gelu: pre });
  recordMatmul(graph, down, { a: hidden, b: weight2, out }, false, { bias: bias2, ...(residual ? { residual } : {}) });
  graph.record('mlp', [out], (gradients) => {
    const dOut = gradients.of(out);
    if (!dOut) return;
    recordParameterGradients(graph, { m, n: d, k: f }, { x: hidden, weight: weight2, bias: bias2, dOut }, gradients);
    const dPre = graph.empty('d mlp pre', [m, f], graph.precision);
    const back = { layout: 'nn', m, n: f, k: d } as const;
    recordMatmul(graph, back, { a: dOut, b: weight2, out: dPre }, false, { geluGradient: pre });
    recordLinearBackward(graph, { m, n: f, k: d }, { x, weight: weight1, bias: bias1, dOut: dPre }, gradients);
    if (residual) gradients.pass(residual, dOut);
  });
  return out;
}
