import * as operations from '../src/ops/binary';
import { operationTest, random } from './allclose';
import { backward, binaryReferences, forward, type BinaryReference, type Inputs } from './binary.reference';
import { refusalTest } from './expectBadShape';
import { suite } from './suite';

// Alike, scalars, rows, columns, both stretched, axes between, and sums of more terms than one chunk.
const SHAPES = [
  [[], []],
  [[1], [1]],
  [
    [3, 17],
    [3, 17],
  ],
  [[3, 17], []],
  [[], [33, 5]],
  [[3, 17], [17]],
  [
    [3, 17],
    [3, 1],
  ],
  [
    [3, 1],
    [1, 17],
  ],
  [
    [2, 3, 4, 5],
    [3, 1, 5],
  ],
  [
    [2, 1, 4, 1, 3],
    [5, 1, 2, 1],
  ],
  [
    [65, 33],
    [1, 33],
  ],
  [[3], [701, 3]],
] as const;

const names = Object.keys(binaryReferences) as (keyof typeof binaryReferences)[];

export default suite('binary', [
  ...names.flatMap((name) => {
    const reference: BinaryReference = binaryReferences[name];
    const drawn = (shape: readonly number[], seed: number) => {
      const { data } = random(shape, seed);
      return { shape, data: reference.isPositive ? data.map((r) => 1.5 + r) : data };
    };
    return SHAPES.map(([a, b]) =>
      operationTest<Inputs>({
        name: `${name} of [${a.join()}] and [${b.join()}]`,
        inputs: { a: drawn(a, 1), b: drawn(b, 2) },
        operation: (inputs) => ({ y: operations[name](inputs.a, inputs.b) }),
        forward: (inputs) => forward(reference, inputs),
        backward: (inputs, dOutputs) => backward(reference, inputs, dOutputs),
      }),
    );
  }),
  refusalTest('shapes that do not fit', "mul: [3, 2] and [3] can't be stretched to one shape", (graph) =>
    operations.mul(graph.input('a', [3, 2]), graph.input('b', [3])),
  ),
]);
