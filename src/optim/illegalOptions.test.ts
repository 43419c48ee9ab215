import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Engine } from '../engine/engine';
import { f32 } from '../engine/inputs';
import { Linear } from '../nn/linear';
import { Module } from '../nn/module';
import { Parameters } from '../nn/parameters';
import { matmul } from '../ops/matmul';
import { sum } from '../ops/reduce';
import { load } from '../tensor/state';
import type { Tensor } from '../tensor/tensor';
import { testEngine } from '../testing/testEngine';
import { Adam, AdamW } from './adamw';
import { Ema } from './ema';
import { Lars } from './lars';
import { Lion, Sgd } from './momentum';

const schedule = { peak: 0.1, minimum: 0, warmupSteps: 1, steps: 4 };

/** What would make NaN of a model, or train another way, in silence: the option, and how it is given. */
const WRONG: readonly (readonly [string, string, (model: Module) => unknown])[] = [
  ['Sgd', 'learningRate', (model) => new Sgd(model, { learningRate: NaN })],
  ['Sgd', 'learningRate', (model) => new Sgd(model, { learningRate: Infinity })],
  ['Sgd', 'clipNorm', (model) => new Sgd(model, { clipNorm: NaN })],
  ['Sgd', 'momentum', (model) => new Sgd(model, { momentum: NaN })],
  ['Sgd', 'weightDecay', (model) => new Sgd(model, { weightDecay: -0.1 })],
  ['Lion', 'betas[1]', (model) => new Lion(model, { betas: [0.9, 1] })],
  ['Adam', 'betas[0]', (model) => new Adam(model, { betas: [-0.1, 0.9] })],
  ['Adam', 'eps', (model) => new Adam(model, { eps: NaN })],
  ['AdamW', 'weightDecay', (model) => new AdamW(model, { weightDecay: NaN })],
  ['AdamW', 'learningRate', (model) => new AdamW(model, { learningRate: -1 })],
  ['AdamW', 'learningRate.peak', (model) => new AdamW(model, { learningRate: { ...schedule, peak: Infinity } })],
  ['AdamW', 'learningRate.steps', (model) => new AdamW(model, { learningRate: { ...schedule, steps: NaN } })],
  ['AdamW', 'learningRate.decay', (model) => new AdamW(model, { learningRate: { ...schedule, decay: 0 } })],
  ['Lars', 'trust', (model) => new Lars(model, { trust: NaN })],
  ['Ema', 'decay', (model) => new Ema(model, { decay: 1.5 })],
];

/** One weight under two names. */
class Tied extends Module {
  readonly first = new Linear(3, 3);
  readonly second = new Linear(3, 3);
  readonly shared = this.first.weight;
  forward(x: Tensor): Tensor {
    return matmul(this.second.forward(this.first.forward(x)), this.shared, 'nt');
  }
}

describe('options and states that do not fit', () => {
  let engine: Engine;
  beforeAll(async () => {
    engine = await testEngine();
  });
  afterAll(() => {
    engine.dispose();
  });

  it.each(WRONG)('%s refuses %s', (name, option, make) => {
    const model = engine.init(new Linear(2, 2));
    const before = engine.pool.liveBuffers;
    expect(() => make(model)).toThrow(`${name}: ${option} is `);
    expect(engine.pool.liveBuffers).toBe(before);
    engine.release(model);
  });

  it('loads no data of another length or type', async () => {
    const model = engine.init(new Linear(2, 2));
    const state = await model.stateDict();
    const short = new Float32Array(3);
    const wide = new Float64Array(4) as never; // as JavaScript may give it
    await expect(load(model, new Map(state).set('weight', { shape: [2, 2], data: short }))).rejects.toThrow(
      "'weight' [2, 2], of which it has 3 elements",
    );
    await expect(load(model, new Map(state).set('weight', { shape: [2, 2], data: wide }))).rejects.toThrow(
      "'weight', which holds f32 here",
    );
    engine.release(model);
  });

  it('gives a parameter of two names memory once, and both their gradients', async () => {
    const model = engine.init(new Tied(), { seed: 1 });
    const names = Parameters.of(model).arenas.flatMap(({ members }) => members.map(({ name }) => name));
    expect(names).toEqual(['first.weight', 'first.bias', 'second.weight', 'second.bias']);
    const optimizer = new Sgd(model, { learningRate: 1 });
    const before = await model.stateDict();
    const program = await engine.compile({ x: f32(1, 3) }, ({ x }) => {
      const loss = sum(model.forward(x));
      optimizer.minimize(loss);
      return { loss };
    });
    const x = [1, -2, 0.5];
    await program.run({ x: Float32Array.from(x) });
    const after = await model.stateDict();
    const entry = (state: typeof before, name: string): number[] => [...(state.get(name)?.data ?? [])];
    expect(entry(after, 'shared')).toEqual(entry(after, 'first.weight'));
    // loss = Σⱼ (W₁·z)ⱼ for z = W₂·h + b₂, h = W₁·x + b₁: dW₁ = 1·zᵀ + (W₂ᵀ·W₁ᵀ·1)·xᵀ.
    const [w1, w2] = [entry(before, 'first.weight'), entry(before, 'second.weight')];
    const [b1, b2] = [entry(before, 'first.bias'), entry(before, 'second.bias')];
    const times = (w: number[], v: number[], b: number[]): number[] =>
      b.map((bias, i) => v.reduce((total, value, k) => total + (w[3 * i + k] ?? 0) * value, bias));
    const z = times(w2, times(w1, x, b1), b2);
    const ofZ = [0, 1, 2].map((k) => [0, 1, 2].reduce((total, j) => total + (w1[3 * j + k] ?? 0), 0));
    const ofH = [0, 1, 2].map((k) => [0, 1, 2].reduce((total, j) => total + (w2[3 * j + k] ?? 0) * (ofZ[j] ?? 0), 0));
    const moved = w1.map((w, at) => w - ((z[at % 3] ?? 0) + (ofH[Math.floor(at / 3)] ?? 0) * (x[at % 3] ?? 0)));
    for (const [at, w] of entry(after, 'shared').entries()) expect(w).toBeCloseTo(moved[at] ?? NaN, 5);
    program.dispose();
    optimizer.dispose();
    engine.release(model);
  });
});
