import { add } from '../src/ops/add';
import { addInPlace } from '../src/tensor/accumulate';
import { Graph } from '../src/tensor/graph';
import type { Engine } from '../src/engine/engine';
import { backward, forward, type Inputs } from './add.reference';
import { expectClose, operationTest, random } from './allclose';
import { refusalTest } from './expectBadShape';
import { suite, type KernelTest } from './suite';

const SHAPES = [[1], [3], [17, 33], [17, 36], [65, 65], [2, 3, 257]] as const;

function inPlaceTest(shape: readonly number[], accumulate: boolean): KernelTest {
  return {
    name: `in place ${shape.join('×')}, ${accumulate ? 'adding' : 'setting'}`,
    run: async (engine: Engine) => {
      const [a, b] = [random(shape, 1), random(shape, 2)];
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
  };
}

/** To f16, to which f32 is added, and back. */
function halfTest(width: number): KernelTest {
  return {
    name: `in place, f16 of ${width}`,
    run: async (engine: Engine) => {
      if (!engine.hasHalf) return;
      const [a, b] = [random([width], 1), random([width], 2)];
      const graph = new Graph(engine);
      const [half, back] = [graph.empty('half', [width], 'f16'), graph.empty('back', [width])];
      addInPlace(graph, half, graph.input('a', [width], 'f32', Float32Array.from(a.data)), false);
      addInPlace(graph, half, graph.input('b', [width], 'f32', Float32Array.from(b.data)), true);
      addInPlace(graph, back, half, false);
      graph.output(back);
      const program = await graph.compile();
      program.run();
      // Two roundings to the 11 bits of f16.
      expectClose('back', await program.read(back), forward({ a, b }).out.data, 2 ** -10);
      program.dispose();
    },
  };
}

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
  ...[33, 36].flatMap((width) => [false, true].map((accumulate) => inPlaceTest([65, width], accumulate))),
  ...[33, 36].map(halfTest),
]);
