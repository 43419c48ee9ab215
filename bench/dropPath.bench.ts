import { backward, forward } from '../kernels-test/dropPath.reference';
import { dropPath } from '../src/ops/dropPath';
import type { BenchCase, BenchSuite } from './bench';

/** Forward and backward. */
function dropPathCase(samples: number, tokens: number, dim: number): BenchCase {
  const shape = [samples, tokens, dim];
  const scales = Array.from({ length: samples }, (_, sample) => (sample % 4 === 0 ? 0 : 4 / 3));
  return {
    name: shape.join('×'),
    inputs: { x: shape, branch: shape },
    operation: ({ x, branch }, graph) => {
      if (!x || !branch) return {};
      const table = graph.input('scales', [1, samples], 'f32', Float32Array.from(scales));
      return { y: dropPath(x, branch, { scales: table, row: 0 }) };
    },
    forward: (inputs: never) => forward(inputs, scales),
    backward: (inputs: never, dOutputs) => backward(inputs, dOutputs, scales),
    flops: samples * tokens * dim * 3,
    bytes: samples * tokens * dim * 4 * 6,
  };
}

export default {
  kernel: 'dropPath',
  cases: [dropPathCase(64, 65, 192), dropPathCase(64, 197, 768)],
} satisfies BenchSuite;
