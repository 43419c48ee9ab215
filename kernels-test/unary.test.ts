import type { Engine } from '../src/engine/engine';
import { gelu } from '../src/ops/gelu';
import * as operations from '../src/ops/unary';
import { Graph } from '../src/tensor/graph';
import type { Tensor } from '../src/tensor/tensor';
import { operationTest, random } from './allclose';
import { refusalTest } from './expectBadShape';
import { suite, type KernelTest } from './suite';
import {
  backward,
  clamp,
  elu,
  forward,
  geluTanh,
  leakyRelu,
  unaryReferences,
  type Inputs,
  type UnaryReference,
} from './unary.reference';

const names = Object.keys(unaryReferences) as (keyof typeof unaryReferences)[];
const referenceOf = (name: keyof typeof unaryReferences): UnaryReference => unaryReferences[name];

type Operation = (x: Tensor) => Tensor;

function shapedTest(
  name: string,
  shape: readonly number[],
  operation: Operation,
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

const SHAPES = [[], [1], [3, 17], [2, 33, 4]] as const;

const shaped = names.flatMap((name) =>
  SHAPES.map((shape) => shapedTest(name, shape, (x) => operations[name](x), referenceOf(name))),
);

/** With what they are given beside x. */
const parameterised: readonly (readonly [string, Operation, UnaryReference])[] = [
  ['leakyRelu by 0.3', (x) => operations.leakyRelu(x, 0.3), leakyRelu(0.3)],
  ['elu by 0.7', (x) => operations.elu(x, 0.7), elu(0.7)],
  ['clamp to [-1, 1.5]', (x) => operations.clamp(x, { min: -1, max: 1.5 }), clamp(-1, 1.5)],
  ['clamp from 0', (x) => operations.clamp(x, { min: 0 }), clamp(0, Infinity)],
  ['clamp up to 0.5', (x) => operations.clamp(x, { max: 0.5 }), clamp(-Infinity, 0.5)],
  ['clamp to [2, 1]', (x) => operations.clamp(x, { min: 2, max: 1 }), { ...clamp(2, 1), value: () => 1 }],
  ['gelu with tanh', (x) => gelu(x, { approximate: 'tanh' }), geluTanh],
];

/** Each value by itself, far out and near 0: where a plain formula overflows or cancels. */
const ENDS = [0, 1e-30, 1e-6, 0.01, 0.29, 0.31, 0.49, 0.51, 2.9, 3.1, 9, 20, 80, 100, 1e4, 1e15];
const bounded = [
  ...['tanh', 'sigmoid', 'relu', 'silu', 'softplus', 'erf', 'abs', 'neg', 'mish', 'logSigmoid', 'leakyRelu', 'elu'],
  ...['sign', 'floor', 'ceil', 'round', 'trunc'],
] as (keyof typeof unaryReferences)[];

/** Where only some functions stay finite, or cancel: near 1 and 0, and at both ends. */
const PLACES: Partial<Record<keyof typeof unaryReferences, readonly number[]>> = {
  expm1: [0, 1e-30, -1e-30, 1e-6, -1e-6, 0.01, -0.01, 0.79, 0.81, -0.79, -0.81, 5, -5, 20, -20, -200],
  log: [1e-37, 1e-6, 0.5, 0.7071, 0.70711, 0.99, 0.999999, 1, 1.000001, 1.01, 1.4142, 1.4143, 2, 3, 1e6, 3e38],
  log2: [1e-37, 2 ** -126, 0.125, 0.99, 0.999999, 1, 1.000001, 1.01, 3, 8, 2 ** 20, 2 ** 127, 3e38],
  log1p: [0, 1e-30, -1e-30, 1e-6, -1e-6, 0.01, -0.01, 0.4, 0.42, -0.28, -0.3, -0.999, 5, 1e6, 3e38],
  exp2: [0, 1, -1, 3, 10, -10, 0.5, 1e-6],
  tan: [0, 1e-30, 1e-6, -0.5, 0.785, 1.5, 1.57, 3, 100, -100, 8000],
  round: [0.5, 1.5, 2.5, -0.5, -1.5, -2.5, 0.49999997],
};

/** Where neither its slope nearly cancels, nor it is e^(−|u|) of a large u: there, what rounds in u counts. */
const PLACES_OF_GELU = [
  0, 1e-30, -1e-30, 1e-6, -1e-6, 0.01, -0.01, 0.3, -0.3, 0.7, -1, -2, 1, 3, 9, -100, 1e4, 1e15, -1e15,
];

/** What `operation` gives at each of `at`, and its slope there. */
async function measure(
  engine: Engine,
  operation: Operation,
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

const ends: readonly KernelTest[] = [
  ...names
    .filter((name) => bounded.includes(name) || PLACES[name])
    .map((name) => {
      const at = PLACES[name] ?? ENDS.flatMap((end) => (end === 0 ? [0] : [end, -end]));
      return [name, operations[name], referenceOf(name), at] as const;
    }),
  ['gelu with tanh', operations.geluTanh, geluTanh, PLACES_OF_GELU] as const,
].map(([name, operation, { value, slope }, at]) => ({
  name: `${name} far out and near 0`,
  run: async (engine) => {
    const { values, slopes, x } = await measure(engine, operation, at);
    assertEach(name, values, x, value);
    assertEach(`${name}'`, slopes, x, slope);
  },
}));

/** What PyTorch gives at NaN, ∞, −∞ and 0; a slope that it leaves to chance is left out. */
const SPECIAL: readonly (readonly [
  name: keyof typeof unaryReferences,
  values: readonly number[],
  slopes?: readonly number[],
])[] = [
  ['relu', [NaN, Infinity, 0, 0], [1, 1, 0, 0]],
  ['leakyRelu', [NaN, Infinity, -Infinity, 0]],
  ['elu', [NaN, Infinity, -1, 0]],
  ['abs', [NaN, Infinity, Infinity, 0], [0, 1, -1, 0]],
  ['sign', [0, 1, -1, 0], [0, 0, 0, 0]],
  ['exp', [NaN, Infinity, 0, 1]],
  ['expm1', [NaN, Infinity, -1, 0]],
  ['log', [NaN, Infinity, NaN, -Infinity]],
  ['log2', [NaN, Infinity, NaN, -Infinity]],
  ['log1p', [NaN, Infinity, NaN, 0]],
  ['sqrt', [NaN, Infinity, NaN, 0]],
  ['reciprocal', [NaN, 0, 0, Infinity]],
  ['sigmoid', [NaN, 1, 0, 0.5]],
  ['tanh', [NaN, 1, -1, 0]],
  ['softplus', [NaN, Infinity, 0, Math.fround(Math.LN2)]],
  ['logSigmoid', [NaN, 0, -Infinity, -Math.fround(Math.LN2)]],
  ['floor', [NaN, Infinity, -Infinity, 0]],
  ['round', [NaN, Infinity, -Infinity, 0]],
];

const special: readonly KernelTest[] = [
  ...SPECIAL.map(([name, values, slopes]) => [name, operations[name] as Operation, values, slopes] as const),
  ['clamp', (x: Tensor) => operations.clamp(x, { min: -1, max: 0 }), [NaN, 0, -1, 0], [0, 0, 0, 1]] as const,
  ['gelu', (x: Tensor) => gelu(x), [NaN, Infinity, NaN, 0]] as const,
].map(([name, operation, values, slopes]) => ({
  name: `${name} of NaN and infinities`,
  run: async (engine) => {
    const x = [NaN, Infinity, -Infinity, 0];
    const found = await measure(engine, operation, x);
    const rightAt = (right: readonly number[]) => (at: number) =>
      right[x.findIndex((one) => Object.is(one, at))] as number;
    assertEach(name, found.values, found.x, rightAt(values));
    if (slopes) assertEach(`${name}'`, found.slopes, found.x, rightAt(slopes));
  },
}));

export default suite('unary', [
  ...shaped,
  ...parameterised.flatMap(([name, operation, reference]) =>
    [
      [3, 17],
      [2, 33, 4],
    ].map((shape) => shapedTest(name, shape, operation, reference)),
  ),
  shapedTest('relu', [0, 4], operations.relu, unaryReferences.relu),
  ...ends,
  ...special,
  refusalTest(
    'another type',
    'relu: x holds u32, not f32',
    (graph) => operations.relu(graph.input('x', [3], 'u32') as unknown as Tensor), // as JavaScript may
  ),
  refusalTest('no bound', 'clamp: bounds of min undefined and max undefined', (graph) =>
    operations.clamp(graph.input('x', [3]), {} as operations.ClampBounds),
  ),
  refusalTest('NaN as a bound', 'clamp: bounds of min NaN', (graph) =>
    operations.clamp(graph.input('x', [3]), { min: NaN }),
  ),
]);
