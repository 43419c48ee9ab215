import { moduleOf, type ParameterSpec } from '../../kernels-test/moduleOf';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { Engine } from '../engine/engine';
import type { Slice } from '../gpu/storage';
import { openEngine, quietWait } from '../node/dawn';
import { Parameter } from '../tensor/parameter';
import { readTensor } from '../tensor/tensor';
import type { RandomSource } from './initializers';
import { Parameters, SEGMENT_BYTES } from './parameters';

/** Fills a tensor with the one number that its source gives. */
const drawn = (shape: readonly number[], random: RandomSource): Float32Array =>
  Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => random.uniform());

const spec = (name: string, shape: readonly number[]): ParameterSpec => ({ name, shape, initialize: drawn });

/** Sizes that end inside a segment, at its end, and after one; a fixed table between them. */
const SPECS = [
  spec('a', [3]),
  { ...spec('table', [65]), fixed: true },
  spec('b', [64]),
  spec('c', [5, 13]),
  spec('d', [1, 1, 17]),
  spec('e', [1]),
];
const SEGMENTS = [1, 1, 2, 1, 1];

describe('Parameters', () => {
  let engine: Engine;
  beforeAll(async () => {
    engine = await openEngine();
  });
  afterAll(() => {
    engine.dispose();
  });
  afterEach(() => {
    const left = engine.pool.liveBuffers;
    engine.pool.dispose();
    expect(left).toBe(0);
  });

  /** An engine that believes its device to bind no more than `bytes` (devices do not offer less than 128 MiB). */
  function narrowEngine(bytes: number): Engine {
    const device = new Proxy(engine.device, {
      get: (target, key) => {
        if (key === 'limits') return { maxBufferSize: target.limits.maxBufferSize, maxStorageBufferBindingSize: bytes };
        const member: unknown = Reflect.get(target, key, target);
        return typeof member === 'function' ? (member.bind(target) as unknown) : member;
      },
    });
    return Engine.borrow(device, { info: engine.info, wait: quietWait });
  }

  const numbered = (index: number): RandomSource => ({ uniform: () => index + 1, normal: () => 0 });
  const filled = (specs: readonly ParameterSpec[]): [string, Float32Array][] =>
    specs.map(({ name, shape }, index) => [name, drawn(shape, numbered(index))]);

  it('lie in one arena in order, each at the start of a segment, gradients at the same places', () => {
    const parameters = new Parameters(engine, 'model', moduleOf(SPECS));
    expect(parameters.arenas).toHaveLength(1);
    const [arena] = parameters.arenas;
    expect(arena?.size).toBe(6 * SEGMENT_BYTES);
    expect(arena?.members.map(({ name }) => name)).toEqual(['a', 'b', 'c', 'd', 'e']);
    let segment = 0;
    for (const [index, member] of (arena?.members ?? []).entries()) {
      const [value, gradient] = [member.storage, member.grad.storage as Slice];
      expect([value.buffer, gradient.buffer]).toEqual([arena?.values, arena?.gradients]);
      expect([value.offset, gradient.offset]).toEqual([segment * SEGMENT_BYTES, segment * SEGMENT_BYTES]);
      expect([value.size, gradient.size]).toEqual([member.size * 4, member.size * 4]);
      segment += SEGMENTS[index] as number;
    }
    parameters.dispose();
  });

  it.each([
    [2 * SEGMENT_BYTES, [['a', 'b'], ['c'], ['d', 'e']]],
    [3 * SEGMENT_BYTES, [['a', 'b'], ['c', 'd'], ['e']]],
    [
      4 * SEGMENT_BYTES,
      [
        ['a', 'b', 'c'],
        ['d', 'e'],
      ],
    ],
  ])('go to several arenas where a binding holds %d bytes', async (bytes, expected) => {
    const narrow = narrowEngine(bytes);
    const parameters = new Parameters(narrow, 'model', moduleOf(SPECS));
    expect(parameters.arenas.map(({ members }) => members.map(({ name }) => name))).toEqual(expected);
    for (const { size, values, gradients } of parameters.arenas) {
      expect(size).toBeLessThanOrEqual(bytes);
      expect([values.size, gradients.size]).toEqual([size, size]);
    }
    parameters.initialize(numbered);
    expect([...(await parameters.read())]).toEqual(filled(SPECS));
    parameters.dispose();
    expect(narrow.pool.liveBuffers).toBe(0);
  });

  it('refuse one that no binding holds', () => {
    expect(() => new Parameters(narrowEngine(SEGMENT_BYTES), 'model', moduleOf(SPECS))).toThrow(
      expect.objectContaining({
        code: 'limit-exceeded',
        message: expect.stringContaining("Parameter 'c' [5, 13]") as string,
      }),
    );
  });

  it('are drawn each from a source of its own, fixed ones too, and read back by name in order', async () => {
    const parameters = new Parameters(engine, 'model', moduleOf(SPECS));
    parameters.initialize(numbered);
    expect([...(await parameters.read())]).toEqual(filled(SPECS));
    expect(parameters.entries.map(([name]) => name)).toEqual(SPECS.map(({ name }) => name));
    parameters.dispose();
  });

  it('are written one by one, without touching their neighbours', async () => {
    const parameters = new Parameters(engine, 'model', moduleOf(SPECS));
    parameters.initialize(numbered);
    parameters.write('c', new Float32Array(65).fill(-1));
    const expected = new Map(filled(SPECS)).set('c', new Float32Array(65).fill(-1));
    expect([...(await parameters.read())]).toEqual([...expected]);
    expect(() => {
      parameters.write('c', new Float32Array(64));
    }).toThrow("Parameter 'c' [5, 13] holds 65 elements, not 64");
    parameters.dispose();
  });

  it('are trained unless they are fixed or the model is frozen', async () => {
    const parameters = new Parameters(engine, 'model', moduleOf(SPECS));
    const trained = parameters.get('b');
    expect(trained).toBeInstanceOf(Parameter);
    expect([trained.requiresGrad, trained.label]).toEqual([true, 'b']);
    expect(parameters.get('table').requiresGrad).toBe(false);

    const before = engine.pool.liveBuffers;
    const frozen = new Parameters(engine, 'teacher', moduleOf(SPECS), { frozen: true });
    expect([frozen.arenas.length, engine.pool.liveBuffers - before]).toEqual([0, 1]);
    expect(frozen.entries.some(([, tensor]) => tensor.requiresGrad)).toBe(false);
    frozen.initialize(numbered);
    expect(await readTensor(engine, frozen.get('e'))).toEqual(Float32Array.of(6));
    frozen.dispose();
    parameters.dispose();
  });

  it('name the model that has no such parameter', () => {
    const parameters = new Parameters(engine, 'teacher', moduleOf(SPECS));
    expect(() => parameters.get('f')).toThrow("teacher has no parameter 'f'");
    parameters.dispose();
  });
});
