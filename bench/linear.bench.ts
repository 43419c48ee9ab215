import { forward } from '../kernels-test/linear.reference';
import { linear } from '../src/ops/linear';
import type { BenchCase, BenchSuite } from './bench';

function linearCase(rows: number, n: number, k: number, backward: boolean): BenchCase {
  return {
    name: `${rows}×${k} → ${n} ${backward ? 'forward and backward' : 'forward'}`,
    inputs: { x: [rows, k], weight: [n, k], bias: [n] },
    operation: (graph, { x, weight, bias }) => (x && weight && bias ? { y: linear(graph, x, weight, bias) } : {}),
    forward,
    backward,
    flops: 2 * rows * n * k * (backward ? 3 : 1),
    bytes: 4 * (rows * k + n * k + rows * n) * (backward ? 3 : 1),
  };
}

export default {
  kernel: 'linear',
  cases: [
    linearCase(272, 576, 192, false),
    linearCase(272, 576, 192, true),
    linearCase(1040, 192, 192, true),
    linearCase(197, 2304, 768, true),
    linearCase(1001, 65, 33, true),
  ],
} satisfies BenchSuite;
