import type { Engine } from '../src/engine/engine';
import { batchNorm } from '../src/ops/batchNorm';
import { addInPlace } from '../src/tensor/accumulate';
import { Graph } from '../src/tensor/graph';
import { createTensor, disposeTensor, readTensor, type Tensor } from '../src/tensor/tensor';
import { backward, EPS, forward, MOMENTUM, moved, type Inputs } from './batchNorm.reference';
import { expectClose, operationTest, random, type Reference } from './allclose';
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

/** What a program may write to; an input it may not. */
function given(graph: Graph, { shape, data }: Reference): Tensor {
  const tensor = graph.empty('running', shape);
  addInPlace(graph, tensor, graph.input('given', shape, 'f32', Float32Array.from(data)), false);
  return tensor;
}

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
      const running = createTensor(engine, 'running', [2, 17], 'f32', Float32Array.from(expected.data));
      const graph = new Graph(engine);
      const x = graph.input('x', shape);
      graph.output(batchNorm(x, running, { training: true, momentum: MOMENTUM, eps: EPS }));
      const program = await graph.compile();
      for (const batch of [random(shape, 1), shifted(shape), random(shape, 2)]) {
        program.write(x, Float32Array.from(batch.data));
        program.run();
        expected = moved({ x: batch }, expected);
      }
      expectClose('running', await readTensor(engine, running), expected.data, 2e-6);
      program.dispose();
      disposeTensor(engine, running);
    },
  },
  {
    // torch.nn.BatchNorm1d(3, affine=False, eps=1e-6) of PyTorch 1.13, in float64.
    name: 'PyTorch: two batches in training and one in evaluation',
    run: async (engine: Engine) => {
      const running = createTensor(engine, 'running', [2, 3], 'f32', Float32Array.of(0, 0, 0, 1, 1, 1));
      const graph = new Graph(engine);
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
      expectClose('running statistics', await readTensor(engine, running), statistics, 1e-6);
      program.dispose();
      disposeTensor(engine, running);
    },
  },
  refusalTest('a batch of one', 'a batch of 1 has no variance', (graph) =>
    batchNorm(graph.input('x', [1, 3]), graph.input('running', [2, 3]), { training: true }),
  ),
  refusalTest('statistics of another width', 'running has shape', (graph) =>
    batchNorm(graph.input('x', [4, 3]), graph.input('running', [2, 4]), { training: false }),
  ),
]);
