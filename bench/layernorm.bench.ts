import { backward, forward, type Inputs } from '../kernels-test/layernorm.reference';
import { layernorm } from '../src/ops/layernorm';
import type { BenchCase, BenchSuite } from './bench';
import { asRowsOf, sampleRows, takeRows } from './sampled';

function layernormCase(rows: number, width: number, both: boolean): BenchCase {
  const checked = sampleRows(rows, Math.ceil(2 ** 20 / width));
  return {
    name: `${rows}×${width} ${both ? 'forward and backward' : 'forward'}`,
    inputs: { x: [rows, width], gamma: [width], beta: [width] },
    operation: (graph, { x, gamma, beta }) => (x && gamma && beta ? { y: layernorm(graph, x, gamma, beta) } : {}),
    forward: (inputs: Inputs) => asRowsOf(forward({ ...inputs, x: takeRows(inputs.x, checked) }), checked),
    ...(both ? { backward } : {}),
    flops: rows * width * (both ? 24 : 8),
    bytes: rows * width * 4 * (both ? 5 : 2),
  };
}

export default {
  kernel: 'layernorm',
  cases: [
    layernormCase(1088, 192, false),
    layernormCase(1088, 192, true),
    layernormCase(416, 64, true),
    layernormCase(16_640, 192, true),
    layernormCase(25_216, 512, false),
    layernormCase(3152, 768, true),
    layernormCase(1001, 33, true),
  ],
} satisfies BenchSuite;
