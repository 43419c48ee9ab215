import { add } from '../src/ops/add';
import { addInPlace } from '../src/tensor/accumulate';
import { Graph } from '../src/tensor/graph';
import type { Engine } from '../src/engine/engine';
import { backward, forward, type Inputs } from './add.reference';
import { expectClose, operationTest, random } from './allclose';
import { refusalTest } from './expectBadShape';
import { suite } from './suite';

const SHAPES = [[1], [3], [17, 33], [65, 65], [2, 3, 257]] as const;

export default suite('add', [
  ...SHAPES.map((shape) =>
    operationTest<Inputs>({
      name: shape.join('×'),
      inputs: { a: random(shape, 1), b: random(shape, 2) },
      operation: ({ a, b }) => ({ out: add(a, b) }),
      forward,
      backward,
      tolerance: 1e-7, // one rounding
    }),
  ),
  refusalTest('operands of two shapes', "add: [2, 3] and [3, 2] can't be stretched to one shape", (graph) =>
    add(graph.input('a', [2, 3]), graph.input('b', [3, 2])),
  ),
  ...[false, true].map((accumulate) => ({
    name: `in place, ${accumulate ? 'adding' : 'setting'}`,
    run: async (engine: Engine) => {
      const [a, b] = [random([65, 33], 1), random([65, 33], 2)];
      const graph = new Graph(engine);
      const target = graph.empty('target', a.shape);
      addInPlace(graph, target, graph.input('a', a.shape, 'f32', Float32Array.from(a.data)), false);
      addInPlace(graph, target, graph.input('b', b.shape, 'f32', Float32Array.from(b.data)), accumulate);
      graph.output(target);
      const program = await graph.compile();
      program.run();
      expectClose('target', await program.read(target), accumulate ? forward({ a, b }).out.data : b.data, 1e-7);
      program.dispose();
    },
  })),
]);
