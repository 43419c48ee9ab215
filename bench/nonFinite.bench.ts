import { recordFill } from '../src/ops/stridedCopy';
import { findNonFinite } from '../src/tensor/numberChecks';
import type { BenchCase, BenchSuite } from './bench';

function nonFiniteCase(count: number): BenchCase {
  return {
    name: `${count} elements`,
    inputs: { x: [count] },
    operation: ({ x }, graph) => {
      if (!x) return {};
      const found = graph.empty('found', [8], 'u32');
      recordFill(graph, found, 0);
      graph.dispatch(findNonFinite(x, { found, at: 0 }));
      return { found };
    },
    forward: () => ({ found: { shape: [8], data: new Float64Array(8) } }),
    flops: count,
    bytes: count * 4,
  };
}

export default {
  kernel: 'nonFinite',
  cases: [nonFiniteCase(1 << 18), nonFiniteCase(1 << 22)],
} satisfies BenchSuite;
