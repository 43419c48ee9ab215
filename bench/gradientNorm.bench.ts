import { random } from '../kernels-test/allclose';
import type { Graph } from '../src/tensor/graph';
import type { DeviceBuffer } from '../src/gpu/pool';
import { gradientNorm } from '../src/optim/gradientNorm';
import type { BenchCase, BenchSuite } from './bench';

function gradientNormCase(count: number): BenchCase {
  const { data } = random([count], 1);
  let arena: { readonly graph: Graph; readonly gradients: DeviceBuffer } | undefined;
  /** The arena of a graph; that of the graph before is not used any more. */
  const arenaOf = (graph: Graph): DeviceBuffer => {
    if (arena?.graph !== graph) {
      if (arena) arena.graph.engine.pool.release(arena.gradients);
      arena = { graph, gradients: graph.engine.allocate(count * 4, 'gradients', Float32Array.from(data)) };
    }
    return arena.gradients;
  };
  return {
    name: `${count} elements`,
    inputs: {},
    operation: (_, graph) => ({ result: gradientNorm(graph, [{ gradients: arenaOf(graph), size: count * 4 }], 1) }),
    forward: () => {
      const norm = Math.sqrt(data.reduce((sum, x) => sum + x * x, 0));
      return { result: { shape: [2], data: Float64Array.of(norm, Math.min(1, 1 / (norm + 1e-6))) } };
    },
    flops: 2 * count,
    bytes: count * 4,
  };
}

export default {
  kernel: 'gradientNorm',
  cases: [gradientNormCase(1 << 18), gradientNormCase(1 << 22), gradientNormCase(1 << 24)],
} satisfies BenchSuite;
