import type { Engine } from '../src/engine/engine';
import { batchNorm, type RunningStatistics } from '../src/ops/batchNorm';
import { addInPlace } from '../src/tensor/accumulate';
import { Graph } from '../src/tensor/graph';
import { createTensor, disposeTensor, readTensor, type LastingTensor } from '../src/tensor/tensor';
import { backward, EPS, forward, MOMENTUM, moved, type Inputs } from './batchNorm.reference';
import { expectClose, operationTest, random, type Reference } from './allclose';
import * as images from './groupNorm.reference';
import type { Inputs as ImageInputs } from './groupNorm.reference';
import { refusalTest } from './expectBadShape';
import { suite } from './suite';

// Not of two rows: there the gradient is what two nearly equal terms leave, a part in 1/ε of them.
const SHAPES = [
  [3, 1],
  [3, 17],
  [33, 65],
  [65, 3],
  [17, 33],
  [1100, 5],
] as const;

/** Running statistics that are no batch's: means around 0, variances between ½ and 1½. */
function runningOf(width: number): Reference {
  const shape = [2, width];
  return { shape, data: random(shape, 7).data.map((value, i) => (i < width ? value : 1 + value / 2)) };
}

/** Numbers far from 0 beside their spread: E[x²] − E[x]² would lose them. */
function shifted(shape: readonly number[]): Reference {
  return { shape, data: random(shape, 3).data.map((value) => Math.fround(100 + value)) };
}

const PYTORCH = [
  {
    x: [0.5, -1.25, 3, 2, 0.75, -0.5, -1.5, 0.25, 1, 0, -0.5, 2.5],
    y: [
      0.19999994, -1.4021351, 1.0954448, 1.3999996, 1.2371781, -1.4605931, -1.3999996, 0.57734977, -0.36514827,
      -0.19999994, -0.41239269, 0.73029655,
    ],
  },
  {
    x: [1, 4, -2, 0.25, -3, 0.5, 1.75, 0.5, -1, -0.5, 1.5, 0.25],
    y: [
      0.44721328, 1.2935482, -1.4291498, -0.44721328, -1.4925557, 1.0563281, 1.3416398, -0.099503711, -0.43495862,
      -1.3416398, 0.29851113, 0.8077803,
    ],
  },
  { x: [0.5, 0.5, 0.5, -1, 2, 0], y: [0.39727, 0.33687033, 0.38946293, -1.0386457, 1.4804188, -0.072807611] },
];

/** A batch [2, 2, 1, 3] for PyTorch's BatchNorm2d, and what comes of it. */
const IMAGE = [0.5, -1.25, 3.0, 2.0, 0.75, -0.5, -1.5, 0.25, 1.0, 0.0, -0.5, 2.5];
const IMAGE_TRAINED = [
  0.41692409, -1.3357789, 2.9207855, 0.45096382, 0.98228916, 1.5136145, -1.586165, 0.16653795, 0.91769637, 1.3010844,
  1.5136145, 0.23843368,
];
const IMAGE_EVALUATED = [
  0.89737805, -1.5302896, 4.3654747, 0.065776846, 0.67110502, 1.2764332, -1.8770993, 0.55056838, 1.5909974, 1.0343019,
  1.2764332, -0.17635443,
];
const IMAGE_RUNNING = [0.033333333, 0.070833333, 1.1691667, 1.0660417];

/** What a program may write to; an input it may not. */
function given(graph: Graph, { shape: [, width = 0], data }: Reference): RunningStatistics {
  const [runningMean, runningVar] = [data.slice(0, width), data.slice(width)].map((values) => {
    const tensor = graph.empty('running', [width]);
    addInPlace(graph, tensor, graph.input('given', [width], 'f32', Float32Array.from(values)), false);
    return tensor;
  });
  if (!runningMean || !runningVar) throw new Error('two of them');
  return { runningMean, runningVar };
}

/** The same, lasting. */
function lasting(
  engine: Engine,
  width: number,
  data: ArrayLike<number>,
): { runningMean: LastingTensor; runningVar: LastingTensor } {
  const values = Float32Array.from(data);
  return {
    runningMean: createTensor(engine, 'running mean', [width], 'f32', values.slice(0, width)),
    runningVar: createTensor(engine, 'running variance', [width], 'f32', values.slice(width)),
  };
}

const read = async (engine: Engine, { runningMean, runningVar }: RunningStatistics): Promise<number[]> => [
  ...(await readTensor(engine, runningMean)),
  ...(await readTensor(engine, runningVar)),
];

const disposeBoth = (engine: Engine, running: Readonly<Record<string, LastingTensor>>): void => {
  for (const tensor of Object.values(running)) disposeTensor(engine, tensor);
};

/** Shapes of images, and of what is scaled and shifted; of rows of many parts of 512. */
const IMAGES = [
  [3, 17],
  [2, 3, 5],
  [3, 17, 3, 7],
  [33, 2, 1, 3],
  [2, 2, 65, 65],
] as const;

