import { concat, stack } from '../src/ops/concat';
import { Graph } from '../src/tensor/graph';
import type { Shape } from '../src/tensor/shape';
import { expectClose, operationTest, random, zeros, type Reference } from './allclose';
import { refusalTest } from './expectBadShape';
import * as reference from './concat.reference';
import { suite, type KernelTest } from './suite';

// Rows of two parts, and the shape of a row.
const SHAPES = [
  [[1, 1], []],
  [[3, 1], [3]],
  [[2, 5], [4]],
  [
    [17, 3],
    [3, 65],
  ],
  [
    [2, 2],
    [3, 32, 32],
  ],
] as const;

type Inputs = { a: Reference; b: Reference };

const tests = SHAPES.map(([[rowsA, rowsB], inner]) =>
  operationTest<Inputs>({
    name: `${rowsA} + ${rowsB} of ${inner.join('×') || 'one'}`,
    inputs: { a: random([rowsA, ...inner], 1), b: random([rowsB, ...inner], 2) },
    // A part that comes twice gets both gradients.
    operation: ({ a, b }) => ({ y: concat([a, b, a]) }),
    forward: ({ a, b }) => ({ y: reference.concat([a, b, a]) }),
    backward: ({ a, b }, dOutputs) => {
      const [first = zeros([0]), dB = zeros([0]), last] = reference.split(dOutputs['y'] ?? zeros([0]), [a, b, a]);
      return { a: { shape: a.shape, data: first.data.map((value, i) => value + (last?.data[i] as number)) }, b: dB };
    },
  }),
);

/** Shapes of two parts, and an axis: one of no elements, one element, cells of four, none of four. */
const ALONG: readonly (readonly [Shape, Shape, number])[] = [
  [[3, 17], [3, 5], 1],
  [[3, 4, 5], [3, 8, 5], -2],
  [[2, 3, 4], [2, 3, 8], 2],
  [[1], [33], -1],
  [[0, 4], [3, 4], 0],
  [[3, 0], [3, 65], 1],
];

const alongTests = ALONG.map(([shapeA, shapeB, axis]) => {
  const from = (axis + shapeA.length) % shapeA.length;
  return operationTest<Inputs>({
    name: `${shapeA.join('×')} and ${shapeB.join('×')} along ${axis}`,
    inputs: { a: random(shapeA, 1), b: random(shapeB, 2) },
    operation: ({ a, b }) => ({ y: concat([a, concat([b], axis)], axis) }),
    forward: ({ a, b }) => ({ y: reference.concatAlong([a, b], from) }),
    backward: ({ a, b }, { y = zeros([0]) }) => {
      const [dA = zeros([0]), dB = zeros([0])] = reference.splitAlong(y, [a, b], from);
      return { a: dA, b: dB };
    },
  });
});

const widened = (parts: readonly Reference[], axis: number): Reference[] =>
  parts.map(({ shape, data }) => ({ shape: shape.toSpliced(axis < 0 ? shape.length : axis, 0, 1), data }));

const stackTests = [0, 1, -1].map((axis) =>
  operationTest<Inputs>({
    name: `stack 3×5 along ${axis}`,
    inputs: { a: random([3, 5], 1), b: random([3, 5], 2) },
    operation: ({ a, b }) => ({ y: stack([a, b], axis) }),
    forward: ({ a, b }) => ({ y: reference.concatAlong(widened([a, b], axis), axis < 0 ? 2 : axis) }),
    backward: (inputs, { y = zeros([0]) }) => {
      const parts = widened([inputs.a, inputs.b], axis);
      const [dA = zeros([0]), dB = zeros([0])] = reference.splitAlong(y, parts, axis < 0 ? 2 : axis);
      return { a: { ...dA, shape: [3, 5] }, b: { ...dB, shape: [3, 5] } };
    },
  }),
);

const indicesTest: KernelTest = {
  name: 'indices along both axes',
  run: async (engine) => {
    const graph = new Graph(engine);
    const a = graph.input('a', [2, 2], 'u32', Uint32Array.of(1, 2, 3, 0xffffffff));
    const rows = concat([a, a]);
    const columns = concat([a, a], 1);
    graph.output(rows, columns);
    const program = await graph.compile();
    try {
      program.run();
      expectClose('rows', await program.read(rows), [1, 2, 3, 0xffffffff, 1, 2, 3, 0xffffffff], 0);
      expectClose('columns', await program.read(columns), [1, 2, 1, 2, 3, 0xffffffff, 3, 0xffffffff], 0);
    } finally {
      program.dispose();
    }
  },
};

export default suite('concat', [
  ...tests,
  ...alongTests,
  ...stackTests,
  indicesTest,
  refusalTest('no parts', 'concat: no parts', () => concat([])),
  refusalTest('parts that differ', 'concat: part 1 has shape [2, 4], not [3, N]', (graph) =>
    concat([graph.input('a', [3, 1]), graph.input('b', [2, 4])], 1),
  ),
  refusalTest('parts of two types', 'concat: part 1 holds u32, not f32', (graph) =>
    concat<'f32' | 'u32'>([graph.input('a', [3]), graph.input('b', [3], 'u32')]),
  ),
  refusalTest('to stack what differs', 'stack: part 1 has shape [2], not [3]', (graph) =>
    stack([graph.input('a', [3]), graph.input('b', [2])]),
  ),
]);
