import * as operations from '../src/ops/unary';
import { Graph } from '../src/tensor/graph';
import type { Tensor } from '../src/tensor/tensor';
import { operationTest, random } from './allclose';
import { refusalTest } from './expectBadShape';
import { suite, type KernelTest } from './suite';
import { backward, forward, unaryReferences, type Inputs, type UnaryReference } from './unary.reference';

const names = Object.keys(unaryReferences) as (keyof typeof unaryReferences)[];
const referenceOf = (name: keyof typeof unaryReferences): UnaryReference => unaryReferences[name];

const shaped = names.flatMap((name) =>
  [[], [1], [3, 17], [2, 33, 4]].map((shape) => {
    const reference = referenceOf(name);
    const { data } = random(shape, 1);
    const x = data.map((r) => Math.fround(reference.low + ((r + 1) / 2) * (reference.high - reference.low)));
    return operationTest<Inputs>({
      name: `${name} ${shape.join('×') || 'of a scalar'}`,
      inputs: { x: { shape, data: x } },
      operation: (inputs) => ({ y: operations[name](inputs.x) }),
      forward: (inputs) => forward(reference, inputs),
      backward: (inputs, dOutputs) => backward(reference, inputs, dOutputs),
    });
  }),
);

/** Each value by itself, far out and near 0: where a plain formula overflows or cancels. */
const ENDS = [0, 1e-30, 1e-6, 0.01, 0.29, 0.31, 0.49, 0.51, 2.9, 3.1, 9, 20, 80, 100, 1e4, 1e15];
const bounded = ['tanh', 'sigmoid', 'relu', 'silu', 'softplus', 'erf', 'abs', 'neg'] as const;

const ends: readonly KernelTest[] = bounded.map((name) => ({
  name: `${name} far out and near 0`,
  run: async (engine) => {
    const { value, slope } = referenceOf(name);
    const x = Float32Array.from(ENDS.flatMap((end) => (end === 0 ? [0] : [end, -end])));
    const graph = new Graph(engine);
    const given = graph.input('x', [x.length], 'f32', x, true);
    const y = operations[name](given);
    graph.backward(y, graph.input('dy', [x.length], 'f32', new Float32Array(x.length).fill(1)));
    const dx = graph.gradientOf(given);
    graph.output(y, dx);
    const program = await graph.compile();
    try {
      program.run();
      for (const [what, tensor, wanted] of [
        [name, y, value],
        [`${name}'`, dx, slope],
      ] as const) {
        for (const [i, found] of (await program.read(tensor)).entries()) {
          const at = x[i] as number;
          const right = wanted(at);
          // A dozen roundings of the value, or what f32 holds no smaller.
          if (!(Math.abs(found - right) <= 1e-6 * Math.abs(right) + 1e-37)) {
            throw new Error(`${what}(${at}): ${found}, not ${right}`);
          }
        }
      }
    } finally {
      program.dispose();
    }
  },
}));

export default suite('unary', [
  ...shaped,
  ...ends,
  refusalTest(
    'another type',
    'relu: x holds u32, not f32',
    (graph) => operations.relu(graph.input('x', [3], 'u32') as unknown as Tensor), // as JavaScript may
  ),
]);
