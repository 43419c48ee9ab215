import { zeros, type Reference, type References } from '../kernels-test/allclose';
import * as reference from '../kernels-test/concat.reference';
import { concat } from '../src/ops/concat';
import type { BenchCase, BenchSuite } from './bench';

function concatCase(rows: number, inner: readonly number[]): BenchCase {
  const shape = [rows, ...inner];
  return {
    name: `2 of ${shape.join('×')} forward and backward`,
    inputs: { a: shape, b: shape },
    operation: ({ a, b }) => (a && b ? { y: concat([a, b]) } : {}),
    forward: ({ a, b }: { a: Reference; b: Reference }) => ({ y: reference.concat([a, b]) }),
    backward: ({ a, b }: { a: Reference; b: Reference }, { y = zeros([0]) }: References) => {
      const [dA = zeros([0]), dB = zeros([0])] = reference.split(y, [a, b]);
      return { a: dA, b: dB };
    },
    flops: 0,
    bytes: 2 * shape.reduce((size, extent) => size * extent, 4) * 4,
  };
}

export default {
  kernel: 'concat',
  cases: [concatCase(64, [65, 192]), concatCase(256, [65, 192]), concatCase(16, [50, 512]), concatCase(33, [17, 33])],
} satisfies BenchSuite;
