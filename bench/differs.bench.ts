import { recordFill } from '../src/ops/stridedCopy';
import { findDifference } from '../src/tensor/kernelComparison';
import type { BenchCase, BenchSuite } from './bench';

function differsCase(count: number): BenchCase {
  return {
    name: `${count} elements`,
    inputs: { x: [count], reference: [count], moved: [count] },
    operation: ({ x, reference, moved }, graph) => {
      if (!x || !reference || !moved) return {};
      const found = graph.empty('found', [8], 'u32');
      recordFill(graph, found, 0);
      graph.dispatch(findDifference(x, { reference, moved, shift: 1, unit: 4 }, { found, at: 0 }));
      return { found };
    },
    forward: () => ({ found: { shape: [8], data: new Float64Array(8) } }), // numbers from −1 to 1 are within 4 times the largest
    flops: 4 * count,
    bytes: 20 * count, // reference and x twice, moved once
  };
}

export default {
  kernel: 'differs',
  cases: [differsCase(1 << 18), differsCase(1 << 22)],
} satisfies BenchSuite;
