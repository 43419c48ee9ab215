import { layerNorm, rmsNorm } from '../src/ops/layerNorm';
import type { Graph } from '../src/tensor/graph';
import type { Tensor } from '../src/tensor/tensor';
import { operationTest, random, type Reference } from './allclose';
import { backward, EPS, forward, rms, type Inputs } from './layerNorm.reference';
import { suite, thorough, type KernelTest } from './suite';

const SHAPES = [
  [1, 3],
  [3, 17],
  [17, 65],
  [65, 33],
  [2, 5, 192],
  [7, 257],
  [3, 1031],
] as const;

const ones = (width: number): Reference => ({ shape: [width], data: new Float64Array(width).fill(1) });
const none = (width: number): Reference => ({ shape: [width], data: new Float64Array(width) });

/** Without scale or shift, and without the mean taken off. */
const otherTests = SHAPES.slice(0, 6).flatMap((shape) => {
  const width = shape.at(-1) as number;
  const [x, gamma, beta] = [random(shape, 1), random([width], 2), random([width], 3)];
  const name = shape.join('×');
  return [
    operationTest<{ x: Reference }>({
      name: `${name}, without scale and shift`,
      inputs: { x },
      operation: (of) => ({ y: layerNorm(of.x, undefined, undefined, EPS) }),
      forward: (of) => forward({ ...of, gamma: ones(width), beta: none(width) }),
      backward: (of, dOutputs) => backward({ ...of, gamma: ones(width), beta: none(width) }, dOutputs),
    }),
    operationTest<{ x: Reference; gamma: Reference }>({
      name: `${name}, without shift`,
      inputs: { x, gamma },
      operation: (of) => ({ y: layerNorm(of.x, of.gamma, undefined, EPS) }),
      forward: (of) => forward({ ...of, beta: none(width) }),
      backward: (of, dOutputs) => backward({ ...of, beta: none(width) }, dOutputs),
    }),
    operationTest<{ x: Reference; beta: Reference }>({
      name: `${name}, without scale`,
      inputs: { x, beta },
      operation: (of) => ({ y: layerNorm(of.x, undefined, of.beta, EPS) }),
      forward: (of) => forward({ ...of, gamma: ones(width) }),
      backward: (of, dOutputs) => backward({ ...of, gamma: ones(width) }, dOutputs),
    }),
    operationTest<{ x: Reference; gamma: Reference }>({
      name: `${name}, rmsNorm`,
      inputs: { x, gamma },
      operation: (of) => ({ y: rmsNorm(of.x, of.gamma, EPS) }),
      forward: (of) => rms.forward(of),
      backward: (of, dOutputs) => rms.backward(of, dOutputs),
    }),
    operationTest<{ x: Reference }>({
      name: `${name}, rmsNorm without scale`,
      inputs: { x },
      operation: (of) => ({ y: rmsNorm(of.x, undefined, EPS) }),
      forward: (of) => rms.forward({ ...of, gamma: ones(width) }),
      backward: (of, dOutputs) => rms.backward({ ...of, gamma: ones(width) }, dOutputs),
    }),
  ];
});

// Rows of whole cells of four, which GPUs keep in registers: one cell; lanes with fewer cells than others; several blocks of
// rows, the last one short; a workgroup a row, wider than 64; more blocks than lanes sum at once; wider than registers hold.
const CELL_SHAPES = [
  [5, 4],
  [17, 20],
  [33, 132],
  [131, 64],
  [9, 1028],
  [1030, 516],
  [2, 4100],
] as const;

/** With y in f16, or in f32. */
const cellTests = (half: boolean): KernelTest[] =>
  CELL_SHAPES.map((shape) => {
    const width = shape[1];
    const [x, gamma, beta] = [random(shape, 1), random([width], 2), random([width], 3)];
    return operationTest<Inputs>({
      name: `${shape.join('×')} in cells`,
      ...(half ? { half: [] } : {}),
      inputs: { x, gamma, beta },
      operation: (of) => ({ y: layerNorm(of.x, of.gamma, of.beta, EPS) }),
      forward,
      backward,
    });
  });

/** Only some gradients are asked for. */
const partialTests = (
  [
    [17, 64],
    [17, 65],
  ] as const
).flatMap((shape) => {
  const width = shape[1];
  const [x, gamma, beta] = [random(shape, 1), random([width], 2), random([width], 3)];
  const constant = (graph: Graph, { shape: of, data }: Reference): Tensor =>
    graph.input('constant', of, 'f32', Float32Array.from(data));
  return [
    operationTest<{ x: Reference }>({
      name: `${shape.join('×')}, gradient of x alone`,
      inputs: { x },
      operation: (of, graph) => ({ y: layerNorm(of.x, constant(graph, gamma), constant(graph, beta), EPS) }),
      forward: (of) => forward({ ...of, gamma, beta }),
      backward: (of, dOutputs) => backward({ ...of, gamma, beta }, dOutputs),
    }),
    operationTest<{ gamma: Reference; beta: Reference }>({
      name: `${shape.join('×')}, gradients of scale and shift alone`,
      inputs: { gamma, beta },
      operation: (of, graph) => ({ y: layerNorm(constant(graph, x), of.gamma, of.beta, EPS) }),
      forward: (of) => forward({ ...of, x }),
      backward: (of, dOutputs) => backward({ ...of, x }, dOutputs),
    }),
  ];
});

export default suite('layerNorm', [
  ...otherTests,
  ...cellTests(false),
  ...thorough(cellTests(true)),
  ...partialTests,
  ...[false, true].flatMap((half) =>
    SHAPES.map((shape) => {
      const width = shape.at(-1) as number;
      return operationTest<Inputs>({
        name: shape.join('×'),
        ...(half ? { half: [] } : {}), // only y is f16, and its gradient
        inputs: { x: random(shape, 1), gamma: random([width], 2), beta: random([width], 3) },
        operation: ({ x, gamma, beta }) => ({ y: layerNorm(x, gamma, beta, EPS) }),
        forward,
        backward,
      });
    }),
  ),
]);
