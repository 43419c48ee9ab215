import { random, type References } from '../kernels-test/allclose';
import { backward, forward, type Inputs } from '../kernels-test/latentMse.reference';
import { latentMse } from '../src/ops/latentMse';
import type { BenchCase, BenchSuite } from './bench';

/** Two branches, forward and backward. */
function latentMseCase(batch: number, tokens: number, width: number): BenchCase {
  const shape = [2 * batch, tokens, width];
  const size = 2 * batch * tokens * width;
  const target = random(shape, 2);
  const targetData = Float32Array.from(target.data);
  return {
    name: `2·${batch}×${tokens}×${width}`,
    inputs: { z: shape },
    operation: ({ z }, graph) => (z ? { loss: latentMse(z, graph.input('target', shape, 'f32', targetData), 2) } : {}),
    forward: (inputs: Inputs) => forward(inputs, target, 2),
    backward: (inputs: Inputs, dOutputs: References) => backward(inputs, target, 2, dOutputs),
    flops: size * 5,
    bytes: size * 4 * 5,
  };
}

export default {
  kernel: 'latentMse',
  cases: [
    latentMseCase(32, 65, 192),
    latentMseCase(512, 17, 192),
    latentMseCase(16, 50, 512),
    latentMseCase(7, 17, 33),
  ],
} satisfies BenchSuite;
