import { forward } from '../kernels-test/layernorm.reference';
import { layernorm } from '../src/ops/layernorm';
import type { BenchCase, BenchSuite } from './bench';

function layernormCase(rows: number, width: number, backward: boolean): BenchCase {
  return {
    name: `${rows}×${width} ${backward ? 'forward and backward' : 'forward'}`,
    inputs: { x: [rows, width], gamma: [width], beta: [width] },
    operation: (graph, { x, gamma, beta }) => (x && gamma && beta ? { y: layernorm(graph, x, gamma, beta) } : {}),
    forward,
    backward,
    flops: rows * width * (backward ? 24 : 8),
    bytes: rows * width * 4 * (backward ? 5 : 2),
  };
}

export default {
  kernel: 'layernorm',
  cases: [
    layernormCase(1088, 192, false),
    layernormCase(1088, 192, true),
    layernormCase(3152, 768, true),
    layernormCase(1001, 33, true),
  ],
} satisfies BenchSuite;
