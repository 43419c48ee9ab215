import { tril, triu } from '../src/ops/triangle';
import { Graph } from '../src/tensor/graph';
import type { Shape } from '../src/tensor/shape';
import { expectClose, operationTest, random, type Reference } from './allclose';
import { refusalTest } from './expectBadShape';
import { moved, movedBack } from './stridedCopy.reference';
import { suite, type KernelTest } from './suite';
import { triangle } from './triangle.reference';

const CASES: readonly (readonly [Shape, number])[] = [
  [[1, 1], 0],
  [[17, 17], 0],
  [[3, 5, 33], 1],
  [[2, 33, 5], -3],
  [[5, 3], 900],
  [[5, 3], -900],
];

const tests = CASES.flatMap(([shape, diagonal]) =>
  [tril, triu].map((operation) => {
    const isUpper = operation === triu;
    const places = triangle(shape, (right) => (isUpper ? right >= diagonal : right <= diagonal));
    return operationTest<{ x: Reference }>({
      name: `${isUpper ? 'triu' : 'tril'} ${shape.join('×')} at ${diagonal}`,
      inputs: { x: random(shape, 1) },
      operation: ({ x }) => ({ y: operation(x, diagonal) }),
      forward: ({ x }) => ({ y: moved(x, places) }),
      backward: (_, { y }) => ({ x: movedBack(shape, places, y) }),
    });
  }),
);

/** What is cut off is 0 whatever it was: a NaN times 0 would not be. */
const causalTest: KernelTest = {
  name: 'whole numbers, and NaN that is cut off',
  run: async (engine) => {
    const graph = new Graph(engine);
    const mask = tril(graph.input('ones', [2, 2], 'u32', Uint32Array.of(1, 2, 3, 4)));
    const y = triu(graph.input('x', [2, 2], 'f32', Float32Array.of(1, 2, NaN, 4)));
    graph.output(mask, y);
    const program = await graph.compile();
    try {
      program.run();
      expectClose('mask', await program.read(mask), [1, 0, 3, 4], 0);
      expectClose('y', await program.read(y), [1, 2, 0, 4], 0);
    } finally {
      program.dispose();
    }
  },
};

export default suite('triangle', [
  ...tests,
  causalTest,
  refusalTest('a vector', 'tril: [3] has no diagonal 0', (graph) => tril(graph.input('x', [3]))),
]);
