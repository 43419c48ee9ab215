import { backward, EPS, forward } from '../kernels-test/batchNorm.reference';
import { batchNorm } from '../src/ops/batchNorm';
import { addInPlace } from '../src/tensor/accumulate';
import type { BenchCase, BenchSuite } from './bench';

/** Training, forward and backward. */
function batchNormCase(rows: number, width: number): BenchCase {
  const running = Float32Array.from({ length: 2 * width }, (_, i) => (i < width ? 0 : 1));
  return {
    name: `${rows}×${width}`,
    inputs: { x: [rows, width] },
    operation: ({ x }, graph) => {
      if (!x) return {};
      const statistics = graph.empty('running', [2, width]);
      addInPlace(graph, statistics, graph.input('given', [2, width], 'f32', running), false);
      return { y: batchNorm(x, statistics, { training: true, eps: EPS }) };
    },
    forward,
    backward,
    flops: rows * width * 18,
    bytes: rows * width * 4 * 7,
    tolerance: 5e-6,
  };
}

export default {
  kernel: 'batchNorm',
  cases: [batchNormCase(256, 192), batchNormCase(1024, 768), batchNormCase(256, 3072)],
} satisfies BenchSuite;
