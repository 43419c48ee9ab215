import type { Reference } from '../kernels-test/allclose';
import { toI32 } from '../kernels-test/convert.reference';
import { to } from '../src/ops/convert';
import type { BenchCase, BenchSuite } from './bench';

function convertCase(rows: number, width: number): BenchCase {
  return {
    name: `f32 to i32 ${rows}×${width}`,
    inputs: { x: [rows, width] },
    operation: ({ x }) => (x ? { y: to(to(x, 'i32'), 'f32') } : {}),
    forward: ({ x }: { x: Reference }) => ({ y: { shape: x.shape, data: x.data.map(toI32) } }),
    flops: 0,
    bytes: rows * width * 4 * 4,
  };
}

export default {
  kernel: 'convert',
  cases: [convertCase(1040, 768), convertCase(1001, 33)],
} satisfies BenchSuite;
