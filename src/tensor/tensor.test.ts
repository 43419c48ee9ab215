import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Engine } from '../engine/engine';
import { testEngine } from '../testing/testEngine';
import { add } from '../ops/add';
import { conv2d } from '../ops/conv2d';
import { convTranspose2d } from '../ops/convTranspose2d';
import { relu } from '../ops/relu';
import { addInPlace } from './accumulate';
import { Graph } from './graph';
import { createTensor, disposeTensor, readTensor, type Tensor } from './tensor';

describe('tensors', () => {
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

  const ramp = (count: number, step = 1): Float32Array =>
    Float32Array.from({ length: count }, (_, i) => (i + 1) * step);

  it.each([
    ['f32', Float32Array.of(1.5, -2, 3)],
    ['i32', Int32Array.of(-1, 2, 2 ** 31 - 1)],
    ['u32', Uint32Array.of(1, 2, 2 ** 32 - 1)],
    ['u8', Uint8Array.of(1, 2, 255)],
    ['u8', Uint8Array.of(1, 2, 3, 4, 5)],
  ] as const)('that last hold %s elements', async (dtype, data) => {
    const tensor = createTensor(engine, 'lasting', [data.length], dtype, data);
    expect(await readTensor(engine, tensor)).toEqual(data);
    disposeTensor(engine, tensor);
    await expect(readTensor(engine, tensor)).rejects.toThrow("'lasting' is used after it was disposed");
  });

  it('start as zeros, and refuse data of another size', async () => {
    const tensor = createTensor(engine, 'zeros', [3, 5], 'f32');
    expect(await readTensor(engine, tensor)).toEqual(new Float32Array(15));
    disposeTensor(engine, tensor);
    expect(() => createTensor(engine, 'small', [3], 'f32', ramp(4))).toThrow("'small' [3] holds 3 elements, not 4");
  });

  it('of a recording are computed when they are read, as often as they are', async () => {
    const graph = new Graph(engine);
    const a = graph.input('a', [33], 'f32', ramp(33));
    const b = add(a, a);
    const c = add(b, a);
    expect(await readTensor(engine, c)).toEqual(ramp(33, 3));
    expect(await readTensor(engine, b)).toEqual(ramp(33, 2));
    const d = add(c, b);
    expect(await readTensor(engine, d)).toEqual(ramp(33, 5));
    expect(await readTensor(engine, a)).toEqual(ramp(33));
  });

  it('are read without changing memory that does not take part', async () => {
    const lasting = createTensor(engine, 'lasting', [3], 'f32');
    const graph = new Graph(engine);
    const a = graph.input('a', [3], 'f32', ramp(3));
    addInPlace(graph, lasting, a, true);
    const b = add(a, a);
    expect(await readTensor(engine, b)).toEqual(ramp(3, 2));
    expect(await readTensor(engine, lasting)).toEqual(new Float32Array(3));
    expect(await readTensor(engine, add(lasting, a))).toEqual(ramp(3, 2));
    disposeTensor(engine, lasting);
  });

  it('of a program hold u8 elements in any number', async () => {
    const graph = new Graph(engine);
    const bytes = graph.input('bytes', [5], 'u8', Uint8Array.of(1, 2, 3, 4, 5));
    graph.output(bytes);
    const program = await graph.compile();
    program.run();
    expect(await program.read(bytes)).toEqual(Uint8Array.of(1, 2, 3, 4, 5));
    program.write(bytes, Uint8Array.of(9, 8, 7, 6, 5));
    program.run();
    expect(await program.read(bytes)).toEqual(Uint8Array.of(9, 8, 7, 6, 5));
    program.dispose();
  });

  it('of a program are written whole, and only where they are inputs', async () => {
    const lasting = createTensor(engine, 'lasting', [3], 'f32');
    const graph = new Graph(engine);
    const a = graph.input('a', [1, 3]);
    const b = add(a, a);
    graph.output(b);
    const program = await graph.compile();
    expect(() => {
      program.write(a, ramp(4));
    }).toThrow("'a' [1, 3] holds 3 elements, not 4");
    expect(() => {
      program.write(lasting, ramp(3));
    }).toThrow("'lasting' is no input of a program");
    program.write(a.reshape([3]), ramp(3));
    program.run();
    expect(await program.read(b.reshape([3, 1]))).toEqual(ramp(3, 2));
    expect(await program.read(lasting)).toEqual(new Float32Array(3));
    program.dispose();
    disposeTensor(engine, lasting);
  });

  it('take another shape of the same size only', () => {
    const tensor = new Graph(engine).input('a', [2, 6], 'f32', undefined, true);
    const reshaped = tensor.reshape([3, 4]);
    expect([reshaped.shape, reshaped.requiresGrad, reshaped.storage]).toEqual([[3, 4], true, tensor.storage]);
    expect(() => tensor.reshape([5])).toThrow("'a' [2, 6] can't be [5]: the sizes differ");
  });

  describe('find the program that an operation is recorded in', () => {
    it('through whichever operand belongs to one', async () => {
      const lasting = createTensor(engine, 'lasting', [3], 'f32', ramp(3));
      const graph = new Graph(engine);
      const given = graph.input('given', [3], 'f32', ramp(3, 10));
      const [one, other] = [add(given, lasting), add(lasting, given.reshape([3]).detach())];
      expect(await readTensor(engine, one)).toEqual(Float32Array.of(11, 22, 33));
      expect(await readTensor(engine, other)).toEqual(Float32Array.of(11, 22, 33));
      disposeTensor(engine, lasting);
    });

    it('where all of them last, through the one that is said to be used in it', async () => {
      const lasting = createTensor(engine, 'lasting', [3], 'f32', ramp(3));
      const graph = new Graph(engine);
      expect(await readTensor(engine, add(graph.use(lasting), lasting))).toEqual(Float32Array.of(2, 4, 6));
      expect(() => add(lasting, lasting)).toThrow(
        'add: none of its operands belongs to a program. Say which program it is for: give it program.use(tensor).',
      );
      disposeTensor(engine, lasting);
    });

    it('and refuse what is no tensor', () => {
      const [absent, options] = [undefined, { padding: 1 }] as unknown[] as [Tensor, Tensor]; // as untyped callers have them
      const x = new Graph(engine).input('x', [1, 1, 3, 3]);
      const weight = new Graph(engine).input('weight', [1, 1, 3, 3]);
      expect(() => relu(absent)).toThrow('relu: an operand is undefined, no tensor. Give a tensor;');
      expect(() => relu(options)).toThrow('relu: an operand is an object { padding }, no tensor.');
      for (const operation of [conv2d, convTranspose2d]) {
        expect(() => operation(x, weight, options)).toThrow(
          /^conv\w+: the bias is no tensor. The third argument is the bias, or undefined; options are the fourth.$/,
        );
      }
    });

    it('and refuse operands of two', () => {
      const [here, there] = [new Graph(engine).input('here', [3]), new Graph(engine).input('there', [3])];
      expect(() => add(here, there)).toThrow("add: 'here' and 'there' belong to two programs.");
      expect(() => add(new Graph(engine).use(here), there)).toThrow("'here' and 'there' belong to two programs");
    });
  });
});