const imageTests = IMAGES.flatMap((shape) => {
  const [, channels] = shape;
  const inputs = { x: random(shape, 1), weight: random([channels], 2), bias: random([channels], 3) };
  const running = runningOf(channels);
  const fixed = { mean: running.data.slice(0, channels), variance: running.data.slice(channels) };
  const setOf = (_: number, channel: number): number => channel;
  const name = `${shape.join('×')}, scaled and shifted`;
  return [true, false].map((training) =>
    operationTest<ImageInputs>({
      name: `${name}, ${training ? 'training' : 'evaluation'}`,
      inputs,
      operation: ({ x, weight, bias }, graph) => ({
        y: batchNorm(x, given(graph, running), { weight, bias, training, eps: 1e-5 }),
      }),
      forward: (of) => images.forward(of, setOf, training ? undefined : fixed),
      backward: (of, dOutputs) => images.backward(of, dOutputs, setOf, training ? undefined : fixed),
      tolerance: 5e-6,
    }),
  );
});

export default suite('batchNorm', [
  ...SHAPES.flatMap((shape) => {
    const running = runningOf(shape[1]);
    const x = random(shape, 1);
    return [
      operationTest<Inputs>({
        name: `${shape.join('×')}, training`,
        inputs: { x },
        operation: (inputs, graph) => ({
          y: batchNorm(inputs.x, given(graph, running), { training: true, eps: EPS }),
        }),
        forward: (inputs) => forward(inputs),
        backward: (inputs, dOutputs) => backward(inputs, dOutputs),
        tolerance: 5e-6,
      }),
      operationTest<Inputs>({
        name: `${shape.join('×')}, evaluation`,
        inputs: { x },
        operation: (inputs, graph) => ({
          y: batchNorm(inputs.x, given(graph, running), { training: false, eps: EPS }),
        }),
        forward: (inputs) => forward(inputs, running),
        backward: (inputs, dOutputs) => backward(inputs, dOutputs, running),
      }),
    ];
  }),
  {
    name: 'running statistics follow three batches',
    run: async (engine: Engine) => {
      const shape = [33, 17];
      let expected = runningOf(17);
      const running = lasting(engine, 17, expected.data);
      const graph = new Graph(engine, { training: true });
      const x = graph.input('x', shape);
      graph.output(batchNorm(x, running, { training: true, momentum: MOMENTUM, eps: EPS }));
      const program = await graph.compile();
      for (const batch of [random(shape, 1), shifted(shape), random(shape, 2)]) {
        program.write(x, Float32Array.from(batch.data));
        program.run();
        expected = moved({ x: batch }, expected);
      }
      expectClose('running', await read(engine, running), expected.data, 2e-6);
      program.dispose();
      disposeBoth(engine, running);
    },
  },
  {
    // torch.nn.BatchNorm1d(3, affine=False, eps=1e-6) of PyTorch 1.13, in float64.
    name: 'PyTorch: two batches in training and one in evaluation',
    run: async (engine: Engine) => {
      const running = lasting(engine, 3, [0, 0, 0, 1, 1, 1]);
      const graph = new Graph(engine, { training: true });
      const [x1, x2, x3] = PYTORCH.map(({ x }, index) =>
        graph.input(`x${index}`, [x.length / 3, 3], 'f32', Float32Array.from(x)),
      );
      if (!x1 || !x2 || !x3) throw new Error('three batches');
      const outputs = [
        batchNorm(x1, running, { training: true, eps: EPS }),
        batchNorm(x2, running, { training: true, eps: EPS }),
        batchNorm(x3, running, { training: false, eps: EPS }),
      ];
      graph.output(...outputs);
      const program = await graph.compile();
      program.run();
      for (const [index, output] of outputs.entries()) {
        expectClose(`batch ${index + 1}`, await program.read(output), PYTORCH[index]?.y ?? [], 1e-6);
      }
      const statistics = [0.085, 0.058125, 0.07875, 1.09125, 1.7205729, 1.1698958];
      expectClose('running statistics', await read(engine, running), statistics, 1e-6);
      program.dispose();
      disposeBoth(engine, running);
    },
  },
  refusalTest('a batch of one', 'a batch of 1 has no variance', (graph) =>
    batchNorm(graph.input('x', [1, 3]), given(graph, runningOf(3)), { training: true }),
  ),
  refusalTest('statistics of another width', 'runningMean has shape [4], not [3]', (graph) =>
    batchNorm(graph.input('x', [4, 3]), given(graph, runningOf(4)), { training: false }),
  ),
  ...imageTests,
  {
    // torch.nn.BatchNorm2d(2) of PyTorch 1.13, in float64: one batch in training, one in evaluation.
    name: 'PyTorch: BatchNorm2d, a batch in training and one in evaluation',
    run: async (engine: Engine) => {
      const running = lasting(engine, 2, [0, 0, 1, 1]);
      const weight = createTensor(engine, 'weight', [2], 'f32', Float32Array.of(1.5, -0.5));
      const bias = createTensor(engine, 'bias', [2], 'f32', Float32Array.of(0.25, 1));
      const graph = new Graph(engine, { training: true });
      const x = graph.input('x', [2, 2, 1, 3], 'f32', Float32Array.from(IMAGE));
      const trained = batchNorm(x, running, { weight, bias });
      const evaluated = batchNorm(x, running, { weight, bias, training: false });
      graph.output(trained, evaluated);
      const program = await graph.compile();
      program.run();
      expectClose('training', await program.read(trained), IMAGE_TRAINED, 1e-6);
      expectClose('evaluation', await program.read(evaluated), IMAGE_EVALUATED, 1e-6);
      expectClose('running statistics', await read(engine, running), IMAGE_RUNNING, 1e-6);
      program.dispose();
      disposeBoth(engine, { ...running, weight, bias });
    },
  },
]);
