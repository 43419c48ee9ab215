import type { References } from '../kernels-test/allclose';
import { backward, forward, huberReference, type Inputs } from '../kernels-test/losses.reference';
import { huber } from '../src/ops/losses';
import type { BenchCase, BenchSuite } from './bench';

/** Forward and backward of one function: the others read and write as much. */
function huberCase(reduction: 'mean' | 'none', shape: readonly number[]): BenchCase {
  const size = shape.reduce((product, extent) => product * extent, 1);
  const stated = { reference: huberReference(1), scale: reduction === 'mean' ? 1 / size : undefined, weight: () => 1 };
  return {
    name: `huber of ${shape.join('×')}, ${reduction}`,
    inputs: { prediction: shape, target: shape },
    operation: ({ prediction, target }) =>
      prediction && target ? { y: huber(prediction, target, { reduction }) } : {},
    forward: (inputs: Inputs) => forward(stated, inputs),
    backward: (inputs: Inputs, dOutputs: References) => backward(stated, inputs, dOutputs),
    flops: size * 10,
    // Both operands twice, both gradients; of each element also its loss and what comes back.
    bytes: size * 4 * (reduction === 'mean' ? 8 : 11),
  };
}

export default {
  kernel: 'losses',
  cases: [huberCase('mean', [64, 3, 64, 64]), huberCase('none', [64, 3, 64, 64])],
} satisfies BenchSuite;
