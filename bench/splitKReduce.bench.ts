import type { Reference } from '../kernels-test/allclose';
import { rowsSum } from '../kernels-test/splitKReduce.reference';
import { recordSplitKReduce } from '../src/ops/splitKReduce';
import type { BenchCase, BenchSuite } from './bench';

function splitKReduceCase(splits: number, width: number): BenchCase {
  return {
    name: `${splits} splits of ${width}`,
    inputs: { partials: [splits, width] },
    operation: ({ partials }, graph) => {
      if (!partials) return {};
      const sum = graph.empty('sum', [width]);
      recordSplitKReduce(graph, { partials, splits, out: sum, accumulate: false });
      return { sum };
    },
    forward: ({ partials }: { partials: Reference }) => ({ sum: rowsSum(partials) }),
    flops: splits * width,
    bytes: (splits + 1) * width * 4,
  };
}

export default {
  kernel: 'splitKReduce',
  cases: [
    splitKReduceCase(8, 192 * 576),
    splitKReduceCase(4, 768 * 768),
    splitKReduceCase(24, 2304),
    splitKReduceCase(7, 33 * 65),
  ],
} satisfies BenchSuite;
