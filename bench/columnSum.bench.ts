import { columnSum } from '../kernels-test/columnSum.reference';
import type { Reference } from '../kernels-test/compare';
import { recordColumnSum } from '../src/ops/columnSum';
import type { BenchCase, BenchSuite } from './bench';

function columnSumCase(rows: number, width: number): BenchCase {
  return {
    name: `${rows}×${width}`,
    inputs: { x: [rows, width] },
    operation: (graph, { x }) => {
      if (!x) return {};
      const sum = graph.empty('sum', [width]);
      recordColumnSum(graph, x, { rows, width }, { out: sum, accumulate: false });
      return { sum };
    },
    forward: ({ x }: { x: Reference }) => ({ sum: columnSum(x) }),
    flops: rows * width,
    bytes: rows * width * 4,
  };
}

export default {
  kernel: 'columnSum',
  cases: [columnSumCase(272, 192), columnSumCase(1040, 768), columnSumCase(3152, 3072), columnSumCase(1001, 33)],
} satisfies BenchSuite;
