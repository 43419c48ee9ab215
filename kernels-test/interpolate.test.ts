import { interpolate } from '../src/ops/interpolate';
import { operationTest, random } from './allclose';
import { refusalTest } from './expectBadShape';
import { backward, forward, type Inputs, type Options } from './interpolate.reference';
import { suite, type KernelTest } from './suite';

function interpolateTest(shape: readonly number[], size: readonly [number, number], options: Options): KernelTest {
  return operationTest<Inputs>({
    name: `[${shape.join()}] at ${size.join('×')}, ${options.mode}${options.alignCorners ? ', corners aligned' : ''}`,
    inputs: { x: random(shape, 1) },
    operation: ({ x }) => ({ y: interpolate(x, size, options) }),
    forward: (inputs) => forward(inputs, size, options),
    backward: (inputs, dOutputs) => backward(inputs, dOutputs, options),
    // Places along an axis of 33 are rounded to 33 · 6e-8, and so are the weights.
    tolerance: 4e-6,
  });
}

// Larger, smaller, both, the same, one element, and none.
const CASES = [
  [
    [1, 1, 1, 1],
    [1, 1],
  ],
  [
    [2, 3, 5, 7],
    [10, 21],
  ],
  [
    [1, 2, 17, 9],
    [5, 4],
  ],
  [
    [3, 1, 3, 33],
    [17, 10],
  ],
  [
    [1, 2, 5, 5],
    [5, 5],
  ],
  [
    [2, 1, 4, 1],
    [1, 7],
  ],
  [
    [0, 1, 4, 3],
    [2, 7],
  ],
] as const;

const OPTIONS = [{ mode: 'nearest' }, { mode: 'bilinear' }, { mode: 'bilinear', alignCorners: true }] as const;

export default suite('interpolate', [
  ...OPTIONS.flatMap((options) => CASES.map(([shape, size]) => interpolateTest(shape, size, options))),
  refusalTest('corners of the nearest', 'interpolate: alignCorners of the nearest', (graph) =>
    interpolate(graph.input('x', [1, 1, 2, 2]), [4, 4], { alignCorners: true }),
  ),
  refusalTest('a size of none', 'interpolate: size is 0 × 4', (graph) =>
    interpolate(graph.input('x', [1, 1, 2, 2]), [0, 4]),
  ),
  refusalTest('planes of none', 'interpolate: a plane of 0 × 2', (graph) =>
    interpolate(graph.input('x', [1, 1, 0, 2]), [4, 4]),
  ),
]);
