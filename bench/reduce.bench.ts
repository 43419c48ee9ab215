import { mean, sum, sumBackward } from '../kernels-test/reduce.reference';
import type { Reference, References } from '../kernels-test/allclose';
import * as ops from '../src/ops/reduce';
import type { BenchCase, BenchSuite } from './bench';

/** Terms of either sign cancel. */
const TOLERANCE = 1e-4;

const sumCase = (size: number): BenchCase => ({
  name: `sum of ${size}`,
  inputs: { x: [size] },
  operation: ({ x }) => (x ? { y: ops.sum(x) } : {}),
  forward: ({ x }: { x: Reference }) => ({ y: sum(x) }),
  flops: size,
  bytes: size * 4,
  tolerance: TOLERANCE,
});

const meanCase = (size: number): BenchCase => ({
  name: `mean of ${size}, forward and backward`,
  inputs: { x: [size] },
  operation: ({ x }) => (x ? { y: ops.mean(x) } : {}),
  forward: ({ x }: { x: Reference }) => ({ y: mean(x) }),
  backward: ({ x }: { x: Reference }, { y }: References) => ({ x: sumBackward(x, y, 1 / size) }),
  flops: size,
  bytes: size * 4 * 2,
  tolerance: TOLERANCE,
});

export default {
  kernel: 'reduce',
  cases: [sumCase(4096), sumCase(2 ** 20), sumCase(2 ** 24), meanCase(2 ** 20)],
} satisfies BenchSuite;
