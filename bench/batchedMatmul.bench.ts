import { backward, forward, type Inputs } from '../kernels-test/batchedMatmul.reference';
import { matmul } from '../src/ops/matmul';
import type { MatmulLayout } from '../src/ops/matmulPlan';
import type { BenchCase, BenchSuite } from './bench';

/** A stack of `batches` products [m, k]·[k, n]. */
function stackCase(layout: MatmulLayout, batches: number, [m, n, k]: readonly [number, number, number]): BenchCase {
  return {
    name: `${layout} ${batches} × ${m}×${n}×${k} forward and backward`,
    inputs: {
      a: layout === 'tn' ? [batches, k, m] : [batches, m, k],
      b: layout === 'nt' ? [batches, n, k] : [batches, k, n],
    },
    operation: ({ a, b }) => (a && b ? { c: matmul(a, b, layout) } : {}),
    forward: (inputs: Inputs) => forward(layout, inputs),
    backward: (inputs: Inputs, dOutputs) => backward(layout, inputs, dOutputs),
    flops: 6 * batches * m * n * k,
    bytes: 12 * batches * (m * k + k * n + m * n),
  };
}

export default {
  kernel: 'batchedMatmul',
  cases: [
    // Scores and values of attention: 16 samples of 4 heads, then 8 of 12.
    stackCase('nt', 64, [64, 64, 32]),
    stackCase('nn', 64, [64, 32, 64]),
    stackCase('nt', 96, [197, 197, 64]),
    stackCase('nn', 32, [65, 33, 17]),
  ],
} satisfies BenchSuite;
