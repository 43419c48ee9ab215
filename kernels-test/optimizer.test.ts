import type { Engine } from '../src/engine/engine';
import { Parameters } from '../src/nn/parameters';
import { constant } from '../src/nn/initializers';
import { add } from '../src/ops/add';
import { mul } from '../src/ops/binary';
import { sum } from '../src/ops/reduce';
import { Adam, AdamW } from '../src/optim/adamw';
import { Lars, LARS_DEFAULTS } from '../src/optim/lars';
import { Lion, Sgd } from '../src/optim/momentum';
import type { Optimizer, OptimizerOptions } from '../src/optim/optimizer';
import { learningRateAt, type Schedule } from '../src/optim/schedule';
import { Graph } from '../src/tensor/graph';
import type { Tensor } from '../src/tensor/tensor';
import { larsStep } from './lars.reference';
import { moduleOf } from './moduleOf';
import { adam, lion, sgd, type OptimizerReference, type Rule } from './optimizer.reference';
import { expectClose, random } from './allclose';
import { suite, type KernelTest } from './suite';

/** Scalars, odd sizes, one-dimensional parameters (not decayed), more than one segment and one workgroup. */
const SHAPES = [[1], [3], [1, 1, 17], [33, 5], [65], [64, 65]];
const STEPS = 4;
const SCHEDULE: Schedule = { peak: 0.02, minimum: 1e-3, warmupSteps: 2, steps: 8 };

interface Case {
  readonly name: string;
  readonly make: (model: Parameters, options: OptimizerOptions) => Optimizer;
  readonly rule: Rule;
  /** Times the learning rate: its moves are large enough for f32 to tell them from the parameter. */
  readonly speed?: number;
}

const BETAS = [0.9, 0.95] as const;

const CASES: readonly Case[] = [
  { name: 'Sgd', make: (model, options) => new Sgd(model, options), rule: sgd(0, false, 0), speed: 10 },
  {
    name: 'Sgd with momentum and decay',
    make: (model, options) => new Sgd(model, { ...options, momentum: 0.9, weightDecay: 0.05 }),
    rule: sgd(0.9, false, 0.05),
    speed: 10,
  },
  {
    name: 'Sgd with Nesterov momentum',
    make: (model, options) => new Sgd(model, { ...options, momentum: 0.8, nesterov: true, weightDecay: 0.05 }),
    rule: sgd(0.8, true, 0.05),
    speed: 10,
  },
  {
    name: 'Lion',
    make: (model, options) => new Lion(model, { ...options, weightDecay: 0.5 }),
    rule: lion([0.9, 0.99], 0.5),
  },
  {
    name: 'Adam',
    make: (model, options) => new Adam(model, { ...options, betas: BETAS, weightDecay: 0.05 }),
    rule: adam(BETAS, 1e-8, 0.05, true),
  },
  {
    name: 'AdamW',
    make: (model, options) => new AdamW(model, { ...options, betas: BETAS, weightDecay: 0.05 }),
    rule: adam(BETAS, 1e-8, 0.05, false),
  },
  {
    name: 'Lars',
    speed: 200,
    make: (model, options) => new Lars(model, { ...options, weightDecay: 0.01 }),
    rule: (parameters, { gradients, learningRate }) =>
      larsStep(
        parameters.map(({ value, m, decayed }) => ({ value, mu: m, scaled: decayed })),
        gradients,
        { ...LARS_DEFAULTS, weightDecay: 0.01, learningRate },
      ),
  },
];

/** Σ c·p² over all parameters, whose gradient is 2·c·p. */
function lossOf(parameters: Parameters, c: readonly Tensor[]): Tensor<'f32', readonly []> {
  const parts = parameters.entries.map(([, p], index) => sum(mul(mul(c[index] as Tensor, p), p)));
  return parts.reduce((total, part) => add<readonly []>(total, part));
}

const start = (index: number): Float64Array => random(SHAPES[index] as number[], index + 1).data;

function stepsTest({ name, make, rule, speed = 1 }: Case, given: number | Schedule, clipNorm: number): KernelTest {
  const learningRate =
    typeof given === 'number' ? speed * given : { ...given, peak: speed * given.peak, minimum: speed * given.minimum };
  const schedule = typeof learningRate === 'number' ? String(learningRate) : 'on a schedule';
  return {
    name: `${name}: ${STEPS} steps, learning rate ${schedule}, ${clipNorm > 0 ? `norm up to ${clipNorm}` : 'not clipped'}`,
    run: async (engine) => {
      const specs = SHAPES.map((shape, index) => ({
        name: `p${index}`,
        shape,
        initialize: constant(Float32Array.from(start(index))),
      }));
      const parameters = new Parameters(engine, 'test', moduleOf(specs));
      parameters.initialize(() => ({ uniform: () => 0, normal: () => 0 }));
      const optimizer = make(parameters, { learningRate, ...(clipNorm > 0 ? { clipNorm } : {}) });
      const reference: OptimizerReference[] = SHAPES.map((shape, index) => {
        const zeros = (): Float64Array => new Float64Array(start(index).length);
        return { value: start(index).slice(), m: zeros(), v: zeros(), decayed: shape.length > 1 };
      });
      const graph = new Graph(engine);
      const c = SHAPES.map((shape, index) => graph.input(`c${index}`, shape));
      optimizer.minimize(lossOf(parameters, c));
      const program = await graph.compile();
      for (let step = 1; step <= STEPS; step++) {
        const factors = SHAPES.map((shape, p) => random(shape, 100 * step + p).data);
        for (const [p, tensor] of c.entries()) program.write(tensor, Float32Array.from(factors[p] ?? []));
        program.run();
        const raw = reference.map(({ value }, p) => value.map((x, i) => 2 * x * (factors[p]?.[i] as number)));
        const norm = Math.sqrt(raw.reduce((total, g) => total + g.reduce((s, x) => s + x * x, 0), 0));
        const clip = clipNorm > 0 ? Math.min(1, clipNorm / (norm + 1e-6)) : 1;
        const rate = typeof learningRate === 'number' ? learningRate : learningRateAt(learningRate, step - 1);
        rule(reference, { gradients: raw.map((g) => g.map((x) => x * clip)), learningRate: rate, step });
      }
      const values = await parameters.read();
      for (const [p, { value }] of reference.entries()) {
        const moved = (to: ArrayLike<number>): number[] => Array.from(start(p), (x, i) => (to[i] as number) - x);
        // The move is a difference of numbers near 1 that f32 rounds at 6e-8, relative to moves of about 1e-3.
        expectClose(`move of p${p}`, moved(values.get(`p${p}`) ?? []), moved(value), 2e-4);
      }
      for (const owner of [program, optimizer, parameters]) owner.dispose();
    },
  };
}

