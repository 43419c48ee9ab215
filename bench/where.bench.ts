import { backward, forward, type Inputs } from '../kernels-test/where.reference';
import { where } from '../src/ops/where';
import type { BenchCase, BenchSuite } from './bench';

function whereCase(a: readonly number[], b: readonly number[]): BenchCase {
  const size = a.reduce((product, extent) => product * extent, 1);
  const condition = { shape: [a[0] ?? 1, 1], data: Float64Array.from({ length: a[0] ?? 1 }, (_, row) => row % 2) };
  return {
    name: `rows of ${a.join('×')} or ${b.join('×')} forward and backward`,
    inputs: { a, b },
    operation: ({ a: first, b: second }, graph) => {
      if (!first || !second) return {};
      const given = graph.input('condition', condition.shape, 'u32', Uint32Array.from(condition.data));
      return { y: where(given, first, second) };
    },
    forward: (inputs: Inputs) => forward(condition, inputs, a),
    backward: (inputs: Inputs, dOutputs) => backward(condition, inputs, dOutputs),
    flops: 0,
    // Both operands and the result; dy and a gradient, twice.
    bytes: size * 4 * 7,
  };
}

export default {
  kernel: 'where',
  cases: [whereCase([520, 768], [520, 768]), whereCase([520, 768], [768]), whereCase([1001, 33], [33])],
} satisfies BenchSuite;
