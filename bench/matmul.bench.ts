import { forward, type Inputs } from '../kernels-test/matmul.reference';
import { matmul } from '../src/ops/matmul';
import type { MatmulLayout } from '../src/ops/matmulPlan';
import type { BenchCase, BenchSuite } from './bench';
import { asRows, sampleRows, takeColumns, takeRows } from './rowSampling';

/** Products that a reference may take. */
const CHECKED = 3e7;
/** The default is for sums of some hundreds of terms; the error of longer ones grows by the root of their length. */
const toleranceOf = (k: number): number => 2e-6 * Math.max(1, Math.sqrt(k / 1024));

function matmulCase(layout: MatmulLayout, m: number, n: number, k: number): BenchCase {
  const rows = sampleRows(m, Math.max(8, Math.floor(CHECKED / n / k)));
  return {
    name: `${layout} ${m}×${n}×${k}`,
    inputs: { a: layout === 'tn' ? [k, m] : [m, k], b: layout === 'nt' ? [n, k] : [k, n] },
    operation: ({ a, b }) => (a && b ? { c: matmul(a, b, layout) } : {}),
    forward: ({ a, b }: Inputs) => {
      const { c } = forward(layout, { a: layout === 'tn' ? takeColumns(a, rows) : takeRows(a, rows), b });
      return { c: asRows(c, rows) };
    },
    flops: 2 * m * n * k,
    bytes: 4 * (m * k + k * n + m * n),
    tolerance: toleranceOf(k),
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
    // demo; cifar with 16 samples of 17 and 65 tokens, then with 64 of 17, with 512, and with 512 of 65.
    ...layerCases(416, 192, 64),
    ...layerCases(416, 256, 64),
    ...layerCases(312, 144, 48),
    ...layerCases(312, 48, 48),
    matmulCase('nt', 312, 48, 192),
    ...layerCases(272, 576, 192),
    ...layerCases(1040, 768, 192),
    ...layerCases(1088, 576, 192),
    matmulCase('nt', 1088, 192, 192),
    matmulCase('nt', 1088, 768, 192),
    matmulCase('nt', 1088, 192, 768),
    ...layerCases(8704, 576, 192),
    ...layerCases(33_280, 768, 192),
    // vit-b with one sample of 197 tokens, then with 16.
    ...layerCases(197, 2304, 768),
    ...layerCases(3152, 2304, 768),
    matmulCase('nt', 3152, 768, 768),
    matmulCase('nt', 3152, 3072, 768),
    matmulCase('nt', 3152, 768, 3072),
    ...[256, 512, 1024, 2048].map((side) => matmulCase('nn', side, side, side)),
    ...layerCases(1001, 65, 33),
  ],
} satisfies BenchSuite;