const A = [0.5, -1.25, 2];
const B = [0.1, -0.2, 0.3, 0.75, -0.5, 1.5];
const FACTORS = [
  { a: [1, 0.5, -0.25], b: [0.2, 1, -1, 0.5, 0.25, 2] },
  { a: [-0.5, 1, 0.75], b: [1, 1, 0.5, -2, 0.5, 1] },
  { a: [2, 0.25, 0.5], b: [0.5, -1, 1, 1, 2, -0.5] },
];
/** PyTorch decays all. */
const group = (): { readonly scale: number; readonly decayed: boolean } => ({ scale: 1, decayed: true });

/** What three steps on Σ c·p² leave of a [3] and b [2, 3], in PyTorch 1.13, float64. */
const PYTORCH: readonly {
  readonly name: string;
  readonly make: (model: Parameters) => Optimizer;
  readonly a: readonly number[];
  readonly b: readonly number[];
}[] = [
  {
    name: 'SGD(lr=0.1, weight_decay=0.01)',
    make: (model) => new Sgd(model, { learningRate: 0.1, weightDecay: 0.01, group }),
    a: [0.26299125, -0.85208456, 1.6013006],
    b: [0.068885066, -0.15308856, 0.25837287, 0.75367732, -0.25551872, 0.78897375],
  },
  {
    name: 'SGD(lr=0.1, momentum=0.9, weight_decay=0.01), clip_grad_norm_ 0.5',
    make: (model) => new Sgd(model, { learningRate: 0.1, momentum: 0.9, weightDecay: 0.01, clipNorm: 0.5, group }),
    a: [0.46021848, -1.1682984, 1.936193],
    b: [0.094119901, -0.18856679, 0.29855908, 0.76021325, -0.45970596, 1.3334301],
  },
  {
    name: 'SGD(lr=0.1, momentum=0.9, nesterov=True, weight_decay=0.01)',
    make: (model) => new Sgd(model, { learningRate: 0.1, momentum: 0.9, nesterov: true, weightDecay: 0.01, group }),
    a: [0.019561796, -0.21500998, 1.128006],
    b: [0.02537235, -0.010993898, 0.2460908, 0.76134112, -0.026433347, -0.81322291],
  },
  {
    name: 'Adam(lr=0.1, betas=(0.9, 0.99), weight_decay=0.1)',
    make: (model) => new Adam(model, { learningRate: 0.1, betas: [0.9, 0.99], weightDecay: 0.1, group }),
    a: [0.29149009, -0.96433164, 1.9716171],
    b: [-0.043290937, 0.063910696, 0.36247258, 0.7029536, -0.21213321, 1.2474805],
  },
  {
    name: 'AdamW(lr=0.1, betas=(0.9, 0.99), weight_decay=0.1), clip_grad_norm_ 1',
    make: (model) => new AdamW(model, { learningRate: 0.1, betas: [0.9, 0.99], weightDecay: 0.1, clipNorm: 1, group }),
    a: [0.29028575, -0.92996895, 1.9107554],
    b: [-0.018311659, 0.071164424, 0.34232902, 0.67784686, -0.21145329, 1.2157604],
  },
];

const pytorchTests = PYTORCH.map(({ name, make, a, b }): KernelTest => ({
  name: `PyTorch: ${name}`,
  run: async (engine: Engine) => {
    const parameters = new Parameters(
      engine,
      'test',
      moduleOf([
        { name: 'a', shape: [3], initialize: constant(Float32Array.from(A)) },
        { name: 'b', shape: [2, 3], initialize: constant(Float32Array.from(B)) },
      ]),
    );
    parameters.initialize(() => ({ uniform: () => 0, normal: () => 0 }));
    const optimizer = make(parameters);
    const graph = new Graph(engine);
    const c = [graph.input('ca', [3]), graph.input('cb', [2, 3])] as const;
    optimizer.minimize(lossOf(parameters, c));
    const program = await graph.compile();
    for (const factors of FACTORS) {
      program.write(c[0], Float32Array.from(factors.a));
      program.write(c[1], Float32Array.from(factors.b));
      program.run();
    }
    const values = await parameters.read();
    expectClose('a', values.get('a') ?? [], a, 1e-6);
    expectClose('b', values.get('b') ?? [], b, 1e-6);
    for (const owner of [program, optimizer, parameters]) owner.dispose();
  },
}));

export default suite('optimizer', [
  ...CASES.flatMap((each) => [stepsTest(each, 0.01, 0), stepsTest(each, SCHEDULE, 5)]),
  ...pytorchTests,
]);
