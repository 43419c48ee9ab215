import { softmax } from '../src/ops/softmax';
import { operationTest, random, type Reference } from './allclose';
import { backward, forward, type Inputs } from './softmax.reference';
import { suite, type KernelTest } from './suite';

const SHAPES = [
  [1, 3],
  [3, 17],
  [17, 33],
  [2, 5, 65],
  [65, 1],
  [7, 257],
  [3, 1031],
] as const;

/** Bound on the relative error: WGSL allows exp 3 + 2|x| units in the last place. */
const TOLERANCE = 4e-6;

function softmaxTest(name: string, x: Reference, tolerance = TOLERANCE): KernelTest {
  return operationTest<Inputs>({
    name,
    inputs: { x },
    operation: (inputs) => ({ y: softmax(inputs.x) }),
    forward,
    backward,
    tolerance,
  });
}

/** Logits at the ends of their range, ±80: without the maximum taken off, exp(160) would overflow. */
const extremes: Reference = {
  shape: [5, 4],
  data: Float64Array.of(80, -80, 80, 79, -80, -80, -80, -79, 80, -80, -80, -80, 80, 80, 80, 80, 0, -80, 0, 80),
};

export default suite('softmax', [
  ...SHAPES.map((shape) => softmaxTest(shape.join('×'), random(shape, 1))),
  softmaxTest('±80', extremes),
  softmaxTest('equal logits', { shape: [3, 33], data: new Float64Array(99).fill(1e4) }),
  softmaxTest('zeros', { shape: [2, 5], data: new Float64Array(10) }),
]);
