import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { expectClose, random } from '../../kernels-test/allclose';
import type { Engine } from '../engine/engine';
import { testEngine } from '../testing/testEngine';
import { Graph } from '../tensor/graph';
import type { Tensor } from '../tensor/tensor';
import { Block } from './layers';
import { Linear } from './linear';
import { Module } from './module';
import { Parameters } from './parameters';

const BATCH = 2;
const TOKENS = 5;
const DIM = 12;
const HEADS = 3;
const X = Float32Array.from(random([BATCH * TOKENS * DIM], 1).data);

describe('layers', () => {
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

  /** Runs a layer with random parameters, but for those that `change` sets. */
  async function run(
    layer: Module,
    forward: (x: Tensor) => Tensor,
    x: Float32Array,
    change: (parameters: Parameters) => void = () => undefined,
  ): Promise<Float32Array> {
    const parameters = new Parameters(engine, 'layer', layer);
    for (const [index, [name, { shape }]] of parameters.entries.entries()) {
      parameters.write(name, Float32Array.from(random(shape, 10 + index).data));
    }
    change(parameters);
    const graph = new Graph(engine);
    const y = forward(graph.input('x', [BATCH, TOKENS, DIM], 'f32', x));
    graph.output(y);
    const program = await graph.compile();
    program.run();
    const values = await program.read(y);
    program.dispose();
    parameters.dispose();
    return values;
  }

  const runBlock = (x: Float32Array, change?: (parameters: Parameters) => void): Promise<Float32Array> => {
    const block = new Block(DIM, HEADS);
    return run(block, (input) => block.forward(input), x, change);
  };

  const zero = (parameters: Parameters, name: string): void =>
    parameters.write(name, new Float32Array(parameters.get(name).size));

  /** The tokens of every sample in another order. */
  const permuted = (x: Float32Array, order: readonly number[]): Float32Array =>
    Float32Array.from({ length: x.length }, (_, i) => {
      const [token, channel] = [Math.floor(i / DIM), i % DIM];
      const from = token - (token % TOKENS) + (order[token % TOKENS] as number);
      return x[from * DIM + channel] as number;
    });

  it('a block has the parameters of a published one', () => {
    const parameters = new Block(8, 2).namedParameters('blocks.3.');
    expect(parameters.map(({ name, shape }) => `${name} ${shape.join('×')}`)).toEqual([
      'blocks.3.norm1.weight 8',
      'blocks.3.norm1.bias 8',
      'blocks.3.attn.qkv.weight 24×8',
      'blocks.3.attn.qkv.bias 24',
      'blocks.3.attn.proj.weight 8×8',
      'blocks.3.attn.proj.bias 8',
      'blocks.3.norm2.weight 8',
      'blocks.3.norm2.bias 8',
      'blocks.3.mlp.fc1.weight 32×8',
      'blocks.3.mlp.fc1.bias 32',
      'blocks.3.mlp.fc2.weight 8×32',
      'blocks.3.mlp.fc2.bias 8',
    ]);
  });

  it('a linear layer gives x·Wᵀ + b, and adds a residual', async () => {
    const linear = (residual: boolean): Promise<Float32Array> => {
      const layer = new Linear(DIM, DIM);
      return run(layer, (x) => layer.forward(x, residual ? { residual: x } : {}), X);
    };
    const [weight, bias] = [random([DIM, DIM], 10).data, random([DIM], 11).data];
    const expected = Float64Array.from(X, (_, i) => {
      const [row, output] = [i - (i % DIM), i % DIM];
      return X.subarray(row, row + DIM).reduce(
        (sum, x, k) => sum + x * (weight[output * DIM + k] as number),
        bias[output] as number,
      );
    });
    expectClose('linear', await linear(false), expected, 1e-6);
    expectClose(
      'with residual',
      await linear(true),
      expected.map((y, i) => y + (X[i] as number)),
      1e-6,
    );
  });

  it('a block whose two branches end in zeros is the identity, bit for bit', async () => {
    const ends = ['attn.proj.weight', 'attn.proj.bias', 'mlp.fc2.weight', 'mlp.fc2.bias'];
    expect(await runBlock(X, (parameters) => ends.forEach((name) => zero(parameters, name)))).toEqual(X);
    // Each of the two branches moves x by itself.
    expect(await runBlock(X, (parameters) => ends.slice(0, 2).forEach((name) => zero(parameters, name)))).not.toEqual(
      X,
    );
    expect(await runBlock(X, (parameters) => ends.slice(2).forEach((name) => zero(parameters, name)))).not.toEqual(X);
  });

  it('a block that computes its insides once more on the way back gives the same bits, and is watched once', async () => {
    class Two extends Module {
      readonly b = [new Block(DIM, HEADS), new Block(DIM, HEADS)];
    }
    const both = async (recompute: boolean): Promise<{ bits: Float32Array[]; watched: number; live: number }> => {
      const net = new Two();
      const parameters = new Parameters(engine, 'blocks', net);
      for (const [index, [name, { shape }]] of parameters.entries.entries()) {
        parameters.write(name, Float32Array.from(random(shape, 10 + index).data));
      }
      const graph = new Graph(engine);
      const keyMask = graph.input('keyMask', [BATCH, TOKENS], 'u32', Uint32Array.of(1, 1, 0, 1, 1, 1, 1, 1, 1, 0));
      const bias = graph.input(
        'bias',
        [1, HEADS, TOKENS, TOKENS],
        'f32',
        Float32Array.from(random([HEADS * TOKENS ** 2], 3).data),
      );
      const x = graph.input('x', [BATCH, TOKENS, DIM], 'f32', X, true);
      const watched: Tensor[] = [];
      const options = { keyMask, bias, recompute, watch: (qkv: Tensor): void => void watched.push(qkv) };
      const y = net.b.reduce<Tensor>((input, block) => block.forward(input, options), x);
      graph.backward(y, graph.input('d', y.shape, 'f32', Float32Array.from(random(y.shape, 4).data)));
      const outputs = [y, graph.gradientOf(x), ...watched];
      graph.output(...outputs);
      const program = await graph.compile();
      program.run();
      const bits: Float32Array[] = [];
      for (const tensor of outputs) bits.push(await program.read(tensor));
      for (const { members } of parameters.arenas) {
        for (const { grad } of members) bits.push(await program.read(grad));
      }
      program.dispose();
      parameters.dispose();
      return { bits, watched: watched.length, live: program.statistics.largestLiveSet };
    };
    const [kept, again] = [await both(false), await both(true)];
    expect(again.bits).toEqual(kept.bits);
    expect([kept.watched, again.watched, kept.bits.length]).toEqual([2, 2, 2 + 2 + new Two().namedParameters().length]);
    expect(kept.bits.every((values) => values.some((value) => value !== 0))).toBe(true);
    expect(again.live).toBeLessThan(kept.live);
  });

  it('a block knows no order of tokens: permuted in, permuted out', async () => {
    const order = [3, 0, 4, 1, 2];
    const y = await runBlock(X);
    expectClose('permuted', await runBlock(permuted(X, order)), permuted(y, order), 1e-6);
    expect(permuted(y, order)).not.toEqual(y);
  });

  it('in a block every token hears of every other of its sample, and of no other sample', async () => {
    const changed = Float32Array.from(X);
    changed[DIM] = (changed[DIM] as number) + 1; // token 1 of sample 0
    const [before, after] = [await runBlock(X), await runBlock(changed)];
    const sample = TOKENS * DIM;
    expect(after.slice(sample)).toEqual(before.slice(sample));
    for (let token = 0; token < TOKENS; token++) {
      const at = token * DIM;
      expect(after.slice(at, at + DIM), `token ${token}`).not.toEqual(before.slice(at, at + DIM));
    }
  });

  it('a block normalises what it reads: without the residual, shift and scale of a token do not matter', async () => {
    const moved = (x: Float32Array): Promise<Float32Array> =>
      runBlock(x, (parameters) => zero(parameters, 'mlp.fc2.weight'));
    // What attention adds is the same for 2x + 3; the MLP only adds its bias here.
    const scaled = X.map((value) => 2 * value + 3);
    const [a, b] = [await moved(X), await moved(scaled)];
    // ε = 1e-6 beside a variance of about 1/3 leaves 1e-6; x itself is up to 5 and takes 3e-7 of the difference.
    expectClose(
      'added',
      b.map((value, i) => value - (scaled[i] as number)),
      a.map((value, i) => value - (X[i] as number)),
      1e-5,
    );
  });
});
