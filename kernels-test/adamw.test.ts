import { moduleOf, type ParameterSpec } from './moduleOf';
import { Parameters } from '../src/nn/parameters';
import { AdamW, HYPER_VALUES } from '../src/optim/adamw';
import { gradientNorm } from '../src/optim/gradientNorm';
import { learningRateAt, type Schedule } from '../src/optim/schedule';
import { LossScaling } from '../src/optim/lossScaling';
import type { Engine } from '../src/engine/engine';
import type { Slice } from '../src/gpu/storage';
import { Graph } from '../src/tensor/graph';
import type { Parameter } from '../src/tensor/parameter';
import { readTensor, type Tensor } from '../src/tensor/tensor';
import { adamwStep, type AdamWReference } from './adamw.reference';
import { expectClose, random } from './allclose';
import { suite, type KernelTest } from './suite';

const OPTIONS = { betas: [0.9, 0.95], eps: 1e-8, weightDecay: 0.05 } as const;
const RATES = [0, 1e-3, 2e-3, 5e-4];

const specs = (shapes: readonly (readonly number[])[]): ParameterSpec[] =>
  shapes.map((shape, index) => ({
    name: `p${index}`,
    shape,
    initialize: () => Float32Array.from(random(shape, index + 1).data),
  }));

/** Scalars, odd sizes, one-dimensional parameters (not decayed), a fixed table between them, more than one segment. */
const SHAPES = [[1], [3], [1, 1, 17], [33, 5], [65], [64, 65]];

/** A model in f16, its optimizer, and a program of the update alone. */
async function halfModel(engine: Engine): Promise<{
  readonly parameters: Parameters;
  readonly optimizer: AdamW;
  readonly step: (gradient: (p: number) => Float32Array) => Promise<ArrayLike<number>>;
  readonly dispose: () => void;
}> {
  const parameters = new Parameters(engine, 'test', moduleOf(specs(SHAPES)), { precision: 'f16' });
  const optimizer = new AdamW(parameters, OPTIONS, new LossScaling(engine, 3, 8));
  parameters.initialize(() => ({ uniform: () => 0, normal: () => 0 }));
  await parameters.updateHalves();
  const graph = new Graph(engine);
  const hyper = graph.input('hyper', [HYPER_VALUES]);
  const norm = gradientNorm(graph, parameters.arenas, 0, optimizer.scaling);
  optimizer.record(graph, hyper, norm);
  graph.output(norm);
  const program = await graph.compile();
  let steps = 0;
  return {
    parameters,
    optimizer,
    step: async (gradient) => {
      for (const [p, { grad }] of (parameters.arenas[0]?.members ?? []).entries())
        engine.write(grad.storage as Slice, gradient(p));
      program.write(hyper, optimizer.hyper(1e-3, ++steps));
      program.run();
      return program.read(norm);
    },
    dispose: () => {
      program.dispose();
      optimizer.dispose();
      parameters.dispose();
    },
  };
}

/** Every copy is its weight in f16. WGSL leaves open which of the two neighbours: an error below 2⁻¹⁰ of it, or of 2⁻¹⁴. */
async function expectCopies(engine: Engine, parameters: Parameters): Promise<void> {
  for (const [name, tensor] of parameters.entries) {
    const values = await readTensor(engine, tensor);
    const copy = await readTensor(engine, tensor.half as Tensor);
    const at = values.findIndex(
      (value, i) => !(Math.abs((copy[i] as number) - value) <= 2 ** -10 * Math.max(Math.abs(value), 2 ** -14)),
    );
    if (at >= 0) throw new Error(`copy of ${name}[${at}] is ${copy[at] ?? NaN}, not ${values[at] ?? NaN}`);
  }
}

const gradientOf = (seed: number, scale: number) => (p: number) =>
  Float32Array.from(random(SHAPES[p] as number[], 100 * seed + p).data, (x) => x * scale);

