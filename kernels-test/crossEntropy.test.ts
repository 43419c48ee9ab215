import { crossEntropy } from '../src/ops/crossEntropy';
import type { Shape } from '../src/tensor/shape';
import { operationTest, random, type Reference } from './allclose';
import { backward, forward, type Inputs } from './crossEntropy.reference';
import { refusalTest } from './expectBadShape';
import { suite, type KernelTest } from './suite';

const SHAPES = [
  [1, 3],
  [3, 17],
  [17, 2],
  [33, 65],
  [65, 10],
  [5, 257],
] as const;

function crossEntropyTest(name: string, logits: Reference, targets: Reference, tolerance: number): KernelTest {
  return operationTest<Inputs>({
    name,
    inputs: { logits },
    operation: (inputs, graph) => {
      const given = graph.input('targets', targets.shape, 'f32', Float32Array.from(targets.data));
      return { loss: crossEntropy(inputs.logits, given) };
    },
    forward: (inputs) => forward(inputs, targets),
    backward: (inputs, dOutputs) => backward(inputs, targets, dOutputs),
    tolerance,
  });
}

/** Weights whose rows sum to about 2, not to 1: the gradient must bring their sum in. */
function softTargets([rows = 1, width = 1]: Shape): Reference {
  const shape = [rows, width];
  return { shape, data: random(shape, 2).data.map((value) => Math.fround((4 * Math.abs(value)) / width)) };
}

function oneHot([rows = 1, width = 1]: Shape): Reference {
  const data = new Float64Array(rows * width);
  for (let row = 0; row < rows; row++) data[row * width + ((row * 7) % width)] = 1;
  return { shape: [rows, width], data };
}

/** Right and wrong with all certainty, a tie, equal logits. */
const extremes: Reference = {
  shape: [4, 3],
  data: Float64Array.of(80, -80, -80, -80, 80, -80, 80, 80, -80, 80, 80, 80),
};

export default suite('crossEntropy', [
  ...SHAPES.flatMap((shape) => [
    crossEntropyTest(`${shape.join('×')}, soft targets`, random(shape, 1), softTargets(shape), 4e-6),
    crossEntropyTest(`${shape.join('×')}, one class`, random(shape, 1), oneHot(shape), 4e-6),
  ]),
  crossEntropyTest('3×1031, one class', random([3, 1031], 1), oneHot([3, 1031]), 4e-6),
  // f32 holds a logSumExp of 80 to 4e-6, and its exponential no better.
  crossEntropyTest('±80', extremes, oneHot(extremes.shape), 1e-5),
  crossEntropyTest('zeros', { shape: [2, 5], data: new Float64Array(10) }, oneHot([2, 5]), 4e-6),
  refusalTest('another number of classes', 'targets', (graph) =>
    crossEntropy(graph.input('logits', [3, 10]), graph.input('targets', [3, 9])),
  ),
]);
