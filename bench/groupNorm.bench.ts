import { backward, EPS, forward } from '../kernels-test/groupNorm.reference';
import { zeros } from '../kernels-test/allclose';
import { groupNorm } from '../src/ops/groupNorm';
import type { BenchCase, BenchSuite } from './bench';

/** Forward and backward. */
function groupNormCase(shape: readonly [number, number, number, number], groups: number): BenchCase {
  const [, channels] = shape;
  const setOf = (sample: number, channel: number): number =>
    sample * groups + Math.floor((channel * groups) / channels);
  const count = shape.reduce((a, b) => a * b);
  return {
    name: `${shape.join('×')} in ${groups}`,
    inputs: { x: shape, weight: [channels], bias: [channels] },
    operation: ({ x, weight, bias }) => (x ? { y: groupNorm(x, groups, { weight, bias, eps: EPS }) } : {}),
    forward: ({ x = zeros(shape), weight = zeros([channels]), bias = zeros([channels]) }) =>
      forward({ x, weight, bias }, setOf),
    backward: ({ x = zeros(shape), weight = zeros([channels]), bias = zeros([channels]) }, dOutputs) =>
      backward({ x, weight, bias }, dOutputs, setOf),
    flops: count * 20,
    bytes: count * 4 * 7,
    tolerance: 5e-6,
  };
}

export default {
  kernel: 'groupNorm',
  cases: [groupNormCase([8, 64, 32, 32], 32), groupNormCase([4, 320, 64, 64], 32)],
} satisfies BenchSuite;
