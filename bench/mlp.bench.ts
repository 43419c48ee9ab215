import { forward } from '../kernels-test/mlp.reference';
import { mlp } from '../src/ops/mlp';
import type { BenchCase, BenchSuite } from './bench';

function mlpCase(rows: number, d: number, f: number, backward: boolean): BenchCase {
  return {
    name: `${rows}×${d}, ${f} hidden ${backward ? 'forward and backward' : 'forward'}`,
    inputs: { x: [rows, d], weight1: [f, d], bias1: [f], weight2: [d, f], bias2: [d], residual: [rows, d] },
    operation: (graph, { x, weight1, bias1, weight2, bias2, residual }) =>
      x && weight1 && bias1 && weight2 && bias2 && residual
        ? { y: mlp(graph, x, { weight1, bias1, weight2, bias2, residual }) }
        : {},
    forward,
    backward,
    flops: 4 * rows * d * f * (backward ? 3 : 1),
    bytes: 4 * (3 * rows * d + 2 * rows * f + 2 * d * f) * (backward ? 3 : 1),
  };
}

export default {
  kernel: 'mlp',
  cases: [
    mlpCase(272, 192, 768, false),
    mlpCase(272, 192, 768, true),
    mlpCase(1040, 192, 768, true),
    mlpCase(197, 768, 3072, true),
    mlpCase(1001, 33, 65, true),
  ],
} satisfies BenchSuite;
