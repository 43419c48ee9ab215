import type { Reference, References } from '../kernels-test/allclose';
import { alongAxis, backward, forward, toRows, type Inputs } from '../kernels-test/softmax.reference';
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

/** Along the first axis of [width, rows]. */
const columnCase = (rows: number, width: number): BenchCase => ({
  ...softmaxCase(rows, width),
  name: `columns of ${width}×${rows}`,
  inputs: { x: [width, rows] },
  operation: ({ x }) => (x ? { y: softmax(x, 0) } : {}),
  forward: ({ x }: Inputs) => ({ y: alongAxis(x, 0, (columns) => forward({ x: columns }).y) }),
  backward: ({ x }: Inputs, { y }: References) => ({
    x: alongAxis(x, 0, (columns) => backward({ x: columns }, { y: toRows(y as Reference, 0) }).x),
  }),
});

export default {
  kernel: 'softmax',
  cases: [softmaxCase(12 * 257, 257), softmaxCase(4096, 65), softmaxCase(1001, 33), columnCase(1001, 257)],
} satisfies BenchSuite;
