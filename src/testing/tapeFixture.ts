import { afterAll, afterEach, beforeAll, expect } from 'vitest';
import { expectClose, random } from '../../kernels-test/allclose';
import type { Engine } from '../engine/engine';
import { kernelsOf } from '../gpu/shader';
import type { Graph } from '../tensor/graph';
import { Parameter } from '../tensor/parameter';
import { createTensor, disposeTensor, type LastingTensor, type Tensor } from '../tensor/tensor';

/*
 * What tests of the tape work with: a product that writes gradients or adds to them, tensors of a few random elements,
 * and the comparison with float64.
 */

const { product } = kernelsOf(
  'tapeTest',
  `
//#kernel product
//#param ACCUMULATE: bool
@group(0) @binding(0) var<storage, read> a: array<f32>;
@group(0) @binding(1) var<storage, read> b: array<f32>;
@group(0) @binding(2) var<storage, read_write> out: array<f32>;
struct Sizes { count: u32 }
@group(0) @binding(3) var<uniform> sizes: Sizes;
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let i = id.x;
  if (i < sizes.count) {
    //#if ACCUMULATE
    out[i] += a[i] * b[i];
    //#else
    out[i] = a[i] * b[i];
    //#end
  }
}
`,
  ['product'],
);

function dispatchProduct(graph: Graph, a: Tensor, b: Tensor, out: Tensor, ACCUMULATE: boolean): void {
  graph.dispatch({
    kernel: product,
    params: { ACCUMULATE },
    uniforms: { count: out.size },
    bindings: { a, b, out },
    workgroups: [Math.ceil(out.size / 64)],
  });
}

/** a · b, elementwise: its backward writes gradients, or adds to what is there. */
export function mul(graph: Graph, a: Tensor, b: Tensor): Tensor {
  const out = graph.empty('mul', a.shape, 'f32', a.requiresGrad || b.requiresGrad);
  dispatchProduct(graph, a, b, out, false);
  graph.record('mul', [out], (gradients) => {
    const dOut = gradients.of(out);
    if (!dOut) return;
    for (const [input, other] of [
      [a, b],
      [b, a],
    ] as const) {
      const target = gradients.into(input);
      if (target) dispatchProduct(graph, dOut, other, target.out, target.accumulate);
    }
  });
  return out;
}

/** Elements of the tensors. */
export const COUNT = 33;

/** What a test of the tape takes its tensors from. */
export interface TapeFixture {
  readonly engine: Engine;
  /** Makes a parameter, which lives until the end of the test, or until `release`. */
  parameter(name: string, seed: number): Parameter;
  release(): void;
}

/** To be called in a `describe`: an engine for its tests, which leave no memory behind. */
export function tapeFixture(open: () => Promise<Engine>): TapeFixture {
  let engine: Engine;
  const lasting: LastingTensor[] = [];
  const release = (): void => {
    for (const tensor of lasting.splice(0)) disposeTensor(engine, tensor);
  };
  beforeAll(async () => {
    engine = await open();
  });
  afterAll(() => {
    engine.dispose();
  });
  afterEach(() => {
    release();
    const left = engine.pool.liveBuffers;
    engine.pool.dispose(); // a test that fails leaves nothing to the next
    expect(left).toBe(0);
  });
  return {
    get engine() {
      return engine;
    },
    parameter: (name, seed) => {
      const value = createTensor(engine, name, [COUNT], 'f32', Float32Array.from(random([COUNT], seed).data));
      const grad = createTensor(engine, `${name} gradient`, [COUNT], 'f32');
      lasting.push(value, grad);
      const made = new Parameter([COUNT]);
      const owner = { engine, written: async (): Promise<void> => undefined };
      made.bind(name, { owner, values: value.storage, gradient: grad });
      return made;
    },
    release,
  };
}

export function input(graph: Graph, label: string, seed: number, requiresGrad = true): Tensor {
  return graph.input(label, [COUNT], 'f32', Float32Array.from(random([COUNT], seed).data), requiresGrad);
}

/** The elements that a seed stands for. */
export function numbers(seed: number): Float64Array {
  return random([COUNT], seed).data;
}

export function map(fn: (i: number) => number): Float64Array {
  return Float64Array.from({ length: COUNT }, (_, i) => fn(i));
}

/** Runs a graph once and compares some of its tensors. */
export async function expectTensors(graph: Graph, wanted: readonly (readonly [Tensor, Float64Array])[]): Promise<void> {
  graph.output(...wanted.map(([tensor]) => tensor));
  const program = await graph.compile();
  program.run();
  // A handful of f32 roundings, 6e-8 each.
  for (const [tensor, expected] of wanted) expectClose(tensor.label, await program.read(tensor), expected, 1e-6);
  program.dispose();
}
