import { backward, forward, type Inputs, type Windows } from '../kernels-test/pool2d.reference';
import { avgPool2d, maxPool2d } from '../src/ops/pool2d';
import type { BenchCase, BenchSuite } from './bench';

function poolCase(name: 'max' | 'mean', shape: readonly [number, number, number, number]): BenchCase {
  const windows: Windows = {
    ...{ kernel: [2, 2], stride: [2, 2], padding: [0, 0], dilation: [1, 1] },
    ...(name === 'mean' ? { countIncludePad: true } : {}),
  };
  const size = shape.reduce((product, extent) => product * extent, 1);
  return {
    name: `${name} of 2×2 in ${shape.join('×')} forward and backward`,
    inputs: { x: shape },
    operation: ({ x }) => (x ? { y: name === 'max' ? maxPool2d(x, 2) : avgPool2d(x, 2) } : {}),
    forward: (inputs: Inputs) => forward(windows, inputs),
    backward: (inputs: Inputs, dOutputs) => backward(windows, inputs, dOutputs),
    flops: 2 * size,
    // x and its gradient; a quarter each of y, its gradient and, of the maximum, the places twice.
    bytes: 4 * size * (name === 'max' ? 3 : 2.5),
  };
}

export default {
  kernel: 'pool2d',
  cases: [poolCase('max', [64, 16, 28, 28]), poolCase('mean', [64, 16, 28, 28])],
} satisfies BenchSuite;
