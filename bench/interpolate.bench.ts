import { backward, forward, type Inputs } from '../kernels-test/interpolate.reference';
import { interpolate } from '../src/ops/interpolate';
import type { BenchCase, BenchSuite } from './bench';

function interpolateCase(mode: 'bilinear' | 'nearest', planes: number, from: number, to: number): BenchCase {
  const size = [to, to] as const;
  return {
    name: `${planes} planes of ${from}×${from} at ${to}×${to}, ${mode}, forward and backward`,
    inputs: { x: [1, planes, from, from] },
    operation: ({ x }) => (x ? { y: interpolate(x, size, { mode }) } : {}),
    forward: (inputs: Inputs) => forward(inputs, size, { mode }),
    backward: (inputs: Inputs, dOutputs) => backward(inputs, dOutputs, { mode }),
    flops: (mode === 'nearest' ? 1 : 16) * planes * to * to,
    bytes: 8 * planes * (from * from + to * to),
    // Places along an axis are rounded, and so are the weights.
    tolerance: 8e-6,
  };
}

export default {
  kernel: 'interpolate',
  cases: [
    interpolateCase('bilinear', 48, 32, 64),
    interpolateCase('bilinear', 48, 64, 32),
    interpolateCase('nearest', 48, 32, 64),
  ],
} satisfies BenchSuite;
