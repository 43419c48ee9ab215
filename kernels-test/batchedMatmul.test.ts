import { batchedMatmul } from '../src/ops/batchedMatmul';
import { matmul } from '../src/ops/matmul';
import type { MatmulLayout } from '../src/ops/matmulPlan';
import { operationTest, random, type Reference } from './allclose';
import { backward, forward, type Inputs } from './batchedMatmul.reference';
import { refusalTest } from './expectBadShape';
import { suite, thorough, type KernelTest } from './suite';

/** As `torch.matmul` does it, whichever kernel that takes. */
function matmulTest(a: readonly number[], b: readonly number[], layout: MatmulLayout = 'nn'): KernelTest {
  return operationTest<Inputs>({
    name: `matmul ${layout} [${a.join()}]·[${b.join()}]`,
    inputs: { a: random(a, 1), b: random(b, 2) },
    operation: (inputs) => ({ c: matmul(inputs.a, inputs.b, layout) }),
    forward: (inputs) => forward(layout, inputs),
    backward: (inputs, dOutputs) => backward(layout, inputs, dOutputs),
  });
}

function scaledTest(a: readonly number[], b: readonly number[], layout: MatmulLayout, scale: number): KernelTest {
  return operationTest<Inputs>({
    name: `${scale} · ${layout} [${a.join()}]·[${b.join()}]`,
    inputs: { a: random(a, 1), b: random(b, 2) },
    operation: (inputs) => ({ c: batchedMatmul('scaled', inputs.a, inputs.b, { layout, scale }) }),
    forward: (inputs) => forward(layout, inputs, scale),
    backward: (inputs, dOutputs) => backward(layout, inputs, dOutputs, scale),
  });
}

/** x·x: the gradient of one tensor from both sides. */
function squareTest(shape: readonly number[]): KernelTest {
  return operationTest<{ a: Reference }>({
    name: `[${shape.join()}] by itself`,
    inputs: { a: random(shape, 1) },
    operation: ({ a }) => ({ c: matmul(a, a) }),
    forward: ({ a }) => forward('nn', { a, b: a }),
    backward: ({ a }, dOutputs) => {
      const both = backward('nn', { a, b: a }, dOutputs);
      return { a: { shape, data: both.a.data.map((value, i) => value + (both.b.data[i] as number)) } };
    },
  });
}

// Stacks alike, one stretched, both stretched, more axes than the other; below and above a tile; terms enough for splits.
const SHAPES = [
  [
    [1, 1, 1],
    [1, 1, 1],
  ],
  [
    [3, 17, 5],
    [3, 5, 33],
  ],
  [
    [2, 3, 3, 17],
    [2, 3, 17, 1],
  ],
  [
    [5, 1, 3, 9],
    [4, 9, 2],
  ],
  [
    [2, 1, 3, 3, 2],
    [2, 1, 2, 4],
  ],
  [
    [7, 3],
    [5, 3, 65],
  ],
  [
    [3, 33, 5],
    [5, 65],
  ],
  [
    [3, 2, 7],
    [1, 7, 4],
  ],
  [
    [3, 5, 700],
    [3, 700, 6],
  ],
  [
    [40, 3, 17],
    [40, 17, 2],
  ],
  [[17], [17]],
  [[17], [17, 3]],
  [[3, 17], [17]],
  [[2, 3, 17], [17]],
  [[5], [2, 3, 5, 4]],
  [
    [0, 3, 2],
    [0, 2, 3],
  ],
  [
    [3, 0],
    [0, 2],
  ],
  [
    [2, 3, 0],
    [2, 0, 2],
  ],
] as const;

export default suite('batchedMatmul', [
  ...SHAPES.map(([a, b]) => matmulTest(a, b)),
  matmulTest([3, 17, 5], [3, 33, 5], 'nt'),
  matmulTest([3, 17, 5], [33, 5], 'nt'),
  matmulTest([4, 17, 5], [2, 1, 33, 5], 'nt'),
  matmulTest([3, 5, 17], [3, 5, 33], 'tn'),
  matmulTest([5, 17], [3, 5, 33], 'tn'),
  matmulTest([3, 5, 17], [5, 33], 'tn'),
  scaledTest([2, 17, 5], [2, 9, 5], 'nt', 0.25),
  scaledTest([17, 5], [5, 9], 'nn', -2),
  squareTest([3, 17, 17]),
  // Tiles of 64.
  ...thorough([
    matmulTest([40, 65, 17], [40, 17, 65]),
    matmulTest([40, 65, 36], [40, 132, 36], 'nt'),
    matmulTest([2, 20, 36, 68], [20, 36, 68], 'tn'),
  ]),
  refusalTest('stacks that do not fit', "matmul: [3] and [2] can't be stretched to one shape", (graph) =>
    matmul(graph.input('a', [3, 4, 5]), graph.input('b', [2, 5, 2])),
  ),
  refusalTest('factors that do not fit', 'b has shape [4, 2], not [k = 5, n]', (graph) =>
    matmul(graph.input('a', [2, 3, 5]), graph.input('b', [4, 2])),
  ),
  refusalTest('a number', 'matmul: b is a single number', (graph) =>
    matmul(graph.input('a', [3]), graph.input('b', [])),
  ),
  refusalTest('a vector to be turned', 'a vector in the layout nt', (graph) =>
    matmul(graph.input('a', [3]), graph.input('b', [2, 3]), 'nt'),
  ),
  refusalTest('stacks of f16', 'matmul: a holds f16, not f32', (graph) =>
    matmul(graph.input('a', [2, 2, 3], 'f16'), graph.input('b', [2, 3, 2])),
  ),
]);
