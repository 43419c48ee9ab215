import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { random } from '../../kernels-test/allclose';
import type { Engine } from '../engine/engine';
import { f32, u32 } from '../engine/inputs';
import { readStateDict, writeStateDict } from '../formats/stateDict';
import { mse } from '../ops/mse';
import { relu } from '../ops/relu';
import { AdamW } from '../optim/adamw';
import { load } from '../tensor/state';
import { readTensor } from '../tensor/tensor';
import { testEngine } from '../testing/testEngine';
import { AvgPool2d, Conv2d, ConvTranspose2d, MaxPool2d } from './convolution';
import { Embedding } from './embedding';
import { Linear } from './linear';
import { BatchNorm2d, GroupNorm, LayerNorm, RmsNorm } from './norms';
import { Dropout, Flatten, Sequential } from './sequential';

/** Whatever it is made of, it has something of each kind. */
const makeNet = (): Sequential =>
  new Sequential(
    new Linear(6, 17, { bias: false }),
    new BatchNorm2d(17),
    relu,
    new Dropout(0.25),
    new Linear(17, 6),
    new LayerNorm(6, { bias: false }),
    new RmsNorm(6),
    new GroupNorm(2, 6),
    new Sequential(new Linear(6, 1)),
  );

const BATCH = { x: f32(33, 6), y: f32(33, 1) };
const batch = (step: number): { x: Float32Array; y: Float32Array } => ({
  x: Float32Array.from(random([33, 6], step).data),
  y: Float32Array.from(random([33], 100 + step).data),
});

