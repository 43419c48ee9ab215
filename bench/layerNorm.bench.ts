import { backward, forward, type Inputs } from '../kernels-test/layerNorm.reference';
import { layerNorm } from '../src/ops/layerNorm';
import type { BenchCase, BenchSuite } from './bench';
import { asRowsOf, sampleRows, takeRows } from './rowSampling';

function layerNormCase(rows: number, width: number, both: boolean): BenchCase {
  const checked = sampleRows(rows, Math.ceil(2 ** 20 / width));
  return {
    name: `${rows}×${width} ${both ? 'forward and backward' : 'forward'}`,
    inputs: { x: [rows, width], gamma: [width], beta: [width] },
    operation: ({ x, gamma, beta }) => (x && gamma && beta ? { y: layerNorm(x, gamma, beta) } : {}),
    forward: (inputs: Inputs) => asRowsOf(forward({ ...inputs, x: takeRows(inputs.x, checked) }), checked),
    ...(both ? { backward } : {}),
    flops: rows * width * (both ? 24 : 8),
    bytes: rows * width * 4 * (both ? 5 : 2),
  };
}

export default {
  kernel: 'layerNorm',
  cases: [
    layerNormCase(1088, 192, false),
    layerNormCase(1088, 192, true),
    layerNormCase(416, 64, true),
    layerNormCase(16_640, 192, true),
    layerNormCase(25_216, 512, false),
    layerNormCase(3152, 768, true),
    layerNormCase(1001, 33, true),
  ],
} satisfies BenchSuite;
