import { linear } from '../src/ops/linear';
import { operationTest, random, randomHalf, zeros, type Reference } from './allclose';
import { backward, forward, type Inputs, type InputsWithResidual } from './linear.reference';
import { refusalTest } from './expectBadShape';
import { suite, thorough, type KernelTest } from './suite';

/** Operands of x [...shape, k] → [...shape, n]. */
function operandsOf(leading: readonly number[], n: number, k: number): InputsWithResidual {
  return {
    x: random([...leading, k], 1),
    weight: random([n, k], 2),
    bias: random([n], 3),
    residual: random([...leading, n], 4),
  };
}

const nameOf = (leading: readonly number[], n: number, k: number): string => `[${[...leading, k].join(', ')}] → ${n}`;

function plain(leading: readonly number[], n: number, k: number): KernelTest {
  const { x, weight, bias } = operandsOf(leading, n, k);
  return operationTest<Inputs>({
    name: nameOf(leading, n, k),
    inputs: { x, weight, bias },
    operation: (inputs) => ({ y: linear(inputs.x, inputs.weight, inputs.bias) }),
    forward,
    backward,
  });
}

function withResidual(leading: readonly number[], n: number, k: number): KernelTest {
  return operationTest<InputsWithResidual>({
    name: `${nameOf(leading, n, k)}, residual`,
    inputs: operandsOf(leading, n, k),
    operation: ({ x, weight, bias, residual }) => ({ y: linear(x, weight, bias, residual) }),
    forward,
    backward,
  });
}

/** Without a bias. */
function withoutBias(leading: readonly number[], n: number, k: number): KernelTest {
  const { x, weight } = operandsOf(leading, n, k);
  const bias = zeros([n]);
  return operationTest<Omit<Inputs, 'bias'>>({
    name: `${nameOf(leading, n, k)}, no bias`,
    inputs: { x, weight },
    operation: (inputs) => ({ y: linear(inputs.x, inputs.weight) }),
    forward: (inputs) => forward({ ...inputs, bias }),
    backward: (inputs, dOutputs) => backward({ ...inputs, bias }, dOutputs),
  });
}

/** x and weight in f16, as is the result: what a block's queries, keys and values are made by. */
function inHalf(leading: readonly number[], n: number, k: number): KernelTest {
  return operationTest<Inputs>({
    name: nameOf(leading, n, k),
    inputs: { x: randomHalf([...leading, k], 1), weight: randomHalf([n, k], 2), bias: random([n], 3) },
    half: ['x', 'weight'],
    operation: ({ x, weight, bias }, graph) => ({ y: linear(x, weight, bias, undefined, graph.precision) }),
    forward,
    backward,
  });
}

/** x + linear(x): the gradient of x has two parts. */
function ontoItself(leading: readonly number[], width: number): KernelTest {
  const { x, weight, bias } = operandsOf(leading, width, width);
  return operationTest<Inputs>({
    name: `${nameOf(leading, width, width)}, residual x itself`,
    inputs: { x, weight, bias },
    operation: (inputs) => ({ y: linear(inputs.x, inputs.weight, inputs.bias, inputs.x) }),
    forward: (inputs) => forward({ ...inputs, residual: inputs.x }),
    backward: (inputs, dOutputs) => {
      const gradients = backward(inputs, dOutputs);
      const dx: Reference = {
        shape: gradients.x.shape,
        data: gradients.x.data.map((value, i) => value + (gradients.residual.data[i] as number)),
      };
      return { x: dx, weight: gradients.weight, bias: gradients.bias };
    },
  });
}

// Odd widths, for kernels on single floats.
const SHAPES = [
  [[1], 1, 3],
  [[3], 17, 33],
  [[65], 33, 17],
  [[5, 17], 65, 3],
] as const;
// Even ones, for kernels on four; rows enough for dW to be split.
const EVEN_SHAPES = [
  [[16, 17], 24, 48],
  [[5, 65], 36, 20],
] as const;

export default suite('linear', [
  ...SHAPES.flatMap(([leading, n, k]) => [plain(leading, n, k), withResidual(leading, n, k)]),
  withoutBias([5, 17], 65, 3),
  inHalf(...SHAPES[1]),
  ontoItself([3], 17),
  ...thorough([
    ...EVEN_SHAPES.flatMap(([leading, n, k]) => [plain(leading, n, k), withResidual(leading, n, k)]),
    ...[SHAPES[0], ...SHAPES.slice(2), ...EVEN_SHAPES].map(([leading, n, k]) => inHalf(leading, n, k)),
    ontoItself([2, 33], 20),
  ]),
  refusalTest('a weight of another width', 'weight', (graph) =>
    linear(graph.input('x', [2, 5]), graph.input('weight', [3, 4]), graph.input('bias', [3])),
  ),
  refusalTest('a bias of another width', 'bias', (graph) =>
    linear(graph.input('x', [2, 5]), graph.input('weight', [3, 5]), graph.input('bias', [5])),
  ),
  refusalTest('a residual of another shape', 'residual', (graph) => {
    const [x, weight, bias] = [graph.input('x', [2, 5]), graph.input('weight', [3, 5]), graph.input('bias', [3])];
    return linear(x, weight, bias, graph.input('residual', [2, 5]));
  }),
]);
