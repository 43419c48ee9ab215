import { backward, forward, type Inputs } from '../kernels-test/gelu.reference';
import type { References } from '../kernels-test/allclose';
import { gelu } from '../src/ops/gelu';
import type { BenchCase, BenchSuite } from './bench';
import { asRowsOf, rowsOf, sampleRows } from './rowSampling';

function geluCase(rows: number, width: number, both: boolean): BenchCase {
  const checked = sampleRows(rows, Math.ceil(2 ** 18 / width));
  return {
    name: `${rows}×${width} ${both ? 'forward and backward' : 'forward'}`,
    inputs: { x: [rows, width] },
    operation: ({ x }) => (x ? { y: gelu(x) } : {}),
    forward: (inputs: Inputs) => asRowsOf(forward(rowsOf(inputs, checked)), checked),
    ...(both
      ? {
          backward: (inputs: Inputs, dOutputs: References) =>
            asRowsOf(backward(rowsOf(inputs, checked), rowsOf(dOutputs, checked)), checked),
        }
      : {}),
    // Two polynomials, the exponential counted as one.
    flops: rows * width * (both ? 70 : 33),
    bytes: rows * width * 4 * (both ? 5 : 2),
  };
}

export default {
  kernel: 'gelu',
  cases: [
    geluCase(1040, 768, false),
    geluCase(1040, 768, true),
    geluCase(8704, 768, true),
    geluCase(197, 3072, true),
    geluCase(1001, 33, true),
  ],
} satisfies BenchSuite;
