import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { add } from '../ops/add';
import { defineOperation, like } from '../ops/defineOperation';
import { mul } from '../ops/binary';
import { square } from '../ops/unary';
import { testEngine } from '../testing/testEngine';
import { matchShape } from '../tensor/shape';
import type { Tensor } from '../tensor/tensor';
import { checkGradient } from './checkGradient';
import type { Engine } from './engine';
import { f32 } from './inputs';

/** y = x·sigmoid(beta·x), with a factor on the gradient that is 1 where it is right. */
const swishWgsl = (factor: string): string => `// swish
struct Sizes { count: u32, beta: f32 }
fn sigmoid(x: f32) -> f32 { return 1 / (1 + exp(-x)); }

//#kernel swishForward
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
@group(0) @binding(2) var<uniform> sizes: Sizes;
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * 64;
  if (i < sizes.count) { y[i] = x[i] * sigmoid(sizes.beta * x[i]); }
}

//#kernel swishBackward
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> dy: array<f32>;
@group(0) @binding(2) var<storage, read_write> dx: array<f32>;
@group(0) @binding(3) var<uniform> sizes: Sizes;
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * 64;
  if (i >= sizes.count) { return; }
  let s = sigmoid(sizes.beta * x[i]);
  dx[i] = ${factor} * dy[i] * (s + sizes.beta * x[i] * s * (1 - s));
}
`;

interface SwishOptions {
  readonly beta: number;
}

const swishOf = (factor: string) =>
  defineOperation({
    name: 'swish',
    shader: swishWgsl(factor),
    inputs: ['x'],
    forward: ({ x }) => ({ y: like(x) }),
    gradients: ['x'],
    uniforms: (_, { beta }: SwishOptions) => ({ beta }),
  });

/** The shader of docs/kernels.md's example of two operands. */
function hypotOfDocs(): string {
  const [, code] = /shader: `([^`]*hypotForward[^`]*)`/.exec(readFileSync('docs/kernels.md', 'utf8')) ?? [];
  if (code === undefined) throw new Error('docs/kernels.md has no hypot.');
  return code;
}

const swish = swishOf('1');
const silu = (x: number, beta: number): number => x / (1 + Math.exp(-beta * x));

describe('an operation that somebody defines', () => {
  let engine: Engine;
  beforeAll(async () => {
    engine = await testEngine();
  });
  afterAll(() => {
    expect(engine.pool.liveBuffers).toBe(0);
    engine.dispose();
  });

  it.each([[[]], [[1]], [[3, 17]], [[65, 33]], [[0, 3]]])('computes and passes its check in %j', async (shape) => {
    const reference = ({ x }: { readonly x: { readonly shape: readonly number[]; readonly data: Float64Array } }) => ({
      y: { shape: x.shape, data: x.data.map((value) => silu(value, 2)) },
    });
    await checkGradient(engine, ({ x }) => swish({ x }, { beta: 2 }), { x: shape }, { reference });
    await checkGradient(engine, ({ x }) => swish({ x }, { beta: 2 }).y, { x: shape }, { range: [-3, 3], seed: 1 });
  });

  it('adds to gradients that are there', async () => {
    await checkGradient(engine, ({ x }) => add(square(x), mul(swish({ x }, { beta: 1 }).y, x)), { x: [33] });
  });

  it('is not differentiated where nothing asks for it', async () => {
    const recorded = engine.record({ x: f32(3) }, ({ x }) => swish({ x }, { beta: 1 }));
    expect(recorded.statistics.dispatches).toBe(1);
  });

  it('is found out where its gradient or its value is wrong', async () => {
    const wrong = swishOf('1.05');
    await expect(checkGradient(engine, ({ x }) => wrong({ x }, { beta: 1 }), { x: [3, 17] })).rejects.toMatchObject({
      code: 'wrong-gradient',
      message: expect.stringMatching(/^The gradient of x\[\d+\] is .*, by differences/) as string,
    });
    const off = swishOf('1.001'); // too little for differences in f32
    const reference =
      (beta: number) =>
      (inputs: { readonly x: { readonly shape: readonly number[]; readonly data: Float64Array } }) => ({
        y: { shape: inputs.x.shape, data: inputs.x.data.map((value) => silu(value, beta)) },
      });
    const check = (operation: typeof swish, beta: number): Promise<void> =>
      checkGradient(engine, ({ x }) => operation({ x }, { beta: 1 }), { x: [3, 17] }, { reference: reference(beta) });
    await expect(check(off, 1)).rejects.toMatchObject({ code: 'wrong-gradient' });
    await expect(check(swish, 1.001)).rejects.toMatchObject({ code: 'wrong-value' });
  });

  it('is found out where a reference lacks what it is to give', async () => {
    const check = (found: Readonly<Record<string, { shape: number[]; data: Float64Array }>>): Promise<void> =>
      checkGradient(engine, ({ x }) => swish({ x }, { beta: 1 }), { x: [3, 17] }, { reference: () => found });
    await expect(check({})).rejects.toThrow(
      "The reference gives no { shape, data } for output 'y'. Let it return { y: { shape, data } }",
    );
    await expect(check({ y: { shape: [1], data: new Float64Array(1) } })).rejects.toThrow(
      "The reference gives 1 elements of output 'y', which has 51.",
    );
  });

  it('may have two operands, whose shapes it matches', async () => {
    const hypot = defineOperation({
      name: 'hypot',
      inputs: ['a', 'b'],
      gradients: ['a', 'b'],
      forward: ({ a, b }) => {
        matchShape('hypot', 'b', b.shape, a.shape);
        return { y: like(a) };
      },
      shader: hypotOfDocs(),
    });
    await checkGradient(engine, hypot, { a: [3, 17], b: [3, 17] }, { range: [0.5, 1] });
    expect(() => engine.record({ a: f32(3), b: f32(2) }, (inputs) => hypot(inputs))).toThrow(
      'hypot: b has shape [2], not [3].',
    );
  });

  it('says what is missing', () => {
    expect(() =>
      defineOperation({ name: 'other', shader: swishWgsl('1'), inputs: ['x'], forward: ({ x }) => ({ y: like(x) }) }),
    ).toThrow("it has no kernel 'otherForward', only swishForward, swishBackward");
    // @ts-expect-error its operand is missing
    expect(() => engine.record({ x: f32(3) }, () => swish({}, { beta: 1 }))).toThrow("swish: 'x' was not given");
    const extra = { z: 1 }; // as untyped callers have it
    expect(() => engine.record({ x: f32(3) }, ({ x }) => swish({ x, ...extra }, { beta: 1 }))).toThrow(
      "swish: it has no operand 'z'. Its operands are x.",
    );
    // @ts-expect-error its options are missing
    const unset = (x: Tensor): unknown => swish({ x });
    expect(unset).toBeTypeOf('function');
  });
});
