import { moduleOf, type ParameterSpec } from './moduleOf';
import type { Engine } from '../src/engine/engine';
import type { Slice } from '../src/gpu/storage';
import { constant, zeros } from '../src/nn/initializers';
import { Parameters } from '../src/nn/parameters';
import { batchNorm } from '../src/ops/batchNorm';
import { crossEntropy } from '../src/ops/crossEntropy';
import { linear } from '../src/ops/linear';
import { Lars, LARS_DEFAULTS } from '../src/optim/lars';
import { Graph } from '../src/tensor/graph';
import type { Parameter } from '../src/tensor/parameter';
import { createTensor, disposeTensor } from '../src/tensor/tensor';
import { expectClose, random } from './allclose';
import { larsStep, type LarsReference } from './lars.reference';
import { suite } from './suite';

/** Scalars, biases, odd sizes, several segments, several blocks, and a matrix of zeros, which has no norm. */
const SHAPES = [[1], [3, 1], [65], [33, 5], [67, 129], [4, 4]] as const;
const ZEROS = 5;
const RATES = [0.5, 2, 1];

const start = (index: number): Float64Array =>
  index === ZEROS ? new Float64Array(16) : random(SHAPES[index] as readonly number[], index + 1).data;

const specs: ParameterSpec[] = SHAPES.map((shape, index) => ({
  name: `p${index}`,
  shape,
  initialize: constant(Float32Array.from(start(index))),
}));
const source = (): { uniform: () => number; normal: () => number } => ({ uniform: () => 0, normal: () => 0 });

export default suite('lars', [
  ...[0, 0.01].map((weightDecay) => ({
    name: `${RATES.length} steps, weight decay ${weightDecay}`,
    run: async (engine: Engine) => {
      const options = { ...LARS_DEFAULTS, weightDecay };
      const parameters = new Parameters(engine, 'test', moduleOf(specs));
      const optimizer = new Lars(parameters, options);
      parameters.initialize(source);
      const reference: LarsReference[] = SHAPES.map((shape, index) => ({
        value: start(index).slice(),
        mu: new Float64Array(start(index).length),
        scaled: shape.length > 1,
      }));
      const graph = new Graph(engine);
      const rate = graph.input('rate', [1]);
      optimizer.record(graph, rate);
      const program = await graph.compile();
      for (const [step, learningRate] of RATES.entries()) {
        const gradients = SHAPES.map((shape, index) => random(shape, 100 * (step + 1) + index).data);
        for (const [index, gradient] of gradients.entries()) {
          const { storage } = (parameters.arenas[0]?.members[index] as Parameter).grad;
          engine.write(storage as Slice, Float32Array.from(gradient));
        }
        larsStep(reference, gradients, { ...options, learningRate });
        program.write(rate, Float32Array.of(learningRate));
        program.run();
      }
      const values = await parameters.read();
      for (const [index, { value }] of reference.entries()) {
        const moved = (to: ArrayLike<number>): number[] => Array.from(start(index), (x, i) => (to[i] as number) - x);
        // The move is a difference of numbers near 1 that f32 rounds at 6e-8, relative to moves of about 1e-3.
        expectClose(`move of p${index}`, moved(values.get(`p${index}`) ?? []), moved(value), 2e-4);
      }
      program.dispose();
      optimizer.dispose();
      parameters.dispose();
    },
  })),
  {
    // BatchNorm1d(3, affine=False, eps=1e-6), Linear(3, 2), cross-entropy and LARS in MAE's form with weight decay 0.01, in
    // PyTorch 1.13, float64: three steps.
    name: 'PyTorch: a linear probe',
    run: async (engine: Engine) => {
      const weight = [0.1, -0.2, 0.3, 0.25, 0.05, -0.15];
      const bias = [0, 0.5];
      const parameters = new Parameters(
        engine,
        'probe',
        moduleOf([
          { name: 'head.weight', shape: [2, 3], initialize: zeros },
          { name: 'head.bias', shape: [2], initialize: zeros },
        ]),
      );
      parameters.write('head.weight', Float32Array.from(weight));
      parameters.write('head.bias', Float32Array.from(bias));
      const optimizer = new Lars(parameters, { ...LARS_DEFAULTS, weightDecay: 0.01 });
      const running = {
        runningMean: createTensor(engine, 'running mean', [3], 'f32'),
        runningVar: createTensor(engine, 'running variance', [3], 'f32', Float32Array.of(1, 1, 1)),
      };
      const graph = new Graph(engine);
      const x = graph.input('x', [4, 3]);
      const rate = graph.input('rate', [1]);
      const targets = graph.input('targets', [4, 2], 'f32', Float32Array.of(1, 0, 0, 1, 0, 1, 1, 0));
      const normed = batchNorm(x, running, { training: true, eps: 1e-6 });
      const loss = crossEntropy(linear(normed, parameters.get('head.weight'), parameters.get('head.bias')), targets);
      graph.backward(loss);
      optimizer.record(graph, rate);
      graph.output(loss);
      const program = await graph.compile();
      const first = [0.5, -1.25, 3, 2, 0.75, -0.5, -1.5, 0.25, 1, 0, -0.5, 2.5];
      const second = [1, 4, -2, 0.25, -3, 0.5, 1.75, 0.5, -1, -0.5, 1.5, 0.25];
      const steps = [
        { batch: first, lr: 1, expected: 0.4676278130404672 },
        { batch: second, lr: 2, expected: 0.9073483067255745 },
        { batch: first, lr: 0.5, expected: 0.4558804839468219 },
      ];
      for (const { batch, lr, expected } of steps) {
        program.write(x, Float32Array.from(batch));
        program.write(rate, Float32Array.of(lr));
        program.run();
        expectClose('loss', await program.read(loss), [expected], 1e-6);
      }
      const values = await parameters.read();
      const moved = (name: string, from: readonly number[]): number[] =>
        Array.from(values.get(name) ?? [], (to, i) => to - (from[i] as number));
      // As above: numbers of 0.1 to 0.3 that moved by 1e-4, in f32.
      const weightMoves = [6.1343352e-5, -1.7611472e-4, 4.4024546e-4, -7.6158761e-5, 1.8246418e-4, -4.4659492e-4];
      expectClose('move of the weight', moved('head.weight', weight), weightMoves, 2e-4);
      expectClose('move of the bias', moved('head.bias', bias), [0.44963902, -0.44963902], 1e-6);
      program.dispose();
      optimizer.dispose();
      parameters.dispose();
      for (const tensor of Object.values(running)) disposeTensor(engine, tensor);
    },
  },
]);
