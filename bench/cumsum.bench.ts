import { backward, forward } from '../kernels-test/cumsum.reference';
import { cumsum } from '../src/ops/cumsum';
import { sizeOf, type Shape } from '../src/tensor/shape';
import type { BenchCase, BenchSuite } from './bench';

/** Forward and backward. */
const cumsumCase = (shape: Shape, axis: number): BenchCase => ({
  name: `${shape.join('×')} along axis ${axis}`,
  inputs: { x: [...shape] },
  operation: ({ x }) => (x ? { y: cumsum(x, axis) } : {}),
  forward: forward(axis),
  backward: backward(axis),
  flops: 2 * sizeOf(shape),
  bytes: 2 * 2 * 4 * sizeOf(shape),
});

export default {
  kernel: 'cumsum',
  cases: [cumsumCase([1_000_000], 0), cumsumCase([1001, 257], 1), cumsumCase([257, 1001], 0)],
} satisfies BenchSuite;
