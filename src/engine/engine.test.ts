import { afterAll, afterEach, beforeAll, describe, expect, expectTypeOf, it } from 'vitest';
import { random } from '../../kernels-test/allclose';
import { add } from '../ops/add';
import { dropout } from '../ops/dropout';
import { sum } from '../ops/reduce';
import { matmul } from '../ops/matmul';
import { log, neg, square } from '../ops/unary';
import { weightedSum } from '../ops/weightedSum';
import { testEngine } from '../testing/testEngine';
import { Linear } from '../nn/linear';
import { mse } from '../ops/mse';
import { AdamW } from '../optim/adamw';
import { readTensor, type Tensor } from '../tensor/tensor';
import { Engine } from './engine';
import { f32, i32, u32, u8 } from './inputs';
import type { Output } from './outputs';

const ramp = (count: number, step = 1): Float32Array => Float32Array.from({ length: count }, (_, i) => (i + 1) * step);

describe('a compiled program', () => {
  let engine: Engine;
  beforeAll(async () => {
    engine = await testEngine();
  });
  afterAll(() => {
    engine.dispose();
  });
  afterEach(() => {
    const left = engine.pool.liveBuffers;
    engine.pool.dispose(); // a test that fails leaves nothing to the next
    expect(left).toBe(0);
  });

  const doubled = () => engine.compile({ x: f32(33) }, ({ x }) => ({ y: add(x, x) }));
  const badProgram = (what: string): unknown =>
    expect.objectContaining({ code: 'bad-program', message: expect.stringContaining(what) as string });

  it('computes of what it is given what its body says, run by run', async () => {
    const program = await doubled();
    for (const step of [1, 2]) {
      await program.run({ x: ramp(33, step) });
      expect(await program.outputs.y.data()).toEqual(ramp(33, 2 * step));
    }
    expect([program.outputs.y.shape, program.outputs.y.dtype, program.outputs.y.size]).toEqual([[33], 'f32', 33]);
    program.dispose();
    program.dispose();
    await expect(program.run({ x: ramp(33) })).rejects.toMatchObject({ code: 'disposed' });
  });

  it('holds what an input held, where it is left out, and at first what its declaration says', async () => {
    const program = await engine.compile({ x: f32(3), y: { ...f32(3), initial: ramp(3) } }, ({ x, y }) => ({
      sum: add(x, y),
    }));
    await program.run({ x: ramp(3) });
    expect(await program.outputs.sum.data()).toEqual(ramp(3, 2));
    program.write({ y: ramp(3, 4) });
    await program.run();
    expect(await program.outputs.sum.data()).toEqual(ramp(3, 5));
    program.dispose();
  });

  it('gives what the body returned in the form in which it did, scalars as numbers', async () => {
    const program = await engine.compile({ x: f32(3), none: undefined }, ({ x, none }) => {
      expect(none).toBeUndefined();
      const y = add(x, x);
      return {
        loss: weightedSum([{ values: y, weights: [1, 1, 1] }]),
        layers: [
          { name: 'first', y },
          { name: 'second', y: add(y, x) },
        ] as const,
        missing: undefined as Tensor | undefined,
      };
    });
    await program.run({ x: ramp(3) });
    const { loss, layers, missing } = program.outputs;
    expect(await loss.item()).toBe(12);
    expect(layers.map(({ name }) => name)).toEqual(['first', 'second']);
    expect(await layers[1].y.data()).toEqual(ramp(3, 3));
    expect(missing).toBeUndefined();
    expectTypeOf(loss).toEqualTypeOf<Output<'f32', readonly []>>();
    expectTypeOf(layers[0].y).toEqualTypeOf<Output<'f32', readonly [3]>>();
    program.dispose();
  });

  it('takes inputs of every type, which the operations that read them check when they are compiled', async () => {
    const inputs = { a: i32(2), b: u32(2, 3), c: u8(4), d: f32() };
    const program = await engine.compile(inputs, (tensors) => {
      expectTypeOf(tensors.b).toEqualTypeOf<Tensor<'u32', readonly [2, 3]>>();
      // @ts-expect-error whole numbers are not multiplied
      expect(() => matmul(tensors.b, tensors.b)).toThrow();
      return tensors;
    });
    const values = { a: Int32Array.of(-1, 2), b: new Uint32Array(6), c: Uint8Array.of(1, 2, 3, 4), d: ramp(1) };
    await program.run(values);
    expect(await program.outputs.a.data()).toEqual(values.a);
    expect(await program.outputs.d.item()).toBe(1);
    program.dispose();
  });

  it('takes tensors without elements, and sums nothing to 0', async () => {
    const program = await engine.compile({ x: f32(0, 3), y: f32(3) }, ({ x, y }) => ({
      z: neg(add(x, y)), // by four at once, where there are none
      total: sum(x),
    }));
    await program.run({ x: new Float32Array(0), y: ramp(3) });
    expect(await program.outputs.z.data()).toEqual(new Float32Array(0));
    expect(program.outputs.z.shape).toEqual([0, 3]);
    expect(await program.outputs.total.item()).toBe(0);
    program.dispose();
  });

  it('carries gradients back to inputs that take them', async () => {
    const weights = Float32Array.from(random([3, 2], 1).data);
    const inputs = { x: { ...f32(1, 3), requiresGrad: true }, w: f32(3, 2), dy: f32(1, 2) };
    const program = await engine.compile(inputs, ({ x, w, dy }, graph) => {
      graph.backward(matmul(x, w), dy);
      return { dx: graph.gradientOf(x) };
    });
    await program.run({ x: ramp(3), w: weights, dy: Float32Array.of(1, 0) });
    expect(await program.outputs.dx.data()).toEqual(weights.filter((_, i) => i % 2 === 0));
    program.dispose();
  });

  it('is told of before it is there, and takes nothing until then', async () => {
    const recorded = engine.record({ x: f32(33) }, ({ x }) => ({ y: add(x, x) }));
    expect(recorded.statistics).toMatchObject({ dispatches: 1, arenaBytes: 256 });
    expect(engine.pool.liveBuffers).toBe(0);
    const program = await recorded.compile();
    expect(program.statistics).toEqual(recorded.statistics);
    program.dispose();
  });

  it('lets no more than two runs be under way', async () => {
    const program = await doubled();
    const { queue } = engine.device;
    const submitted = queue.onSubmittedWorkDone.bind(queue);
    await program.run({ x: ramp(33) });
    for (let run = 0; run < 3; run++) await program.run();
    let [begun, done] = [0, 0];
    const waiting: (() => void)[] = [];
    try {
      queue.onSubmittedWorkDone = () => new Promise((resolve) => waiting.push(() => resolve(undefined)));
      const runs = (async (): Promise<void> => {
        for (; begun < 5; done++) {
          begun++;
          await program.run();
        }
      })();
      for (const expected of [3, 4, 5]) {
        await new Promise((resolve) => setTimeout(resolve, 20));
        expect(begun).toBe(expected);
        waiting.shift()?.();
      }
      for (const each of waiting) each();
      queue.onSubmittedWorkDone = submitted;
      await runs;
    } finally {
      queue.onSubmittedWorkDone = submitted;
    }
    expect(done).toBe(5);
    program.dispose();
  });

  it('trains: a line through points, in a step that counts itself', async () => {
    const model = engine.init(new Linear(1, 1), { seed: 0 });
    const adam = new AdamW(model, { learningRate: 0.1, weightDecay: 0 });
    const step = await engine.compile({ x: f32(16, 1), y: f32(16, 1) }, ({ x, y }) => {
      const loss = mse(model.forward(x), y);
      adam.minimize(loss);
      return { loss };
    });
    const x = Float32Array.from({ length: 16 }, (_, i) => i / 8 - 1);
    const losses: number[] = [];
    for (let i = 0; i < 200; i++) {
      await step.run({ x, y: x.map((value) => 3 * value + 1) });
      if (i % 50 === 0) losses.push(await step.outputs.loss.item());
    }
    losses.push(await step.outputs.loss.item());
    expect(losses.toSorted((a, b) => b - a)).toEqual(losses);
    expect(losses.at(-1)).toBeLessThan(1e-3);
    expect((await readTensor(engine, model.weight))[0]).toBeCloseTo(3, 1);
    expect((await readTensor(engine, model.bias as Tensor))[0]).toBeCloseTo(1, 1);
    expect((await adam.read()).get('step')).toEqual(Float32Array.of(200));
    step.dispose();
    adam.dispose();
    engine.release(model);
    expect(() => engine.release(model)).toThrow('The model has no memory yet');
  });

  it('begins with the same values of one seed, and others of another', async () => {
    const begun = async (seed: number): Promise<Float32Array> => {
      const model = engine.init(new Linear(3, 17), { seed });
      const values = await readTensor(engine, model.weight);
      engine.release(model);
      return values;
    };
    const [first, again, other] = [await begun(1), await begun(1), await begun(2)];
    expect(again).toEqual(first);
    expect(other).not.toEqual(first);
  });

  describe('refuses', () => {
    it('to be opened without an adapter, or to borrow no device', async () => {
      const refusal = (message: string): unknown => expect.objectContaining({ code: 'no-adapter', message });
      const noDevice =
        'Engine.borrow: no device was given. Await adapter.requestDevice(), or openDevice() of palimpsest/node.';
      await expect(Engine.open(null)).rejects.toEqual(
        refusal(
          'Engine.open: no adapter was given: requestAdapter found none. Look whether WebGPU is there: it needs a GPU driver, and https.',
        ),
      );
      expect(() => Engine.borrow(undefined)).toThrow(noDevice);
    });

    it('to minimize without a learning rate, or a model without memory', async () => {
      expect(() => new AdamW(new Linear(1, 1))).toThrow('The model has no memory yet. Give it to engine.init first.');
      const model = engine.init(new Linear(1, 1));
      const adam = new AdamW(model);
      const step = engine.compile({ x: f32(1, 1) }, ({ x }) => {
        adam.minimize(mse(model.forward(x), x));
      });
      await expect(step).rejects.toEqual(badProgram('minimize: AdamW has no learning rate.'));
      adam.dispose();
      engine.release(model);
    });

    it('a first run without one of its inputs', async () => {
      const program = await doubled();
      await expect(program.run()).rejects.toEqual(badProgram("Input 'x' was never given. Give it to run"));
      program.dispose();
    });

    it('an input that it does not have', async () => {
      const program = await doubled();
      const values = { x: ramp(33), z: ramp(3) };
      await expect(program.run(values)).rejects.toEqual(badProgram("This program has no input 'z'. Its inputs: x."));
      program.dispose();
    });

    it('elements of another number', async () => {
      const program = await doubled();
      await expect(program.run({ x: ramp(32) })).rejects.toMatchObject({
        code: 'bad-shape',
        message: expect.stringContaining("'x' [33] holds 33 elements, not 32") as string,
      });
      program.dispose();
    });

    it('elements of another type, and leaves all of a refused run unwritten', async () => {
      const program = await engine.compile({ x: f32(2), y: f32(2) }, ({ x, y }) => ({ z: add(x, y) }));
      await program.run({ x: ramp(2), y: ramp(2) });
      const wrong = Uint32Array.of(1, 2) as unknown as Float32Array; // as JavaScript may
      await expect(program.run({ x: ramp(2, 100), y: wrong })).rejects.toThrow(
        "'y' holds f32, which a Uint32Array is not. Give it a Float32Array.",
      );
      await program.run();
      expect(await program.outputs.z.data()).toEqual(ramp(2, 2));
      program.dispose();
      expect(() => program.write({ x: ramp(2) })).toThrow('This program was disposed');
    });

    it.each([[[1, 2], 'an Array'] as const, [new ArrayBuffer(8), 'an ArrayBuffer'] as const, [3, '3'] as const])(
      'what holds no elements: %j',
      async (value, named) => {
        const program = await engine.compile({ x: f32(2) }, ({ x }) => ({ z: add(x, x) }));
        const x = value as unknown as Float32Array; // as JavaScript may
        await expect(program.run({ x })).rejects.toThrow(
          `Input 'x' is given ${named}. Give it a Float32Array of 2, an ndarray, a GPUBuffer or a picture.`,
        );
        program.dispose();
      },
    );

    it('to drop out where the program neither goes back nor says that it trains', async () => {
      const recorded = engine.compile({ x: f32(8) }, ({ x }) => ({ y: dropout(x) }));
      await expect(recorded).rejects.toEqual(badProgram('dropout: this program has no backward, and does not say'));
      const program = await engine.compile({ x: f32(8) }, ({ x }) => ({ y: dropout(x) }), { training: false });
      await program.run({ x: ramp(8) });
      expect(await program.outputs.y.data()).toEqual(ramp(8));
      program.dispose();
    });

    it('one number of what has several', async () => {
      const program = await doubled();
      await program.run({ x: ramp(33) });
      const y = Object.values(program.outputs)[0] as unknown as { item(): Promise<number> }; // as JavaScript may
      await expect(y.item()).rejects.toThrow(/^item: '.*' has 33 elements\. Read its data\.$/);
      program.dispose();
    });

    it('first values of another number, and copies those it takes', async () => {
      const initial = ramp(4);
      expect(() => engine.record({ x: { ...f32(3), initial } }, () => undefined)).toThrow(
        "'x' [3] holds 3 elements, not 4",
      );
      const recorded = engine.record({ x: { ...f32(4), initial } }, ({ x }) => ({ y: add(x, x) }));
      initial.fill(7);
      const program = await recorded.compile();
      await program.run();
      expect(await program.outputs.y.data()).toEqual(ramp(4, 2));
      program.dispose();
    });

    it.each([[[-1]], [[-2, -2]], [[2, 2.5]]])('an input of shape %j', (shape) => {
      expect(() => engine.record({ x: f32(...shape) }, () => undefined)).toThrow('Extents are whole numbers from 0');
    });

    it('to be read before it ran', async () => {
      const program = await doubled();
      await expect(program.outputs.y.data()).rejects.toEqual(badProgram('the program did not run yet'));
      await expect(program.run()).rejects.toThrow();
      await expect(program.outputs.y.data()).rejects.toEqual(badProgram('the program did not run yet'));
      program.dispose();
    });

    it('a tensor of f16 where an operation computes in f32', () => {
      const body = ({ x }: { readonly x: Tensor }): { y: Tensor } => ({ y: add(x, x) });
      expect(() => engine.record({ x: { dtype: 'f16', shape: [4] } as const }, body)).toThrow(
        "Kernel 'add': 'a' is made of f32, but 'x' holds f16. This operation computes in f32",
      );
    });

    it('to return what cannot be read', () => {
      const record = (result: unknown) => () => engine.record({ x: f32(1) }, () => result);
      expect(record(Promise.resolve(1))).toThrow('The body of a program returned a Promise.');
      expect(record({ parts: new Map() })).toThrow('The body of a program returned a Map.');
      const self: Record<string, unknown> = {};
      self['self'] = self;
      expect(record(self)).toThrow('an object that holds itself');
    });

    it('what is recorded after it was compiled', async () => {
      let kept: Tensor | undefined;
      const program = await engine.compile({ x: f32(3) }, ({ x }) => {
        kept = x;
      });
      expect(() => add(kept as Tensor, kept as Tensor)).toThrow("Kernel 'add': its program is compiled already.");
      program.dispose();
    });
  });
});

describe('a program that is debugged', () => {
  it('says which tensor has the first number that is not finite, and in which run', async () => {
    const engine = await testEngine();
    const inputs = { x: f32(3, 17) };
    const program = await engine.compile(inputs, ({ x }) => ({ y: square(log(add(x, x))) }), { debug: true });
    await program.run({ x: ramp(51) });
    await program.run({ x: ramp(51) });
    await expect(program.run({ x: ramp(51, -1) })).rejects.toMatchObject({
      code: 'not-finite',
      message: expect.stringMatching(
        /^Run 3: 'log' \[3, 17\], which unaryForward FUNCTION=\d+ wrote, is the first tensor with a number that is not finite: 51/,
      ) as string,
    });
    await program.run({ x: ramp(51) });
    await expect(program.run({ x: ramp(51).fill(NaN, 1, 3) })).rejects.toThrow(
      "Run 5: 'x' [3, 17], an input, is the first",
    );
    program.dispose();
    expect(engine.pool.liveBuffers).toBe(0);
    engine.dispose();
  });
});
