import { backward, EPS, forward } from '../kernels-test/batchNorm.reference';
import { batchNorm } from '../src/ops/batchNorm';
import { addInPlace } from '../src/tensor/accumulate';
import type { BenchCase, BenchSuite } from './bench';

/** Training, forward and backward. */
function batchNormCase(rows: number, width: number): BenchCase {
  return {
    name: `${rows}×${width}`,
    inputs: { x: [rows, width] },
    operation: ({ x }, graph) => {
      if (!x) return {};
      const [runningMean, runningVar] = [0, 1].map((value) => {
        const statistics = graph.empty('running', [width]);
        addInPlace(graph, statistics, graph.input('given', [width], 'f32', new Float32Array(width).fill(value)), false);
        return statistics;
      });
      if (!runningMean || !runningVar) return {};
      return { y: batchNorm(x, { runningMean, runningVar }, { training: true, eps: EPS }) };
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
