import { backward, forward, type Inputs } from '../kernels-test/conv2d.reference';
import { conv2d } from '../src/ops/conv2d';
import type { BenchCase, BenchSuite } from './bench';

/** A window of 3 × 3 that keeps the size; the reference takes what it can check in seconds. */
function convCase(images: number, channels: number, maps: number, side: number): BenchCase {
  const moves = { stride: [1, 1], padding: [1, 1], dilation: [1, 1], groups: 1 } as const;
  const places = images * side * side;
  return {
    name: `${images}×${channels}×${side}×${side} → ${maps}, 3×3, forward and backward`,
    inputs: { x: [images, channels, side, side], weight: [maps, channels, 3, 3], bias: [maps] },
    operation: ({ x, weight, bias }) => (x && weight && bias ? { y: conv2d(x, weight, bias, { padding: 1 }) } : {}),
    forward: (inputs: Inputs) => forward(moves, inputs),
    backward: (inputs: Inputs, dOutputs) => backward(moves, inputs, dOutputs),
    flops: 6 * places * channels * maps * 9,
    bytes: 12 * (places * (channels + maps) + maps * channels * 9),
    // The gradient of the weight is a sum over all places.
    tolerance: 2e-6 * Math.max(1, Math.sqrt(places / 1024)),
  };
}

export default {
  kernel: 'conv2d',
  cases: [
    // The layers of a classifier of digits, then of a residual network.
    convCase(64, 1, 16, 28),
    convCase(64, 16, 32, 14),
    convCase(16, 64, 64, 16),
    convCase(3, 17, 33, 13),
  ],
} satisfies BenchSuite;
