import { forward, type Inputs } from '../kernels-test/matmul.reference';
import { matmul } from '../src/ops/matmul';
import type { MatmulLayout } from '../src/ops/matmulPlan';
import type { BenchCase, BenchSuite } from './bench';

function matmulCase(layout: MatmulLayout, m: number, n: number, k: number): BenchCase {
  return {
    name: `${layout} ${m}×${n}×${k}`,
    inputs: { a: layout === 'tn' ? [k, m] : [m, k], b: layout === 'nt' ? [n, k] : [k, n] },
    operation: (graph, { a, b }) => (a && b ? { c: matmul(graph, a, b, layout) } : {}),
    forward: (inputs: Inputs) => forward(layout, inputs),
    flops: 2 * m * n * k,
    bytes: 4 * (m * k + k * n + m * n),
  };
}

/** A linear layer of `rows` tokens: itself, and the gradients of its input and its weight. */
function layerCases(rows: number, outputs: number, inputs: number): BenchCase[] {
  return [
    matmulCase('nt', rows, outputs, inputs),
    matmulCase('nn', rows, inputs, outputs),
    matmulCase('tn', outputs, inputs, rows),
  ];
}

export default {
  kernel: 'matmul',
  cases: [
    ...layerCases(272, 576, 192),
    ...layerCases(1040, 768, 192),
    ...layerCases(197, 2304, 768),
    ...layerCases(1001, 65, 33),
  ],
} satisfies BenchSuite;
