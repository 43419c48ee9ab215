import { backward, forward } from '../kernels-test/meanPool.reference';
import { meanPool } from '../src/ops/meanPool';
import type { BenchCase, BenchSuite } from './bench';

/** The mean of the patches, forward and backward. */
function meanPoolCase(samples: number, tokens: number, dim: number): BenchCase {
  const which = { first: 1, count: tokens - 1 };
  const shape = [samples, tokens, dim];
  return {
    name: shape.join('×'),
    inputs: { x: shape },
    operation: ({ x }) => (x ? { y: meanPool(x, which) } : {}),
    forward: (inputs: never) => forward(inputs, which),
    backward: (inputs: never, dOutputs) => backward(inputs, dOutputs, which),
    flops: samples * tokens * dim * 2,
    bytes: samples * tokens * dim * 4 * 2,
  };
}

export default {
  kernel: 'meanPool',
  cases: [meanPoolCase(64, 65, 192), meanPoolCase(64, 197, 768)],
} satisfies BenchSuite;