const halfTests: readonly KernelTest[] = [
  {
    name: 'the copy in f16 follows the weights',
    run: async (engine) => {
      if (!engine.hasHalf) return;
      const { parameters, step, dispose } = await halfModel(engine);
      await expectCopies(engine, parameters);
      for (const seed of [1, 2]) await step(gradientOf(seed, 8));
      await expectCopies(engine, parameters);
      dispose();
    },
  },
  {
    name: 'the loss scale: off the norm and the update, halved with a step that overflows and is skipped, doubled after good ones',
    run: async (engine) => {
      if (!engine.hasHalf) return;
      const { parameters, optimizer, step, dispose } = await halfModel(engine);
      const norm = Math.sqrt(SHAPES.reduce((sum, _, p) => sum + gradientOf(1, 1)(p).reduce((s, x) => s + x * x, 0), 0));
      const states: number[][] = [];
      const everything = async (): Promise<Map<string, Float32Array>> =>
        new Map([...(await parameters.read()), ...(await optimizer.read())]);
      const run = async (scale: number, broken?: number): Promise<void> => {
        const [found = 0, factor = 0, ...rest] = Array.from(
          await step((p) => {
            const gradient = gradientOf(1, scale)(p);
            if (broken !== undefined && p === 3) gradient[gradient.length - 1] = broken;
            return gradient;
          }),
        );
        if (broken === undefined) expectClose('norm and factor', [found, factor], [norm, 1 / scale], 1e-6);
        states.push(rest);
      };
      await run(8);
      const before = await everything();
      await run(8, Infinity);
      await run(4, NaN);
      const after = await everything();
      for (const [name, values] of before) {
        if (name !== 'lossScaling') expectSame(name, after.get(name) ?? [], values);
      }
      await expectCopies(engine, parameters);
      for (const scale of [2, 2, 2, 4]) await run(scale);
      // Good or not, the scale of the step, and how many were skipped.
      const wanted = [
        [1, 8, 0],
        [0, 8, 1],
        [0, 4, 2],
        [1, 2, 2],
        [1, 2, 2],
        [1, 2, 2],
        [1, 4, 2],
      ];
      if (JSON.stringify(states) !== JSON.stringify(wanted)) throw new Error(`states ${JSON.stringify(states)}`);
      expectSame('state', (await optimizer.read()).get('lossScaling') ?? [], [4, 1, 2]);
      dispose();
    },
  },
  {
    name: 'a scaled gradient moves the weights as the gradient itself does',
    run: async (engine) => {
      if (!engine.hasHalf) return;
      const moved: ReadonlyMap<string, Float32Array>[] = [];
      for (const scaled of [true, false]) {
        const parameters = new Parameters(engine, 'test', moduleOf(specs(SHAPES)), {
          precision: scaled ? 'f16' : 'f32',
        });
        const optimizer = new AdamW(parameters, OPTIONS, scaled ? new LossScaling(engine) : undefined);
        parameters.initialize(() => ({ uniform: () => 0, normal: () => 0 }));
        const graph = new Graph(engine);
        const hyper = graph.input('hyper', [HYPER_VALUES]);
        optimizer.record(graph, hyper, gradientNorm(graph, parameters.arenas, 0.5, optimizer.scaling));
        const program = await graph.compile();
        for (const [p, { grad }] of (parameters.arenas[0]?.members ?? []).entries()) {
          engine.write(grad.storage as Slice, gradientOf(1, scaled ? 65536 : 1)(p));
        }
        program.write(hyper, optimizer.hyper(1e-3, 1));
        program.run();
        moved.push(await parameters.read());
        for (const owner of [program, optimizer, parameters]) owner.dispose();
      }
      // A scale that is a power of two changes no rounding but that of the clipping.
      for (const [name, values] of moved[0] ?? []) expectClose(name, values, moved[1]?.get(name) ?? [], 1e-6);
    },
  },
];

function expectSame(what: string, actual: ArrayLike<number>, wanted: ArrayLike<number>): void {
  const at = Array.from(wanted).findIndex((value, i) => value !== actual[i]);
  if (at >= 0) throw new Error(`${what}[${at}] is ${actual[at] ?? NaN}, not ${wanted[at] ?? NaN}`);
}

const SCHEDULES: readonly (number | Schedule)[] = [
  3e-4,
  { peak: 1e-3, minimum: 1e-5, warmupSteps: 10, steps: 1000 },
  { peak: 2, minimum: 0, warmupSteps: 0, steps: 100_000, decay: 0.25 },
];

const hyperTests = SCHEDULES.map((learningRate): KernelTest => ({
  name: `what a step needs, made on the GPU, learning rate ${JSON.stringify(learningRate)}`,
  run: async (engine) => {
    const parameters = new Parameters(engine, 'test', moduleOf(specs([[3]])));
    const optimizer = new AdamW(parameters, { ...OPTIONS, learningRate });
    const graph = new Graph(engine);
    const hyper = optimizer.recordHyper(graph);
    graph.output(hyper);
    const program = await graph.compile();
    const { step } = optimizer;
    for (const done of [0, 1, 2, 16, 999, 1000, 123_456]) {
      if (step) engine.write(step.storage, Uint32Array.of(done));
      program.run();
      const rate = typeof learningRate === 'number' ? learningRate : learningRateAt(learningRate, done);
      const wanted = optimizer.hyper(rate, done + 1);
      for (const [i, value] of (await program.read(hyper)).entries()) {
        // A few roundings; the exponential, where the series does not serve, may be off by some more.
        expectClose(`${done} steps, ${i}`, [value], [wanted[i] as number], 2e-6);
      }
      if (step) expectSame('steps', await readTensor(engine, step), [done + 1]);
    }
    for (const owner of [program, optimizer, parameters]) owner.dispose();
  },
}));

