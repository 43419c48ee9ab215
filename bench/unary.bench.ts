import { backward, forward, unaryReferences, type Inputs, type UnaryReference } from '../kernels-test/unary.reference';
import * as operations from '../src/ops/unary';
import type { BenchCase, BenchSuite } from './bench';
import { asRowsOf, rowsOf, sampleRows } from './rowSampling';

/** Operations of value and slope together; the exponential counted as one. */
function unaryCase(name: 'relu' | 'tanh' | 'softplus', rows: number, width: number, flops: number): BenchCase {
  const reference: UnaryReference = unaryReferences[name];
  const checked = sampleRows(rows, Math.ceil(2 ** 18 / width));
  return {
    name: `${name} ${rows}×${width} forward and backward`,
    inputs: { x: [rows, width] },
    operation: ({ x }) => (x ? { y: operations[name](x) } : {}),
    forward: (inputs: Inputs) => asRowsOf(forward(reference, rowsOf(inputs, checked)), checked),
    backward: (inputs: Inputs, dOutputs) =>
      asRowsOf(backward(reference, rowsOf(inputs, checked), rowsOf(dOutputs, checked)), checked),
    flops: rows * width * flops,
    bytes: rows * width * 4 * 5,
  };
}

export default {
  kernel: 'unary',
  cases: [
    unaryCase('relu', 1040, 768, 3),
    unaryCase('tanh', 1040, 768, 30),
    unaryCase('softplus', 1001, 33, 30),
    unaryCase('relu', 8704, 768, 3),
  ],
} satisfies BenchSuite;
