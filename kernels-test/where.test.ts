import type { Engine } from '../src/engine/engine';
import { where } from '../src/ops/where';
import { Graph } from '../src/tensor/graph';
import { operationTest, random, type Reference } from './allclose';
import { refusalTest } from './expectBadShape';
import { suite } from './suite';
import { backward, forward, type Inputs } from './where.reference';

/** Shapes of the condition, of both operands, and of the result. */
const SHAPES = [
  [[], [], [], []],
  [
    [3, 17],
    [3, 17],
    [3, 17],
    [3, 17],
  ],
  [[4, 8], [4, 8], [8], [4, 8]],
  [[3, 1], [17], [], [3, 17]],
  [
    [2, 1, 4],
    [3, 1],
    [2, 3, 4],
    [2, 3, 4],
  ],
  [[300, 1], [8], [300, 8], [300, 8]],
  [[], [33], [2, 33], [2, 33]],
] as const;

/** 0 and 2 by chance. */
const truths = (shape: readonly number[]): Reference => ({
  shape,
  data: random(shape, 3).data.map((r) => (r > 0 ? 2 : 0)),
});

export default suite('where', [
  ...SHAPES.map(([ofCondition, ofA, ofB, shape]) => {
    const condition = truths(ofCondition);
    return operationTest<Inputs>({
      name: `by [${ofCondition.join()}] of [${ofA.join()}] and [${ofB.join()}]`,
      inputs: { a: random(ofA, 1), b: random(ofB, 2) },
      operation: ({ a, b }, graph) => ({
        y: where(graph.input('condition', ofCondition, 'u32', Uint32Array.from(condition.data)), a, b),
      }),
      forward: (inputs) => forward(condition, inputs, shape),
      backward: (inputs, dOutputs) => backward(condition, inputs, dOutputs),
    });
  }),
  operationTest<{ a: Reference }>({
    name: 'of a tensor and a number',
    inputs: { a: random([3, 5], 1) },
    operation: ({ a }, graph) => ({
      y: where(graph.input('condition', [3, 1], 'u32', Uint32Array.of(0, 1, 0)), a, -0.5),
    }),
    forward: ({ a }) => forward(at([3, 1], [0, 1, 0]), { a, b: at([], [-0.5]) }, [3, 5]),
    backward: ({ a }, dOutputs) => ({ a: backward(at([3, 1], [0, 1, 0]), { a, b: at([], [-0.5]) }, dOutputs).a }),
  }),
  {
    name: 'of i32 and a number',
    run: async (engine: Engine) => {
      const graph = new Graph(engine);
      const condition = graph.input('condition', [3], 'u32', Uint32Array.of(0, 7, 0));
      const y = where(condition, graph.input('a', [3], 'i32', Int32Array.of(-1, -2, -3)), -9);
      graph.output(y);
      const program = await graph.compile();
      program.run();
      const found = [...(await program.read(y))];
      program.dispose();
      if (found.join() !== '-9,-2,-9') throw new Error(`[${found.join()}], not [-9,-2,-9]`);
    },
  },
  refusalTest('numbers as the condition', 'where: condition holds f32, not u32', (graph) =>
    // @ts-expect-error as JavaScript may
    where(graph.input('condition', [3]), 1, 0),
  ),
  refusalTest('two types', 'where: b holds i32, not f32', (graph) =>
    // @ts-expect-error as JavaScript may
    where(graph.input('condition', [3], 'u32'), graph.input('a', [3]), graph.input('b', [3], 'i32')),
  ),
]);

function at(shape: readonly number[], data: readonly number[]): Reference {
  return { shape, data: Float64Array.from(data) };
}
