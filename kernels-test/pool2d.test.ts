import { avgPool2d, maxPool2d } from '../src/ops/pool2d';
import type { Engine } from '../src/engine/engine';
import { f32 } from '../src/engine/inputs';
import { expectClose, operationTest, random, type Reference } from './allclose';
import { refusalTest } from './expectBadShape';
import { backward, forward, type Inputs, type Windows } from './pool2d.reference';
import { suite, type KernelTest } from './suite';

/** Elements in an order that is shuffled but 0.01 apart at least, so that finite differences change no maximum. */
function distinct(shape: readonly number[]): Reference {
  const { data } = random(shape, 1);
  const order = Array.from(data.keys()).sort((i, j) => (data[i] as number) - (data[j] as number));
  order.forEach((at, rank) => (data[at] = Math.fround(rank / 64 - 1)));
  return { shape, data };
}

type Pair = readonly [number, number];

/** The window, and how it moves. */
function poolTest(
  shape: readonly number[],
  kernel: Pair,
  stride: Pair = kernel,
  padding: Pair = [0, 0],
  rest: { readonly dilation?: Pair; readonly countIncludePad?: boolean } = {},
): KernelTest {
  const { dilation = [1, 1], countIncludePad } = rest;
  const windows: Windows = {
    kernel,
    stride,
    padding,
    dilation,
    ...(countIncludePad === undefined ? {} : { countIncludePad }),
  };
  const which = countIncludePad === undefined ? 'max' : countIncludePad ? 'mean' : 'mean of what is inside';
  return operationTest<Inputs>({
    name: `${which} of ${kernel.join('×')} in [${shape.join()}], stride ${stride.join()}, border ${padding.join()}, dilation ${dilation.join()}`,
    inputs: { x: distinct(shape) },
    operation: ({ x }) => ({
      y:
        countIncludePad === undefined
          ? maxPool2d(x, kernel, { stride, padding, dilation })
          : avgPool2d(x, kernel, { stride, padding, countIncludePad }),
    }),
    forward: (inputs) => forward(windows, inputs),
    backward: (inputs, dOutputs) => backward(windows, inputs, dOutputs),
  });
}

/** Equal elements: the gradient goes to the first alone. */
const ties: KernelTest = {
  name: 'max of equal elements',
  run: async (engine: Engine) => {
    const program = await engine.compile({ x: { ...f32(1, 1, 2, 3), requiresGrad: true } }, ({ x }, graph) => {
      const y = maxPool2d(x, 2, { stride: 1 });
      graph.backward(y, graph.input('dy', y.shape, 'f32', Float32Array.of(2, 3)));
      return { y, dx: graph.gradientOf(x) };
    });
    try {
      await program.run({ x: Float32Array.of(-5, -5, -5, -5, -5, -5) });
      expectClose('y', await program.outputs.y.data(), [-5, -5], 0);
      expectClose('dx', await program.outputs.dx.data(), [2, 3, 0, 0, 0, 0], 0);
    } finally {
      program.dispose();
    }
  },
};

const nan: KernelTest = {
  name: 'max of NaN',
  run: async (engine: Engine) => {
    const program = await engine.compile({ x: f32(1, 1, 1, 6) }, ({ x }) => ({ y: maxPool2d(x, [1, 2]) }));
    try {
      await program.run({ x: Float32Array.of(1, NaN, NaN, 1, -Infinity, -Infinity) });
      const y = await program.outputs.y.data();
      if (!Number.isNaN(y[0]) || !Number.isNaN(y[1]) || y[2] !== -Infinity) throw new Error(`y is ${y.join()}`);
    } finally {
      program.dispose();
    }
  },
};

const COUNTS = [undefined, true, false] as const;

export default suite('pool2d', [
  ...COUNTS.flatMap((countIncludePad) => {
    const rest = countIncludePad === undefined ? {} : { countIncludePad };
    return [
      poolTest([1, 1, 1, 1], [1, 1], [1, 1], [0, 0], rest),
      poolTest([2, 3, 8, 6], [2, 2], [2, 2], [0, 0], rest),
      poolTest([3, 1, 7, 5], [3, 2], [2, 1], [1, 1], rest),
      poolTest([1, 2, 5, 9], [2, 3], [3, 4], [0, 1], rest),
      poolTest([0, 2, 5, 9], [2, 3], [3, 4], [0, 1], rest),
    ];
  }),
  poolTest([2, 1, 9, 9], [3, 2], [2, 1], [1, 1], { dilation: [2, 3] }),
  ties,
  nan,
  refusalTest('a border of more than half a window', 'maxPool2d: padding of 2 × 2 around windows of 3 × 3', (graph) =>
    maxPool2d(graph.input('x', [1, 1, 5, 5]), 3, { padding: 2 }),
  ),
  refusalTest('a window that does not fit', 'avgPool2d: a window of 3 elements on 2', (graph) =>
    avgPool2d(graph.input('x', [1, 1, 2, 5]), 3),
  ),
  refusalTest('an image without channels', 'maxPool2d: x has shape [3, 5, 5]', (graph) =>
    maxPool2d(graph.input('x', [3, 5, 5]), 2),
  ),
]);