describe('modules', () => {
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

  const NAMES = [
    ...['0.weight', '1.weight', '1.bias', '4.weight', '4.bias', '5.weight', '6.weight', '7.weight', '7.bias'],
    ...['8.0.weight', '8.0.bias'],
  ];

  it('Flatten makes one axis of all but the batch', async () => {
    const net = engine.init(new Sequential(new Flatten(), new Linear(6, 1)), { seed: 1 });
    expect(net.namedParameters().map(({ name }) => name)).toEqual(['1.weight', '1.bias']);
    const program = await engine.compile({ x: f32(5, 2, 3) }, ({ x }) => ({ y: net.forward(x) }));
    await program.run({ x: new Float32Array(30) });
    expect(await program.outputs.y.data()).toHaveLength(5);
    program.dispose();
    engine.release(net);
  });

  it("are named as PyTorch's, buffers after parameters", async () => {
    const net = makeNet();
    expect(net.namedParameters().map(({ name }) => name)).toEqual(NAMES);
    expect(net.namedBuffers().map(({ name }) => name)).toEqual(['1.running_mean', '1.running_var']);
    expect(net.parameters()).toHaveLength(NAMES.length);
    await expect(async () => net.stateDict()).rejects.toThrow("'parameter [17, 6]' has no memory yet");
    engine.init(net);
    const state = await net.stateDict();
    expect([...state.keys()]).toEqual([...NAMES, '1.running_mean', '1.running_var']);
    expect(state.get('1.running_var')).toEqual({ shape: [17], data: new Float32Array(17).fill(1) });
    engine.release(net);
  });

  it('begin as in PyTorch: linear layers on ±1/√inputs, norms as the identity', async () => {
    const layer = engine.init(new Linear(64, 65));
    for (const tensor of layer.parameters()) {
      const values = await readTensor(engine, tensor);
      expect(Math.max(...values.map(Math.abs))).toBeLessThanOrEqual(1 / 8);
      expect(Math.max(...values)).toBeGreaterThan(0.9 / 8);
      expect(Math.min(...values)).toBeLessThan(-0.9 / 8);
    }
    engine.release(layer);
  });

  /** Losses of steps, the last of which follow a saving and a loading into a model made anew. */
  async function losses(steps: number, resumedAt: number): Promise<number[]> {
    let net = engine.init(makeNet(), { seed: 3 });
    let adam = new AdamW(net, { learningRate: { peak: 0.05, minimum: 0, warmupSteps: 1, steps } });
    const compile = (firstStep: number) =>
      engine.compile(
        BATCH,
        ({ x, y }) => {
          const loss = mse(net.forward(x), y);
          adam.minimize(loss);
          return { loss };
        },
        { seed: 9, firstStep },
      );
    let program = await compile(0);
    const found: number[] = [];
    for (let step = 0; step < steps; step++) {
      if (step === resumedAt) {
        const files = [writeStateDict(await net.stateDict()), writeStateDict(await adam.stateDict())] as const;
        for (const owner of [program, adam]) owner.dispose();
        engine.release(net);
        net = engine.init(makeNet(), { seed: 4 });
        adam = new AdamW(net, { learningRate: { peak: 0.05, minimum: 0, warmupSteps: 1, steps } });
        await load(net, readStateDict(files[0]));
        await load(adam, readStateDict(files[1]));
        program = await compile(step);
      }
      await program.run(batch(step));
      found.push(await program.outputs.loss.item());
    }
    for (const owner of [program, adam]) owner.dispose();
    engine.release(net);
    return found;
  }

  it('train, are saved as safetensors, and go on with the same bits, dropout and running statistics too', async () => {
    const whole = await losses(5, -1);
    expect(await losses(5, 3)).toEqual(whole);
    expect(new Set(whole).size).toBe(5);
  });

  it('normalise by the batch where the program trains, and by what was moved where it does not', async () => {
    const norm = engine.init(new BatchNorm2d(3, { momentum: 0.5 }));
    const x = Float32Array.from(random([2, 3, 2, 5], 1).data);
    const train = await engine.compile({ x: f32(2, 3, 2, 5) }, (inputs) => ({ y: norm.forward(inputs.x) }), {
      training: true,
    });
    const use = await engine.compile({ x: f32(2, 3, 2, 5) }, (inputs) => ({ y: norm.forward(inputs.x) }), {
      training: false,
    });
    await use.run({ x });
    const first = await use.outputs.y.data();
    for (const [i, value] of first.entries()) expect(value).toBeCloseTo((x[i] as number) / Math.sqrt(1 + 1e-5), 6);
    for (let run = 0; run < 20; run++) await train.run({ x });
    await use.run({ x });
    const last = await use.outputs.y.data();
    // Running statistics are the batch's own by now, but that their variance is the unbiased one of 20 numbers.
    const batchNormed = await train.outputs.y.data();
    for (const [i, value] of last.entries()) {
      expect(value).toBeCloseTo((batchNormed[i] as number) * Math.sqrt(19 / 20), 3);
    }
    for (const program of [train, use]) program.dispose();
    engine.release(norm);
  });

  it('of images have the shapes and the beginnings of PyTorch', async () => {
    const net = engine.init(
      new Sequential(
        new Conv2d(3, 8, 3, { stride: 2, padding: 1, bias: false }),
        new BatchNorm2d(8),
        relu,
        new MaxPool2d(2),
        new Conv2d(8, 4, [1, 3], { groups: 2, padding: [0, 1] }),
        new ConvTranspose2d(4, 6, 2, { stride: 2 }),
        new AvgPool2d([2, 1]),
      ),
    );
    expect(net.namedParameters().map(({ name, shape }) => `${name} ${shape.join('×')}`)).toEqual([
      ...['0.weight 8×3×3×3', '1.weight 8', '1.bias 8', '4.weight 4×4×1×3', '4.bias 4', '5.weight 4×6×2×2', '5.bias 6'],
    ]);
    const bounds = { '0.weight': 27, '4.weight': 12, '4.bias': 12, '5.weight': 24, '5.bias': 24 };
    const state = await net.stateDict();
    for (const [name, fanIn] of Object.entries(bounds)) {
      const largest = Math.max(...(state.get(name)?.data ?? []).map(Math.abs));
      expect(largest).toBeLessThanOrEqual(1 / Math.sqrt(fanIn));
      expect(largest).toBeGreaterThan(0.4 / Math.sqrt(fanIn));
    }
    const program = await engine.compile({ x: f32(2, 3, 16, 16) }, ({ x }) => ({ y: net.forward(x) }), {
      training: true,
    });
    await program.run({ x: Float32Array.from(random([2 * 3 * 16 * 16], 1).data) });
    expect(program.outputs.y.shape).toEqual([2, 6, 4, 8]);
    expect((await program.outputs.y.data()).every(Number.isFinite)).toBe(true);
    program.dispose();
    engine.release(net);
  });

  it('read a state from an ArrayBuffer, too', async () => {
    const net = engine.init(makeNet());
    const bytes = writeStateDict(await net.stateDict());
    expect(readStateDict(new Uint8Array(bytes).buffer)).toEqual(readStateDict(bytes));
    engine.release(net);
  });

  it('refuse a state that is not theirs, and leave themselves as they were', async () => {
    const net = engine.init(makeNet());
    const state = await net.stateDict();
    const changed = new Map(state);
    changed.delete('0.weight');
    changed.set('9.weight', { shape: [1], data: new Float32Array(1) });
    changed.set('4.bias', { shape: [2, 3], data: new Float32Array(6) });
    changed.set('1.num_batches_tracked', { shape: [], data: new Float32Array(1) });
    await expect(load(net, changed)).rejects.toThrow(
      /it lacks '0.weight'; unknown are '9.weight'; it does not fit '4.bias' \[6\], which is \[2, 3\] there\. Load the state of such a model\.$/,
    );
    changed.set('4.bias', { shape: [6], data: new Float32Array(6).fill(7) });
    await expect(load(net, changed)).rejects.toThrow('or give { strict: false }');
    expect(await net.stateDict()).toEqual(state);
    await load(net, changed, { strict: false });
    expect((await net.stateDict()).get('4.bias')?.data).toEqual(new Float32Array(6).fill(7));
    engine.release(net);
  });

  it('learns a table by its numbers: the rows that are asked for, and no others', async () => {
    const table = engine.init(new Embedding(5, 3), { seed: 1 });
    const before = await readTensor(engine, table.weight);
    const adam = new AdamW(table, { learningRate: 0.1, weightDecay: 0 });
    const inputs = { i: u32(2, 2), y: f32(2, 2, 3) };
    const step = await engine.compile(inputs, ({ i, y }) => {
      const rows = table.forward(i);
      adam.minimize(mse(rows, y));
      return { rows };
    });
    await step.run({ i: Uint32Array.of(4, 0, 4, 2), y: new Float32Array(12) });
    expect((await step.outputs.rows.data()).subarray(0, 3)).toEqual(before.subarray(12));
    const after = await readTensor(engine, table.weight);
    const moved = [0, 1, 2, 3, 4].filter((row) => after[3 * row] !== before[3 * row]);
    expect(moved).toEqual([0, 2, 4]);
    step.dispose();
    adam.dispose();
    engine.release(table);
  });
});
