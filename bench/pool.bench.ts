import { backward, forward } from '../kernels-test/pool.reference';
import { pool } from '../src/ops/pool';
import type { BenchCase, BenchSuite } from './bench';

/** The mean of the patches, forward and backward. */
function poolCase(samples: number, tokens: number, dim: number): BenchCase {
  const which = { first: 1, count: tokens - 1 };
  const shape = [samples, tokens, dim];
  return {
    name: shape.join('×'),
    inputs: { x: shape },
    operation: (graph, { x }) => (x ? { y: pool(graph, x, which) } : {}),
    forward: (inputs: never) => forward(inputs, which),
    backward: (inputs: never, dOutputs) => backward(inputs, dOutputs, which),
    flops: samples * tokens * dim * 2,
    bytes: samples * tokens * dim * 4 * 2,
  };
}

export default { kernel: 'pool', cases: [poolCase(64, 65, 192), poolCase(64, 197, 768)] } satisfies BenchSuite;
