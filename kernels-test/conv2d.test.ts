import { conv1d, conv2d, type ConvOptions } from '../src/ops/conv2d';
import { convTranspose2d, type ConvTransposeOptions } from '../src/ops/convTranspose2d';
import { operationTest, random, zeros, type Reference } from './allclose';
import * as reference from './conv2d.reference';
import { refusalTest } from './expectBadShape';
import { suite, thorough, type KernelTest } from './suite';

type Four = readonly [number, number, number, number];

const both = (value: number | readonly [number, number]): readonly [number, number] =>
  typeof value === 'number' ? [value, value] : value;

function movesOf({ stride = 1, padding = 0, dilation = 1, groups = 1 }: ConvOptions): reference.Moves {
  return { stride: both(stride), padding: both(padding), dilation: both(dilation), groups };
}

const describe = (options: object): string =>
  Object.entries(options)
    .map(([name, value]) => `${name} ${String(value)}`)
    .join(', ');

function convTest(x: Four, weight: Four, options: ConvOptions = {}): KernelTest {
  const moves = movesOf(options);
  return operationTest<reference.Inputs>({
    name: `[${x.join()}] by [${weight.join()}] ${describe(options)}`,
    inputs: { x: random(x, 1), weight: random(weight, 2), bias: random([weight[0]], 3) },
    operation: (inputs) => ({ y: conv2d(inputs.x, inputs.weight, inputs.bias, options) }),
    forward: (inputs) => reference.forward(moves, inputs),
    backward: (inputs, dOutputs) => reference.backward(moves, inputs, dOutputs),
  });
}

function withoutBias(x: Four, weight: Four): KernelTest {
  const moves = movesOf({});
  const bias = zeros([weight[0]]);
  return operationTest<{ x: Reference; weight: Reference }>({
    name: `[${x.join()}] by [${weight.join()}] without a bias`,
    inputs: { x: random(x, 1), weight: random(weight, 2) },
    operation: (inputs) => ({ y: conv2d(inputs.x, inputs.weight) }),
    forward: (inputs) => reference.forward(moves, { ...inputs, bias }),
    backward: (inputs, dOutputs) => reference.backward(moves, { ...inputs, bias }, dOutputs),
  });
}

/** `size` is that of the result, as PyTorch gives it. */
function transposedTest(
  x: Four,
  weight: Four,
  size: readonly [number, number],
  options: ConvTransposeOptions = {},
): KernelTest {
  const moves = movesOf(options);
  return operationTest<reference.Inputs>({
    name: `transposed: [${x.join()}] by [${weight.join()}] ${describe(options)}`,
    inputs: { x: random(x, 1), weight: random(weight, 2), bias: random([weight[1] * moves.groups], 3) },
    operation: (inputs) => ({ y: convTranspose2d(inputs.x, inputs.weight, inputs.bias, options) }),
    forward: (inputs) => reference.forwardTransposed(moves, size, inputs),
    backward: (inputs, dOutputs) => reference.backwardTransposed(moves, inputs, dOutputs),
  });
}

/** conv1d is conv2d on one line. */
function lineTest(stride: number, padding: number, dilation: number, groups: number): KernelTest {
  const options = { stride, padding, dilation, groups };
  const moves = { ...movesOf(options), stride: [1, stride], padding: [0, padding], dilation: [1, dilation] } as const;
  const flat = ({ x, weight, bias }: reference.Inputs): reference.Inputs => ({
    x: { ...x, shape: [3, 4, 1, 17] },
    weight: { ...weight, shape: [6, 4 / groups, 1, 3] },
    bias,
  });
  return operationTest<reference.Inputs>({
    name: `conv1d ${describe(options)}`,
    inputs: { x: random([3, 4, 17], 1), weight: random([6, 4 / groups, 3], 2), bias: random([6], 3) },
    operation: (inputs) => ({ y: conv1d(inputs.x, inputs.weight, inputs.bias, options) }),
    forward: (inputs) => reference.forward(moves, flat(inputs)),
    backward: (inputs, dOutputs) => reference.backward(moves, flat(inputs), dOutputs),
  });
}

export default suite('conv2d', [
  convTest([1, 1, 1, 1], [1, 1, 1, 1]),
  convTest([3, 1, 5, 7], [3, 1, 3, 3], { padding: 1 }),
  convTest([2, 3, 9, 8], [5, 3, 3, 2], { stride: 2 }),
  convTest([2, 4, 7, 9], [6, 2, 3, 3], { stride: [2, 1], padding: [1, 2], dilation: [1, 2], groups: 2 }),
  convTest([2, 5, 6, 6], [10, 1, 3, 3], { padding: 1, groups: 5 }),
  convTest([1, 33, 5, 5], [17, 33, 3, 3], { padding: [2, 0] }),
  convTest([3, 17, 9, 9], [33, 17, 1, 1]),
  convTest([1, 2, 3, 4], [3, 2, 3, 4]),
  // Few maps and many places: without tiles on a GPU, too.
  convTest([4, 2, 17, 17], [3, 2, 3, 3], { padding: 1 }),
  withoutBias([2, 3, 5, 5], [4, 3, 3, 3]),
  lineTest(1, 1, 1, 1),
  lineTest(2, 3, 2, 2),
  transposedTest([2, 3, 4, 5], [3, 5, 3, 3], [6, 7]),
  transposedTest([2, 4, 3, 5], [4, 3, 3, 2], [6, 10], { stride: 2, padding: [1, 0], outputPadding: [1, 0], groups: 2 }),
  transposedTest([1, 17, 4, 4], [17, 3, 4, 4], [8, 8], { stride: 2, padding: 1 }),
  transposedTest([2, 2, 5, 3], [2, 3, 2, 3], [8, 11], {
    stride: [2, 3],
    padding: [2, 1],
    dilation: [3, 2],
    outputPadding: [0, 2],
  }),
  ...thorough([
    // Tiles of 64.
    convTest([8, 1, 33, 33], [33, 1, 1, 1]),
    transposedTest([8, 1, 33, 33], [1, 33, 1, 1], [33, 33]),
    convTest([7, 3, 17, 17], [5, 3, 5, 5], { stride: 3, padding: 4, dilation: 2 }),
  ]),
  refusalTest('a window that does not fit', 'conv2d: a window of 5 elements on 3 and padding of 0', (graph) =>
    conv2d(graph.input('x', [1, 1, 3, 3]), graph.input('weight', [1, 1, 3, 3]), undefined, { dilation: 2 }),
  ),
  refusalTest('groups that do not divide', 'conv2d: 2 groups of 4 and 3 channels', (graph) =>
    conv2d(graph.input('x', [1, 4, 3, 3]), graph.input('weight', [3, 2, 1, 1]), undefined, { groups: 2 }),
  ),
  refusalTest('a weight of other channels', 'weight has shape', (graph) =>
    conv2d(graph.input('x', [1, 4, 3, 3]), graph.input('weight', [3, 2, 1, 1])),
  ),
  refusalTest('half a stride', 'conv2d: stride is 0.5', (graph) =>
    conv2d(graph.input('x', [1, 1, 3, 3]), graph.input('weight', [1, 1, 1, 1]), undefined, { stride: 0.5 }),
  ),
  refusalTest('too much outputPadding', 'outputPadding of 2', (graph) =>
    convTranspose2d(graph.input('x', [1, 1, 3, 3]), graph.input('weight', [1, 1, 1, 1]), undefined, {
      stride: 2,
      outputPadding: 2,
    }),
  ),
]);
