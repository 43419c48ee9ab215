import type { Engine } from '../src/engine/engine';
import { Graph } from '../src/tensor/graph';
import type { Tensor } from '../src/tensor/tensor';
import { operationTest, random } from './allclose';
import type { KernelTest } from './suite';
import { backward, forward, type Inputs, type UnaryReference } from './unary.reference';

/* Tests that functions of one number share. */

export type ElementwiseOperation = (x: Tensor) => Tensor;

/** Random values of the reference's range, and their gradient. */
export function shapedTest(
  name: string,
  shape: readonly number[],
  operation: ElementwiseOperation,
  reference: UnaryReference,
): KernelTest {
  const { data } = random(shape, 1);
  const x = data.map((r) => Math.fround(reference.low + ((r + 1) / 2) * (reference.high - reference.low)));
  return operationTest<Inputs>({
    name: `${name} ${shape.join('×') || 'of a scalar'}`,
    inputs: { x: { shape, data: x } },
    operation: (inputs) => ({ y: operation(inputs.x) }),
    forward: (inputs) => forward(reference, inputs),
    backward: (inputs, dOutputs) => backward(reference, inputs, dOutputs),
  });
}

/** Of a scalar, of odd numbers of elements, and of rows that are taken four elements at a time. */
export const SHAPES = [[], [1], [3, 17], [2, 33, 4]] as const;

/** Each value by itself, far out and near 0: where a plain formula overflows or cancels. */
export const ENDS = [0, 1e-30, 1e-6, 0.01, 0.29, 0.31, 0.49, 0.51, 2.9, 3.1, 9, 20, 80, 100, 1e4, 1e15].flatMap(
  (end) => (end === 0 ? [0] : [end, -end]),
);

/** Values and slopes, each by itself. */
export function endsTest(
  name: string,
  operation: ElementwiseOperation,
  { value, slope }: UnaryReference,
  at: readonly number[] = ENDS,
): KernelTest {
  return {
    name: `${name} far out and near 0`,
    run: async (engine) => {
      const { values, slopes, x } = await measure(engine, operation, at);
      assertEach(name, values, x, value);
      assertEach(`${name}'`, slopes, x, slope);
    },
  };
}

/** What PyTorch gives at NaN, ∞, −∞ and 0; a slope that it leaves to chance is left out. */
export function specialTest(
  name: string,
  operation: ElementwiseOperation,
  values: readonly number[],
  slopes?: readonly number[],
): KernelTest {
  return {
    name: `${name} of NaN and infinities`,
    run: async (engine) => {
      const x = [NaN, Infinity, -Infinity, 0];
      const found = await measure(engine, operation, x);
      const rightAt = (right: readonly number[]) => (at: number) =>
        right[x.findIndex((one) => Object.is(one, at))] as number;
      assertEach(name, found.values, found.x, rightAt(values));
      if (slopes) assertEach(`${name}'`, found.slopes, found.x, rightAt(slopes));
    },
  };
}

/** What `operation` gives at each of `at`, and its slope there. */
async function measure(
  engine: Engine,
  operation: ElementwiseOperation,
  at: readonly number[],
): Promise<{ values: Float32Array; slopes: Float32Array; x: Float32Array }> {
  const x = Float32Array.from(at);
  const graph = new Graph(engine);
  const given = graph.input('x', [x.length], 'f32', x, true);
  const y = operation(given);
  graph.backward(y, graph.input('dy', [x.length], 'f32', new Float32Array(x.length).fill(1)));
  const dx = graph.gradientOf(given);
  graph.output(y, dx);
  const program = await graph.compile();
  try {
    program.run();
    return { values: await program.read(y), slopes: await program.read(dx), x };
  } finally {
    program.dispose();
  }
}

/** @param room relative: what a dozen roundings of the value may leave */
function assertEach(
  what: string,
  found: Float32Array,
  x: Float32Array,
  wanted: (x: number) => number,
  room = 1e-6,
): void {
  for (const [i, value] of found.entries()) {
    const at = x[i] as number;
    const right = wanted(at);
    if (Object.is(value, right) || Math.abs(value - right) <= room * Math.abs(right) + 1e-37) continue; // f32 holds no smaller
    throw new Error(`${what}(${at}): ${value}, not ${right}`);
  }
}
