import { moduleOf, type ParameterSpec } from './moduleOf';
import type { Engine } from '../src/engine/engine';
import type { Slice } from '../src/gpu/storage';
import { Parameters } from '../src/nn/parameters';
import { isDecayed, HYPER_VALUES } from '../src/optim/adamw';
import { gradientNorm } from '../src/optim/gradientNorm';
import { LossScaling } from '../src/optim/lossScaling';
import { Muon, MUON_COEFFICIENTS, MUON_ITERATIONS } from '../src/optim/muon';
import { Graph } from '../src/tensor/graph';
import { readTensor, type Precision } from '../src/tensor/tensor';
import { expectClose, HALF_TOLERANCE, random } from './allclose';
import { muonStep, orthogonalised, type MuonReference } from './muon.reference';
import { suite } from './suite';

/** A bias; a row, a column; wide, tall and square ones, of odd sides too; two of one shape; three in one; a convolution. */
const SHAPES = [[65], [1, 17], [17, 1], [33, 5], [17, 65], [48, 48], [48, 48], [51, 17], [12, 3, 2, 2]] as const;
const matrices = ({ shape }: Pick<ParameterSpec, 'shape'>): number =>
  shape.length === 1 ? 0 : shape[0] === 51 ? 3 : 1;
const OPTIONS = { betas: [0.9, 0.95], eps: 1e-8, weightDecay: 0.05, rate: 10, matrices } as const;
const RATES = [1e-3, 2e-3, 5e-4];

/**
 * Rounding of a matrix to f32, 6e-8 of its norm, is carried along by the slope of the iterations at zero, 3.4⁴ = 140, where
 * a singular value is small: below 1e-5. The moves themselves are differences of numbers near 1, as in adamw's test.
 */
const TOLERANCE = 2e-4;

const start = (index: number): Float64Array => random(SHAPES[index] as readonly number[], index + 1).data;
const gradientOf = (step: number, index: number): Float64Array =>
  random(SHAPES[index] as readonly number[], 100 * (step + 1) + index).data;

interface Trained {
  readonly parameters: Parameters;
  readonly optimizer: Muon;
  readonly step: (rate: number, step: number, gradients: readonly ArrayLike<number>[]) => void;
  readonly dispose: () => void;
}

async function trained(engine: Engine, limit: number, precision: Precision = 'f32'): Promise<Trained> {
  const specs = SHAPES.map((shape, index) => ({
    name: `p${index}`,
    shape,
    initialize: () => Float32Array.from(start(index)),
  }));
  const parameters = new Parameters(engine, 'test', moduleOf(specs), { precision });
  const optimizer = new Muon(parameters, OPTIONS, precision === 'f16' ? new LossScaling(engine, 3, 8) : undefined);
  parameters.initialize(() => ({ uniform: () => 0, normal: () => 0 }));
  await parameters.updateHalves();
  const graph = new Graph(engine);
  const hyper = graph.input('hyper', [HYPER_VALUES]);
  optimizer.record(graph, hyper, gradientNorm(graph, parameters.arenas, limit, optimizer.scaling));
  const program = await graph.compile();
  return {
    parameters,
    optimizer,
    step: (rate, step, gradients) => {
      for (const [index, { grad }] of (parameters.arenas[0]?.members ?? []).entries()) {
        engine.write(grad.storage as Slice, Float32Array.from(gradients[index] ?? []));
      }
      program.write(hyper, optimizer.hyper(rate, step));
      program.run();
    },
    dispose: () => {
      for (const owner of [program, optimizer, parameters]) owner.dispose();
    },
  };
}

