import { logSoftmax, softmax } from '../src/ops/softmax';
import type { Shape } from '../src/tensor/shape';
import { operationTest, random, zeros, type Reference } from './allclose';
import { refusalTest } from './expectBadShape';
import * as reference from './softmax.reference';
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

/** The last axis, the first, those between; one that lanes share, and one that they do not. */
const AXES: readonly (readonly [Shape, number])[] = [
  [[3, 17], -1],
  [[17, 3], 0],
  [[5, 33, 3], 1],
  [[3, 257, 5], 1],
  [[2, 130, 17], -2],
  [[3, 1, 5], 1],
];

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

function axisTest(shape: Shape, axis: number, isLog: boolean): KernelTest {
  const place = (axis + shape.length) % shape.length;
  const rowsForward = isLog ? reference.logSoftmax : (x: Reference) => forward({ x }).y;
  const rowsBackward = isLog
    ? reference.logSoftmaxBackward
    : (x: Reference, dy: Reference) => backward({ x }, { y: dy }).x;
  return operationTest<Inputs>({
    name: `${isLog ? 'logSoftmax ' : ''}${shape.join('×')} over axis ${axis}`,
    inputs: { x: random(shape, 1) },
    operation: ({ x }) => ({ y: (isLog ? logSoftmax : softmax)(x, axis) }),
    forward: ({ x }) => ({ y: reference.alongAxis(x, place, rowsForward) }),
    backward: ({ x }, { y = zeros(shape) }) => ({
      x: reference.alongAxis(x, place, (rows) => rowsBackward(rows, reference.toRows(y, place))),
    }),
    tolerance: TOLERANCE,
  });
}

export default suite('softmax', [
  ...SHAPES.map((shape) => softmaxTest(shape.join('×'), random(shape, 1))),
  softmaxTest('±80', extremes),
  softmaxTest('equal logits', { shape: [3, 33], data: new Float64Array(99).fill(1e4) }),
  softmaxTest('zeros', { shape: [2, 5], data: new Float64Array(10) }),
  ...AXES.flatMap(([shape, axis]) => [axisTest(shape, axis, false), axisTest(shape, axis, true)]),
  operationTest<Inputs>({
    name: 'logSoftmax ±80',
    inputs: { x: extremes },
    operation: ({ x }) => ({ y: logSoftmax(x) }),
    forward: ({ x }) => ({ y: reference.logSoftmax(x) }),
    backward: ({ x }, { y }) => ({ x: reference.logSoftmaxBackward(x, y ?? zeros(x.shape)) }),
    tolerance: TOLERANCE,
  }),
  refusalTest('an axis that is not there', 'softmax: [3, 4] has no axis 2', (graph) =>
    softmax(graph.input('x', [3, 4]), 2),
  ),
]);
