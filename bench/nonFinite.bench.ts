import { FiniteChecks } from '../src/tensor/finiteChecks';
import type { BenchCase, BenchSuite } from './bench';

function nonFiniteCase(count: number): BenchCase {
  return {
    name: `${count} elements`,
    inputs: { x: [count] },
    operation: ({ x }, graph) => {
      const checks = new FiniteChecks(graph.engine);
      const look = x && checks.look(x, 'an input');
      if (!look) return {};
      graph.dispatch(look);
      return { found: checks.found.reshape([checks.found.size]) };
    },
    forward: () => ({ found: { shape: [2 ** 16], data: new Float64Array(2 ** 16) } }),
    flops: count,
    bytes: count * 4,
  };
}

export default {
  kernel: 'nonFinite',
  cases: [nonFiniteCase(1 << 18), nonFiniteCase(1 << 22)],
} satisfies BenchSuite;
