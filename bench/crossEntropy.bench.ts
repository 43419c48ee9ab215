import { random, type References } from '../kernels-test/allclose';
import { backward, forward, type Inputs } from '../kernels-test/crossEntropy.reference';
import { crossEntropy } from '../src/ops/crossEntropy';
import type { BenchCase, BenchSuite } from './bench';

/** Forward and backward. */
function crossEntropyCase(rows: number, width: number): BenchCase {
  const shape = [rows, width];
  const targets = { shape, data: random(shape, 2).data.map((value) => Math.fround((2 * Math.abs(value)) / width)) };
  const targetData = Float32Array.from(targets.data);
  return {
    name: `${rows}×${width}`,
    inputs: { logits: shape },
    operation: ({ logits }, graph) =>
      logits ? { loss: crossEntropy(logits, graph.input('targets', shape, 'f32', targetData)) } : {},
    forward: (inputs: Inputs) => forward(inputs, targets),
    backward: (inputs: Inputs, dOutputs: References) => backward(inputs, targets, dOutputs),
    flops: rows * width * 12,
    bytes: rows * width * 4 * 5,
    tolerance: 4e-6,
  };
}

export default {
  kernel: 'crossEntropy',
  cases: [crossEntropyCase(256, 10), crossEntropyCase(128, 200), crossEntropyCase(64, 1000)],
} satisfies BenchSuite;
