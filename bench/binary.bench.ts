import { backward, binaryReferences, forward, type Inputs } from '../kernels-test/binary.reference';
import { mul } from '../src/ops/binary';
import type { BenchCase, BenchSuite } from './bench';

function mulCase(a: readonly number[], b: readonly number[]): BenchCase {
  const size = a.reduce((product, extent) => product * extent, 1);
  return {
    name: `mul ${a.join('×')} by ${b.join('×')} forward and backward`,
    inputs: { a, b },
    operation: (inputs) => (inputs['a'] && inputs['b'] ? { y: mul(inputs['a'], inputs['b']) } : {}),
    forward: (inputs: Inputs) => forward(binaryReferences.mul, inputs),
    backward: (inputs: Inputs, dOutputs) => backward(binaryReferences.mul, inputs, dOutputs),
    flops: size * 4,
    // Both operands and the result; dy and the other operand for each gradient, and the gradients.
    bytes: size * 4 * 7,
  };
}

export default {
  kernel: 'binary',
  cases: [
    mulCase([520, 768], [520, 768]),
    mulCase([520, 768], [768]),
    mulCase([520, 768], [520, 1]),
    mulCase([1001, 33], [33]),
  ],
} satisfies BenchSuite;
