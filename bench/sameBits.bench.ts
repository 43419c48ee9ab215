import type { References } from '../kernels-test/allclose';
import { sameBits } from '../src/ops/sameBits';
import type { Tensor } from '../src/tensor/tensor';
import type { BenchCase, BenchSuite } from './bench';

/** Of random numbers none is like another. */
function everyWordDiffers({ a }: References): References {
  const size = a?.data.length ?? 0;
  const invocations = Math.min(16384, size);
  const data = Float64Array.from({ length: invocations }, (_, i) => Math.ceil((size - i) / invocations));
  return { differences: { shape: [invocations], data } };
}

function sameBitsCase(rows: number, width: number): BenchCase {
  return {
    name: `${rows}×${width}`,
    inputs: { a: [rows, width], b: [rows, width] },
    operation: ({ a, b }): Record<string, Tensor<'u32'>> => (a && b ? { differences: sameBits(a, b) } : {}),
    forward: everyWordDiffers,
    flops: rows * width,
    bytes: rows * width * 4 * 2,
  };
}

export default {
  kernel: 'sameBits',
  cases: [sameBitsCase(1088, 192), sameBitsCase(3152, 768), sameBitsCase(1001, 33)],
} satisfies BenchSuite;
