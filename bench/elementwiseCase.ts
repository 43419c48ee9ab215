import type { ElementwiseOperation } from '../kernels-test/elementwise';
import { backward, forward, type Inputs, type UnaryReference } from '../kernels-test/unary.reference';
import type { BenchCase } from './bench';
import { asRowsOf, rowsOf, sampleRows } from './rowSampling';

/** A matrix, and how many operations an element is worth. */
interface Size {
  readonly rows: number;
  readonly width: number;
  readonly flops: number;
}

/** A function of one number, forward and backward; some rows are checked. */
export function elementwiseCase(
  name: string,
  operation: ElementwiseOperation,
  reference: UnaryReference,
  { rows, width, flops }: Size,
): BenchCase {
  const checked = sampleRows(rows, Math.ceil(2 ** 18 / width));
  return {
    name: `${name} ${rows}×${width} forward and backward`,
    inputs: { x: [rows, width] },
    operation: ({ x }) => (x ? { y: operation(x) } : {}),
    forward: (inputs: Inputs) => asRowsOf(forward(reference, rowsOf(inputs, checked)), checked),
    backward: (inputs: Inputs, dOutputs) =>
      asRowsOf(backward(reference, rowsOf(inputs, checked), rowsOf(dOutputs, checked)), checked),
    flops: rows * width * flops,
    bytes: rows * width * 4 * 5,
  };
}
