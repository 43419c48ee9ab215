import { backward, forward } from '../kernels-test/softmax.reference';
import { softmax } from '../src/ops/softmax';
import type { BenchCase, BenchSuite } from './bench';

/** Forward and backward. */
const softmaxCase = (rows: number, width: number): BenchCase => ({
  name: `${rows}×${width}`,
  inputs: { x: [rows, width] },
  operation: ({ x }) => (x ? { y: softmax(x) } : {}),
  forward,
  backward,
  flops: rows * width * 8,
  bytes: rows * width * 4 * 5,
  tolerance: 4e-6,
});

export default {
  kernel: 'softmax',
  cases: [softmaxCase(12 * 257, 257), softmaxCase(4096, 65), softmaxCase(1001, 33)],
} satisfies BenchSuite;