async function expectMoves(engine: Engine, limit: number, precision: Precision = 'f32'): Promise<void> {
  const { parameters, optimizer, step, dispose } = await trained(engine, limit, precision);
  const reference: MuonReference[] = SHAPES.map((shape, index) => ({
    ...{ shape, matrices: matrices({ shape }), decayed: isDecayed({ shape }) },
    ...{ value: start(index), m: start(index).fill(0), v: start(index).fill(0) },
  }));
  const scale = precision === 'f16' ? 8 : 1; // that of the loss, which the gradients carry
  for (const [at, learningRate] of RATES.entries()) {
    const gradients = SHAPES.map((_, index) => gradientOf(at, index));
    const norm = Math.sqrt(gradients.reduce((sum, g) => sum + g.reduce((s, x) => s + x * x, 0), 0));
    const factor = limit > 0 ? Math.min(1, limit / (norm + 1e-6)) : 1;
    muonStep(reference, gradients, { ...OPTIONS, learningRate, step: at + 1, factor });
    // The scale doubles after three good steps, the last of these.
    step(
      learningRate,
      at + 1,
      gradients.map((gradient) => gradient.map((x) => x * scale)),
    );
  }
  const values = await parameters.read();
  const moments = await optimizer.read();
  for (const [index, { value, m }] of reference.entries()) {
    const moved = (to: ArrayLike<number>): number[] => Array.from(start(index), (x, i) => (to[i] as number) - x);
    expectClose(`move of p${index}`, moved(values.get(`p${index}`) ?? []), moved(value), TOLERANCE);
    expectClose(`m of p${index}`, moments.get(`m.p${index}`) ?? [], m, 1e-6);
  }
  for (const [name, { half }] of parameters.entries) {
    if (half) expectClose(`copy of ${name}`, await readTensor(engine, half), values.get(name) ?? [], HALF_TOLERANCE);
  }
  dispose();
}

export default suite('muon', [
  ...[0, 0.5].map((limit) => ({
    name: `${RATES.length} steps, clip norm ${limit || 'off'}`,
    run: (engine: Engine) => expectMoves(engine, limit),
  })),
  {
    name: 'f16: the loss scale is off the moves, and the copies follow',
    run: async (engine) => {
      if (engine.hasHalf) await expectMoves(engine, 0.5, 'f16');
    },
  },
  {
    name: 'f16: a step that overflows changes nothing',
    run: async (engine) => {
      if (!engine.hasHalf) return;
      const { parameters, step, dispose } = await trained(engine, 0, 'f16');
      const before = await parameters.read();
      step(
        1e-3,
        1,
        SHAPES.map((_, index) => gradientOf(0, index).fill(index === 3 ? Infinity : 1, 0, 1)),
      );
      for (const [name, values] of await parameters.read()) {
        const old = before.get(name) ?? [];
        if (values.some((value, i) => value !== old[i])) throw new Error(`${name} changed`);
      }
      dispose();
    },
  },
  {
    // Of a diagonal matrix the iterations take each singular value by itself, along x ← a·x + b·x³ + c·x⁵.
    name: 'the reference, and the engine, on a diagonal matrix: each singular value goes its way alone, and ends near 1',
    run: async (engine) => {
      const side = 48;
      const diagonal = Array.from({ length: side }, (_, i) => 1 + i / side);
      const norm = Math.hypot(...diagonal);
      const [a, b, c] = MUON_COEFFICIENTS;
      const wanted = diagonal.map((value) => {
        let x = value / norm;
        for (let i = 0; i < MUON_ITERATIONS; i++) x = a * x + b * x ** 3 + c * x ** 5;
        return x;
      });
      if (wanted.some((x) => x < 0.6 || x > 1.25)) throw new Error(`singular values end at ${String(wanted)}`);
      const u = new Float64Array(side * side);
      diagonal.forEach((value, i) => (u[i * side + i] = value));
      const expected = new Float64Array(side * side);
      wanted.forEach((value, i) => (expected[i * side + i] = value));
      expectClose('the reference', orthogonalised(u, side, side), expected, 1e-6); // 1e-7 is added to the norm
      const { parameters, step, dispose } = await trained(engine, 0);
      const place = SHAPES.findIndex(([rows]) => rows === side);
      step(
        1,
        1,
        SHAPES.map((shape, index) => (index === place ? u : random(shape, 7).data)),
      );
      const { weightDecay, rate } = OPTIONS;
      const after = (await parameters.read()).get(`p${place}`) ?? [];
      const moved = start(place).map((x, i) => ((1 - weightDecay) * x - (after[i] as number)) / rate);
      expectClose('the engine', moved, expected, 1e-5);
      dispose();
    },
  },
]);
