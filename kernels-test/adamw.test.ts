import { Parameters, type ParameterSpec } from '../src/nn/parameters';
import { AdamW } from '../src/optim/adamw';
import { gradientNorm } from '../src/optim/gradientNorm';
import type { Engine } from '../src/gpu/engine';
import type { Slice } from '../src/gpu/storage';
import { Graph } from '../src/tensor/graph';
import type { Parameter } from '../src/tensor/parameter';
import { adamwStep, type AdamWReference } from './adamw.reference';
import { expectClose, random } from './compare';
import { suite } from './suite';

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

export default suite('adamw', [
  ...[0, 0.5].map((limit) => ({
    name: `${RATES.length} steps, clip norm ${limit || 'off'}`,
    run: async (engine: Engine) => {
      const parameters = new Parameters(engine, 'test', specs(SHAPES));
      const optimizer = new AdamW(engine, parameters, OPTIONS);
      parameters.initialize(() => ({ uniform: () => 0, normal: () => 0 }));
      const reference: AdamWReference[] = SHAPES.map((shape, index) => ({
        value: random(shape, index + 1).data,
        m: new Float64Array(random(shape, 1).data.length),
        v: new Float64Array(random(shape, 1).data.length),
        decayed: shape.length > 1,
      }));
      const graph = new Graph(engine);
      const hyper = optimizer.hyperInput(graph);
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