export default suite('adamw', [
  ...halfTests,
  ...hyperTests,
  {
    name: 'groups: a share of the learning rate, and decay where it is said',
    run: async (engine) => {
      const group = ({ name }: { readonly name: string }): { scale: number; decayed: boolean } => ({
        scale: name === 'p3' ? 0.25 : 1,
        decayed: name === 'p4',
      });
      const gradients = SHAPES.map((shape, p) => random(shape, 100 + p).data);
      const parameters = new Parameters(engine, 'test', moduleOf(specs(SHAPES)));
      const optimizer = new AdamW(parameters, { ...OPTIONS, group });
      parameters.initialize(() => ({ uniform: () => 0, normal: () => 0 }));
      const graph = new Graph(engine);
      const hyper = graph.input('hyper', [HYPER_VALUES]);
      optimizer.record(graph, hyper, gradientNorm(graph, parameters.arenas, 0));
      const program = await graph.compile();
      for (const [p, { grad }] of (parameters.arenas[0]?.members ?? []).entries()) {
        engine.write(grad.storage as Slice, Float32Array.from(gradients[p] ?? []));
      }
      program.write(hyper, optimizer.hyper(1e-2, 1));
      program.run();
      const values = await parameters.read();
      for (const [p, shape] of SHAPES.entries()) {
        const start = random(shape, p + 1).data;
        const { scale, decayed } = group({ name: `p${p}` });
        const reference = { value: start.slice(), m: start.map(() => 0), v: start.map(() => 0), decayed };
        adamwStep([reference], [gradients[p] ?? start], { ...OPTIONS, learningRate: 1e-2 * scale, step: 1, factor: 1 });
        const moved = (to: ArrayLike<number>): number[] => Array.from(start, (x, i) => (to[i] as number) - x);
        expectClose(`move of p${p}`, moved(values.get(`p${p}`) ?? []), moved(reference.value), 2e-4); // as below
      }
      for (const owner of [program, optimizer, parameters]) owner.dispose();
    },
  },
  ...[0, 0.5].map((limit) => ({
    name: `${RATES.length} steps, clip norm ${limit || 'off'}`,
    run: async (engine: Engine) => {
      const parameters = new Parameters(engine, 'test', moduleOf(specs(SHAPES)));
      const optimizer = new AdamW(parameters, OPTIONS);
      parameters.initialize(() => ({ uniform: () => 0, normal: () => 0 }));
      const reference: AdamWReference[] = SHAPES.map((shape, index) => ({
        value: random(shape, index + 1).data,
        m: new Float64Array(random(shape, 1).data.length),
        v: new Float64Array(random(shape, 1).data.length),
        decayed: shape.length > 1,
      }));
      const graph = new Graph(engine);
      const hyper = graph.input('hyper', [HYPER_VALUES]);
      const norm = gradientNorm(graph, parameters.arenas, limit);
      optimizer.record(graph, hyper, norm);
      graph.output(norm);
      const program = await graph.compile();
      for (const [index, rate] of RATES.entries()) {
        const gradients = SHAPES.map((shape, p) => random(shape, 100 * (index + 1) + p).data);
        for (const [p, gradient] of gradients.entries()) {
          const { storage } = (parameters.arenas[0]?.members[p] as Parameter).grad;
          engine.write(storage as Slice, Float32Array.from(gradient));
        }
        const expectedNorm = Math.sqrt(gradients.reduce((sum, g) => sum + g.reduce((s, x) => s + x * x, 0), 0));
        const factor = limit > 0 ? Math.min(1, limit / (expectedNorm + 1e-6)) : 1;
        adamwStep(reference, gradients, { ...OPTIONS, learningRate: rate, step: index + 1, factor });
        program.write(hyper, optimizer.hyper(rate, index + 1));
        program.run();
        expectClose('norm and clip', await program.read(norm), [expectedNorm, factor], 1e-6);
      }
      const values = await parameters.read();
      const moments = await optimizer.read();
      for (const [p, { value, m, v }] of reference.entries()) {
        const start = random(SHAPES[p] as number[], p + 1).data;
        const moved = (to: ArrayLike<number>): number[] => Array.from(start, (x, i) => (to[i] as number) - x);
        // The move is a difference of numbers near 1 that f32 rounds at 6e-8, relative to steps of about 1e-3.
        expectClose(`move of p${p}`, moved(values.get(`p${p}`) ?? []), moved(value), 2e-4);
        expectClose(`m of p${p}`, moments.get(`m.p${p}`) ?? [], m, 1e-6);
        expectClose(`v of p${p}`, moments.get(`v.p${p}`) ?? [], v, 1e-6);
      }
      program.dispose();
      optimizer.dispose();
      parameters.dispose();
    },
  })),
]);
