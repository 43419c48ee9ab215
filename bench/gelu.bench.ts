import { forward } from '../kernels-test/gelu.reference';
import { gelu } from '../src/ops/gelu';
import type { BenchCase, BenchSuite } from './bench';

function geluCase(rows: number, width: number, backward: boolean): BenchCase {
  return {
    name: `${rows}×${width} ${backward ? 'forward and backward' : 'forward'}`,
    inputs: { x: [rows, width] },
    operation: (graph, { x }) => (x ? { y: gelu(graph, x) } : {}),
    forward,
    backward,
    // Two polynomials, the exponential counted as one.
    flops: rows * width * (backward ? 70 : 33),
    bytes: rows * width * 4 * (backward ? 5 : 2),
  };
}

export default {
  kernel: 'gelu',
  cases: [geluCase(1040, 768, false), geluCase(1040, 768, true), geluCase(197, 3072, true), geluCase(1001, 33, true)],
} satisfies BenchSuite;
