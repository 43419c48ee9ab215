import { forward } from '../kernels-test/add.reference';
import { add } from '../src/ops/add';
import type { BenchCase, BenchSuite } from './bench';

function addCase(rows: number, width: number): BenchCase {
  return {
    name: `${rows}×${width}`,
    inputs: { a: [rows, width], b: [rows, width] },
    operation: ({ a, b }) => (a && b ? { out: add(a, b) } : {}),
    forward,
    flops: rows * width,
    bytes: rows * width * 4 * 3,
  };
}

export default {
  kernel: 'add',
  cases: [addCase(1088, 192), addCase(3152, 768), addCase(12_608, 768), addCase(1001, 33)],
} satisfies BenchSuite;
