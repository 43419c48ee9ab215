import { gelu } from '../src/ops/gelu';
import * as operations from '../src/ops/unary';
import type { Tensor } from '../src/tensor/tensor';
import { ENDS, SHAPES, endsTest, shapedTest, specialTest, type ElementwiseOperation } from './elementwise';
import { refusalTest } from './expectBadShape';
import { suite } from './suite';
import { clamp, elu, geluTanh, leakyRelu, unaryReferences, type UnaryReference } from './unary.reference';

const names = Object.keys(unaryReferences) as (keyof typeof unaryReferences)[];
const referenceOf = (name: keyof typeof unaryReferences): UnaryReference => unaryReferences[name];

const shaped = names.flatMap((name) =>
  SHAPES.map((shape) => shapedTest(name, shape, (x) => operations[name](x), referenceOf(name))),
);

/** With what they are given beside x. */
const parameterised: readonly (readonly [string, ElementwiseOperation, UnaryReference])[] = [
  ['leakyRelu by 0.3', (x) => operations.leakyRelu(x, 0.3), leakyRelu(0.3)],
  ['elu by 0.7', (x) => operations.elu(x, 0.7), elu(0.7)],
  ['clamp to [-1, 1.5]', (x) => operations.clamp(x, { min: -1, max: 1.5 }), clamp(-1, 1.5)],
  ['clamp from 0', (x) => operations.clamp(x, { min: 0 }), clamp(0, Infinity)],
  ['clamp up to 0.5', (x) => operations.clamp(x, { max: 0.5 }), clamp(-Infinity, 0.5)],
  ['clamp to [2, 1]', (x) => operations.clamp(x, { min: 2, max: 1 }), { ...clamp(2, 1), value: () => 1 }],
  ['gelu with tanh', (x) => gelu(x, { approximate: 'tanh' }), geluTanh],
];

const bounded = [
  ...['tanh', 'sigmoid', 'silu', 'softplus', 'erf', 'abs', 'neg', 'mish', 'logSigmoid', 'leakyRelu', 'elu'],
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

const ends = [
  ...names
    .filter((name) => bounded.includes(name) || PLACES[name])
    .map((name) => endsTest(name, operations[name], referenceOf(name), PLACES[name] ?? ENDS)),
  endsTest('gelu with tanh', operations.geluTanh, geluTanh, PLACES_OF_GELU),
];

/** What PyTorch gives at NaN, ∞, −∞ and 0; a slope that it leaves to chance is left out. */
const SPECIAL: readonly (readonly [
  name: keyof typeof unaryReferences,
  values: readonly number[],
  slopes?: readonly number[],
])[] = [
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

const special = [
  ...SPECIAL.map(([name, values, slopes]) => specialTest(name, operations[name], values, slopes)),
  specialTest('clamp', (x) => operations.clamp(x, { min: -1, max: 0 }), [NaN, 0, -1, 0], [0, 0, 0, 1]),
  specialTest('gelu', (x) => gelu(x), [NaN, Infinity, NaN, 0]),
];

export default suite('unary', [
  ...shaped,
  ...parameterised.flatMap(([name, operation, reference]) =>
    [
      [3, 17],
      [2, 33, 4],
    ].map((shape) => shapedTest(name, shape, operation, reference)),
  ),
  shapedTest('tanh', [0, 4], operations.tanh, unaryReferences.tanh),
  ...ends,
  ...special,
  refusalTest(
    'another type',
    'tanh: x holds u32, not f32',
    (graph) => operations.tanh(graph.input('x', [3], 'u32') as unknown as Tensor), // as JavaScript may
  ),
  refusalTest('no bound', 'clamp: bounds of min undefined and max undefined', (graph) =>
    operations.clamp(graph.input('x', [3]), {} as operations.ClampBounds),
  ),
  refusalTest('NaN as a bound', 'clamp: bounds of min NaN', (graph) =>
    operations.clamp(graph.input('x', [3]), { min: NaN }),
  ),
]);
