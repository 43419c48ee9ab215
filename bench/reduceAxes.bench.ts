import type { References } from '../kernels-test/allclose';
import {
  backward,
  forward,
  reductionReferences,
  varianceReference,
  type Inputs,
  type ReductionReference,
} from '../kernels-test/reduceAxes.reference';
import { sum } from '../src/ops/reduce';
import { logSumExp, max, variance } from '../src/ops/reductions';
import type { BenchCase, BenchSuite } from './bench';

const OPERATIONS = {
  sum: { operation: sum, reference: reductionReferences.sum, passes: 1 },
  max: { operation: max, reference: reductionReferences.max, passes: 1 },
  logSumExp: { operation: logSumExp, reference: reductionReferences.logSumExp, passes: 2 },
  variance: { operation: variance, reference: varianceReference(1), passes: 2 },
} satisfies Record<string, { operation: unknown; reference: ReductionReference; passes: number }>;

function reductionCase(name: keyof typeof OPERATIONS, shape: readonly number[], axes: readonly number[]): BenchCase {
  const { operation, reference, passes } = OPERATIONS[name];
  const stated = { reference, axes, shape: shape.filter((_, axis) => !axes.includes(axis)) };
  const size = shape.reduce((product, extent) => product * extent, 1);
  return {
    name: `${name} of ${shape.join('×')} over ${axes.join(', ')}`,
    inputs: { x: shape },
    operation: ({ x }) => (x ? { y: operation(x, axes) } : {}),
    forward: (inputs: Inputs) => forward(stated, inputs),
    flops: size * passes,
    bytes: size * passes * 4,
    tolerance: 1e-4,
  };
}

/** Forward and backward. */
function gradientCase(shape: readonly number[], axes: readonly number[]): BenchCase {
  const once = reductionCase('variance', shape, axes);
  const stated = { reference: varianceReference(1), axes, shape: shape.filter((_, axis) => !axes.includes(axis)) };
  return {
    ...once,
    name: `${once.name}, forward and backward`,
    backward: (inputs: Inputs, dOutputs: References) => backward(stated, inputs, dOutputs),
    bytes: once.bytes * 2,
  };
}

export default {
  kernel: 'reduceAxes',
  cases: [
    reductionCase('sum', [1024, 768], [1]),
    reductionCase('sum', [16384, 768], [0]),
    reductionCase('sum', [64, 64, 56, 56], [0, 2, 3]),
    reductionCase('max', [4096, 1000], [1]),
    reductionCase('logSumExp', [256, 8192], [1]),
    gradientCase([1024, 768], [1]),
  ],
} satisfies BenchSuite;
