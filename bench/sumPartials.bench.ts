import type { Reference } from '../kernels-test/compare';
import { rowsSum } from '../kernels-test/sumPartials.reference';
import { recordSumPartials } from '../src/ops/sumPartials';
import type { BenchCase, BenchSuite } from './bench';

function sumPartialsCase(splits: number, width: number): BenchCase {
  return {
    name: `${splits} splits of ${width}`,
    inputs: { partials: [splits, width] },
    operation: (graph, { partials }) => {
      if (!partials) return {};
      const sum = graph.empty('sum', [width]);
      recordSumPartials(graph, splits, { partials, out: sum, accumulate: false });
      return { sum };
    },
    forward: ({ partials }: { partials: Reference }) => ({ sum: rowsSum(partials) }),
    flops: splits * width,
    bytes: (splits + 1) * width * 4,
  };
}

export default {
  kernel: 'sumPartials',
  cases: [sumPartialsCase(8, 192 * 576), sumPartialsCase(4, 768 * 768), sumPartialsCase(24, 2304), sumPartialsCase(7, 33 * 65)],
} satisfies BenchSuite;
