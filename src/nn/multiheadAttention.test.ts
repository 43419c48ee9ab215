import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { expectClose } from '../../kernels-test/allclose';
import type { Engine } from '../engine/engine';
import { f32 } from '../engine/inputs';
import { mse } from '../ops/mse';
import { Sgd } from '../optim/momentum';
import { load } from '../tensor/state';
import { testEngine } from '../testing/testEngine';
import { MultiheadAttention } from './multiheadAttention';

const numbers = (count: number, at: (i: number) => number): Float32Array =>
  Float32Array.from({ length: count }, (_, i) => at(i));

/** What torch.nn.MultiheadAttention(4, 2, batch_first=True) of PyTorch 1.13 was given, in float64. */
const STATE = new Map([
  ['in_proj_weight', { shape: [12, 4], data: numbers(48, (i) => (((i * 7) % 11) - 5) / 10) }],
  ['in_proj_bias', { shape: [12], data: numbers(12, (i) => (((i * 5) % 7) - 3) / 10) }],
  ['out_proj.weight', { shape: [4, 4], data: numbers(16, (i) => (((i * 3) % 8) - 4) / 10) }],
  ['out_proj.bias', { shape: [4], data: Float32Array.of(0.1, -0.2, 0.3, 0) }],
]);
const X = numbers(12, (i) => (((i * 9) % 13) - 6) / 5);
const KEYS = numbers(8, (i) => (((i * 4) % 9) - 4) / 5);

/** What it gave: each token attending to all, to none after it, and to other tokens. */
const ALL = [
  ...[-0.16723983, -0.11766484, 0.032760166, 0.082335155, -0.11005425, -0.1381737, 0.089945755, 0.061826304],
  ...[-0.1361963, 0.030535071, 0.063803698, 0.23053507],
];
const CAUSAL = [
  ...[-0.132, -0.328, 0.068, -0.128, -0.16025051, -0.022656595, 0.039749494, 0.1773434],
  ...[-0.1361963, 0.030535071, 0.063803698, 0.23053507],
];
const CROSS = [
  ...[-0.083972534, -0.33008846, 0.11602747, -0.13008846, -0.035252994, -0.34593375, 0.16474701, -0.14593375],
  ...[-0.021578865, -0.33097073, 0.17842114, -0.13097073],
];

describe('MultiheadAttention', () => {
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

  it("gives PyTorch's numbers: of itself, causally, and of other tokens", async () => {
    const layer = engine.init(new MultiheadAttention(4, 2));
    await load(layer, STATE);
    const program = await engine.compile({ x: f32(1, 3, 4), key: f32(1, 2, 4) }, ({ x, key }) => ({
      all: layer.forward(x),
      causal: layer.forward(x, { causal: true }),
      cross: layer.forward(x, { key }),
    }));
    await program.run({ x: X, key: KEYS });
    expectClose('of itself', await program.outputs.all.data(), ALL, 1e-6);
    expectClose('causally', await program.outputs.causal.data(), CAUSAL, 1e-6);
    expectClose('of other tokens', await program.outputs.cross.data(), CROSS, 1e-6);
    program.dispose();
    engine.release(layer);
  });

  it.each([false, true])('has gradients of all of its parameters, other tokens: %s', async (isCross) => {
    const layer = engine.init(new MultiheadAttention(4, 2));
    await load(layer, STATE);
    const before = await layer.stateDict();
    const sgd = new Sgd(layer, { learningRate: 1 });
    const program = await engine.compile({ x: f32(1, 3, 4), key: f32(1, 2, 4) }, ({ x, key }) => {
      sgd.minimize(mse(layer.forward(x, isCross ? { key } : { causal: true }), x));
    });
    await program.run({ x: X, key: KEYS });
    const after = await layer.stateDict();
    expect([...after.keys()]).toEqual([...STATE.keys()]);
    for (const [name, { data }] of after) expect(data, name).not.toEqual(before.get(name)?.data);
    for (const owner of [program, sgd]) owner.dispose();
    engine.release(layer);
  });

  it('refuses heads that do not divide its width', () => {
    expect(() => new MultiheadAttention(5, 2)).toThrow('a width of 5 does not divide into 2 heads');
  });
});
