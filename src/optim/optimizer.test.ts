import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { random } from '../../kernels-test/allclose';
import { f32 } from '../engine/inputs';
import type { Engine } from '../engine/engine';
import { Linear } from '../nn/linear';
import { Module } from '../nn/module';
import { mul } from '../ops/binary';
import { mse } from '../ops/mse';
import { mean } from '../ops/reduce';
import { relu } from '../ops/relu';
import { load } from '../tensor/state';
import { readTensor, type Tensor } from '../tensor/tensor';
import { testEngine } from '../testing/testEngine';
import { Adam, AdamW } from './adamw';
import { Ema } from './ema';
import { Lars } from './lars';
import { Lion, Sgd } from './momentum';
import type { Optimizer } from './optimizer';

class Mlp extends Module {
  readonly fc1 = new Linear(3, 17);
  readonly fc2 = new Linear(17, 1);
  forward(x: Tensor): Tensor {
    return this.fc2.forward(relu(this.fc1.forward(x)));
  }
}

const BATCH = { x: f32(33, 3), y: f32(33, 1) };
const batch = (step: number): { x: Float32Array; y: Float32Array } => ({
  x: Float32Array.from(random([33, 3], step).data),
  y: Float32Array.from(random([33], 100 + step).data),
});

describe('optimizers', () => {
  let engine: Engine;
  beforeAll(async () => {
    engine = await testEngine();
  });
  afterEach(() => {
    const left = engine.pool.liveBuffers;
    engine.pool.dispose();
    expect(left).toBe(0);
  });
  afterAll(() => {
    engine.dispose();
  });

  const stepOf = (model: Mlp, optimizer: Optimizer) =>
    engine.compile(BATCH, ({ x, y }) => {
      const loss = mse(model.forward(x), y);
      optimizer.minimize(loss);
      return { loss };
    });

  const schedule = { peak: 0.1, minimum: 0.01, warmupSteps: 2, steps: 6 };
  const options = { learningRate: schedule, clipNorm: 0.5 };
  const makers: readonly (readonly [string, (model: Mlp) => Optimizer])[] = [
    ['Sgd', (model) => new Sgd(model, { ...options, momentum: 0.9 })],
    ['Lion', (model) => new Lion(model, options)],
    ['Adam', (model) => new Adam(model, options)],
    ['AdamW', (model) => new AdamW(model, options)],
    ['Lars', (model) => new Lars(model, options)],
  ];

  it.each(makers)('%s goes on from its saved state with the same bits, in a model made anew', async (_, make) => {
    const losses = async (resumedAt: number): Promise<Float32Array> => {
      let model = engine.init(new Mlp(), { seed: 1 });
      let optimizer = make(model);
      let program = await stepOf(model, optimizer);
      const found: number[] = [];
      for (let step = 0; step < 5; step++) {
        if (step === resumedAt) {
          const saved = [await model.stateDict(), await optimizer.stateDict()] as const;
          for (const owner of [program, optimizer]) owner.dispose();
          engine.release(model);
          model = engine.init(new Mlp(), { seed: 2 });
          optimizer = make(model);
          await load(model, saved[0]);
          await load(optimizer, saved[1]);
          program = await stepOf(model, optimizer);
        }
        await program.run(batch(step));
        found.push(await program.outputs.loss.item());
      }
      for (const owner of [program, optimizer]) owner.dispose();
      engine.release(model);
      return Float32Array.from(found);
    };
    expect(await losses(2)).toEqual(await losses(-1));
  });

  it('take no memory for what is frozen before init, and do not move it', async () => {
    const liveBytes = (freeze: (model: Mlp) => void): { bytes: number; model: Mlp; adam: AdamW } => {
      const before = engine.pool.liveBytes;
      const model = new Mlp();
      freeze(model);
      engine.init(model);
      const adam = new AdamW(model, { learningRate: 0.1 });
      return { bytes: engine.pool.liveBytes - before, model, adam };
    };
    const trained = liveBytes(() => undefined);
    const frozen = liveBytes(({ fc1 }) => fc1.parameters().forEach((parameter) => (parameter.requiresGrad = false)));
    // fc1: gradients, two moments and the segments' table of its 256 bytes' segments: one of the weight, one of the bias.
    expect(trained.bytes - frozen.bytes).toBe(2 * (3 * 256 + 8));
    expect(frozen.model.fc1.weight.requiresGrad).toBe(false);
    expect([...(await frozen.adam.read()).keys()]).toEqual([
      'step',
      ...['m', 'v'].flatMap((moment) => [`${moment}.fc2.weight`, `${moment}.fc2.bias`]),
    ]);
    const program = await stepOf(frozen.model, frozen.adam);
    const whole = await stepOf(trained.model, trained.adam);
    expect(program.statistics.dispatches).toBeLessThan(whole.statistics.dispatches);
    const before = await frozen.model.stateDict();
    await program.run(batch(1));
    const after = await frozen.model.stateDict();
    expect(after.get('fc1.weight')).toEqual(before.get('fc1.weight'));
    expect(after.get('fc2.weight')).not.toEqual(before.get('fc2.weight'));
    expect(() => (frozen.model.fc1.weight.requiresGrad = true)).toThrow('Set requiresGrad before engine.init.');
    for (const owner of [program, whole, trained.adam, frozen.adam]) owner.dispose();
    for (const { model } of [trained, frozen]) engine.release(model);
  });

  it('take the gradient of what a loss does not reach for 0, whatever another program left there', async () => {
    const model = engine.init(new Mlp(), { seed: 1 });
    const sgd = new Sgd(model, { learningRate: 0.1 });
    const other = new Sgd(model, { learningRate: 0 });
    const whole = await stepOf(model, other);
    await whole.run(batch(1));
    const hidden = await engine.compile({ x: f32(33, 3), y: f32(33, 17) }, ({ x, y }) => {
      sgd.minimize(mse(model.fc1.forward(x), y));
    });
    const before = await readTensor(engine, model.fc2.weight);
    await hidden.run({ x: batch(1).x, y: Float32Array.from(random([33, 17], 3).data) });
    expect(await readTensor(engine, model.fc2.weight)).toEqual(before);
    for (const owner of [whole, hidden, sgd, other]) owner.dispose();
    engine.release(model);
  });

  it('of two losses each moves its own parameters, where the one that detaches comes first', async () => {
    const [g, d] = [engine.init(new Linear(2, 2), { seed: 1 }), engine.init(new Linear(2, 1), { seed: 2 })];
    const rates = { learningRate: 0.1 };
    const [ofG, ofD] = [new Sgd(g, rates), new Sgd(d, rates)];
    const program = await engine.compile({ x: f32(3, 2) }, ({ x }) => {
      ofD.minimize(mul(mean(d.forward(g.forward(x).detach())), -3));
      ofG.minimize(mean(d.forward(g.forward(x))));
    });
    const [before] = await readTensor(engine, d.bias as Tensor);
    await program.run({ x: Float32Array.of(1, 2, 3, 4, 5, 6) });
    const [after] = await readTensor(engine, d.bias as Tensor);
    expect(Number(after) - Number(before)).toBeCloseTo(0.3, 6);
    const wrong = engine.compile({ x: f32(3, 2) }, ({ x }) => {
      ofG.minimize(mean(d.forward(g.forward(x))));
      ofD.minimize(mul(mean(d.forward(g.forward(x).detach())), -3));
    });
    await expect(wrong).rejects.toThrow(
      /^minimize: another loss of this program has given 'weight' a gradient already\. Minimize this loss before/,
    );
    for (const owner of [program, ofG, ofD]) owner.dispose();
    for (const model of [g, d]) engine.release(model);
  });

  it('averages follow the parameters, are exchanged with them, and are saved as a state of the model', async () => {
    const model = engine.init(new Mlp(), { seed: 1 });
    const sgd = new Sgd(model, { learningRate: 0.5 });
    const ema = new Ema(model, { decay: 0.75 });
    const program = await engine.compile(BATCH, ({ x, y }, graph) => {
      sgd.minimize(mse(model.forward(x), y));
      ema.update(graph);
    });
    const expected = Float64Array.from(await readTensor(engine, model.fc1.weight));
    for (let step = 0; step < 4; step++) {
      await program.run(batch(step));
      const now = await readTensor(engine, model.fc1.weight);
      for (const [i, value] of now.entries()) expected[i] = 0.75 * (expected[i] ?? 0) + 0.25 * value;
    }
    const own = await model.stateDict();
    const averages = await ema.stateDict();
    expect([...averages.keys()]).toEqual([...own.keys()]);
    for (const [i, value] of (averages.get('fc1.weight')?.data ?? []).entries())
      expect(value).toBeCloseTo(expected[i] ?? NaN, 6);
    await ema.swap();
    expect(await model.stateDict()).toEqual(averages);
    expect(await ema.stateDict()).toEqual(own);
    await ema.swap();
    expect(await model.stateDict()).toEqual(own);
    await load(ema, own);
    expect(await ema.stateDict()).toEqual(own);
    for (const owner of [program, sgd, ema]) owner.dispose();
    engine.release(model);
  });

  it('refuse Nesterov without momentum', () => {
    const model = engine.init(new Mlp());
    expect(() => new Sgd(model, { nesterov: true })).toThrow(
      'nesterov looks ahead by a momentum of 0. Give it momentum.',
    );
    engine.release(model);
  });
});
