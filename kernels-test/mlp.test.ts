import { gelu } from '../src/ops/gelu';
import { linear } from '../src/ops/linear';
import { mlp } from '../src/ops/mlp';
import { Graph } from '../src/tensor/graph';
import type { Tensor } from '../src/tensor/tensor';
import { expectClose, operationTest, random, randomHalf } from './allclose';
import { backward, forward, type Inputs } from './mlp.reference';
import { refusalTest } from './expectBadShape';
import { suite, thorough, type KernelTest } from './suite';

function inputsOf(leading: readonly number[], d: number, f: number): Inputs {
  return {
    x: random([...leading, d], 1),
    weight1: random([f, d], 2),
    bias1: random([f], 3),
    weight2: random([d, f], 4),
    bias2: random([d], 5),
    residual: random([...leading, d], 6),
  };
}

/** x and the weights in f16; what is added to the residual stream is f32. */
function halfInputsOf(leading: readonly number[], d: number, f: number): Inputs {
  const exact = inputsOf(leading, d, f);
  return {
    ...exact,
    x: randomHalf([...leading, d], 1),
    weight1: randomHalf([f, d], 2),
    weight2: randomHalf([d, f], 4),
  };
}

function halfTest(leading: readonly number[], d: number, f: number): KernelTest {
  return operationTest<Inputs>({
    name: `[${[...leading, d].join(', ')}], ${f} hidden`,
    inputs: halfInputsOf(leading, d, f),
    half: ['x', 'weight1', 'weight2'],
    operation: (inputs) => ({ y: whole(inputs) }),
    forward,
    backward,
    // pre, hidden and the gradient of pre are rounded on the way, each by 2⁻¹¹, and then the result.
    tolerance: 4 * 2 ** -11,
  });
}

/**
 * GELU of single elements in f16, as odd widths have it, takes lavapipe minutes to compile into a large tile. What finishes and
 * stores an element is the same code in the plain kernel, and what loads one is tested by matmul.
 */
function plainOnly(test: KernelTest): KernelTest {
  return { ...test, run: async (engine) => (engine.traits.plain ? test.run(engine) : undefined) };
}

type Operation = (inputs: Readonly<Record<keyof Inputs, Tensor>>) => Tensor;

const whole: Operation = ({ x, ...operands }) => mlp(x, operands);

const composed: Operation = ({ x, weight1, bias1, weight2, bias2, residual }) =>
  linear(gelu(linear(x, weight1, bias1)), weight2, bias2, residual);

/** One operation of three against the three by themselves: values and all gradients. */
function composedTest(leading: readonly number[], d: number, f: number): KernelTest {
  return {
    name: `[${[...leading, d].join(', ')}], ${f} hidden: as linear, gelu, linear and residual`,
    run: async (engine) => {
      const references = inputsOf(leading, d, f);
      const dOut = random([...leading, d], 7);
      const results = [];
      for (const operation of [whole, composed]) {
        const graph = new Graph(engine);
        const inputs = Object.fromEntries(
          Object.entries(references).map(([name, { shape, data }]) => [
            name,
            graph.input(name, shape, 'f32', Float32Array.from(data), true),
          ]),
        ) as Record<keyof Inputs, Tensor>;
        const y = operation(inputs);
        graph.backward(y, graph.input('dy', dOut.shape, 'f32', Float32Array.from(dOut.data)));
        const gradients = Object.entries(inputs).map(([name, x]) => [`d ${name}`, graph.gradientOf(x)] as const);
        const found = { y, ...Object.fromEntries(gradients) };
        graph.output(...Object.values(found));
        const program = await graph.compile();
        try {
          program.run();
          const values = [];
          for (const [name, tensor] of Object.entries(found)) values.push({ name, data: await program.read(tensor) });
          results.push(values);
        } finally {
          program.dispose();
        }
      }
      const [ofWhole = [], ofComposed = []] = results;
      // The same sums in the same order; GELU itself may round otherwise where it is compiled into another kernel.
      ofWhole.forEach(({ name, data }, i) => expectClose(name, data, ofComposed[i]?.data ?? [], 3e-7));
    },
  };
}

function shapeTest(leading: readonly number[], d: number, f: number): KernelTest {
  return operationTest<Inputs>({
    name: `[${[...leading, d].join(', ')}], ${f} hidden`,
    inputs: inputsOf(leading, d, f),
    operation: (inputs) => ({ y: whole(inputs) }),
    forward,
    backward,
  });
}

export default suite('mlp', [
  shapeTest([1], 3, 5),
  shapeTest([3], 17, 33),
  shapeTest([2, 33], 12, 65),
  plainOnly(halfTest([3], 17, 33)),
  composedTest([5], 17, 33),
  // Widths of four; rows enough for the gradients of the weights to be split.
  ...thorough([shapeTest([16, 17], 20, 80), halfTest([16, 17], 20, 80), composedTest([3, 65], 20, 80)]),
  refusalTest('a second layer of another width', 'weight2', (graph) =>
    mlp(graph.input('x', [2, 5]), {
      weight1: graph.input('weight1', [7, 5]),
      bias1: graph.input('bias1', [7]),
      weight2: graph.input('weight2', [6, 7]),
      bias2: graph.input('bias2', [6]),
      residual: graph.input('residual', [2, 5]),
    }),
  ),
]);
