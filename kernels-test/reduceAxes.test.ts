import { mean, sum } from '../src/ops/reduce';
import type { Axes, ReduceOptions } from '../src/ops/reduceAxes';
import { argMax, argMin, logSumExp, max, min, norm, prod, std, variance } from '../src/ops/reductions';
import { Graph } from '../src/tensor/graph';
import type { DType, Tensor } from '../src/tensor/tensor';
import { expectClose, operationTest, random, type Reference } from './allclose';
import { refusalTest } from './expectBadShape';
import {
  backward,
  forward,
  reductionReferences,
  stdReference,
  varianceReference,
  type Inputs,
  type ReductionReference,
} from './reduceAxes.reference';
import { suite, type KernelTest } from './suite';

// Last axes, first ones, both, those between; lanes that have nothing; several chunks of rows and of columns, and of both.
const SHAPES = [
  { shape: [1], axes: [0] },
  { shape: [3, 17], axes: [1] },
  { shape: [3, 17], axes: [0] },
  { shape: [17, 1, 3], axes: [-2] },
  { shape: [3, 5, 4, 2], axes: [0, 2] },
  { shape: [3, 5, 4, 2], axes: [3, 1] },
  { shape: [5, 33, 3], axes: [0, 2] },
  { shape: [65, 130], axes: [-1] },
  { shape: [65, 130], axes: [0] },
  { shape: [2, 3, 2, 2, 3], axes: [1, 3] },
] as const;
/** Rows, columns, and axes on both sides. */
const FEW = [SHAPES[1], SHAPES[2], SHAPES[6]];
const LONG = [
  { shape: [3, 5003], axes: [1] },
  { shape: [5003, 3], axes: [0] },
  { shape: [701, 2, 9], axes: [0, 2] },
] as const;

/** Sums of terms of either sign, whose error is measured against what is left of them. */
const TOLERANCE = 1e-5;

type Operation = (x: Tensor, axes: Axes | undefined, options?: ReduceOptions) => Tensor<'f32'>;

const OPERATIONS: Readonly<Record<string, readonly [Operation, ReductionReference]>> = {
  sum: [sum, reductionReferences.sum],
  mean: [mean, reductionReferences.mean],
  max: [max, reductionReferences.max],
  min: [min, reductionReferences.min],
  prod: [prod, reductionReferences.prod],
  logSumExp: [logSumExp, reductionReferences.logSumExp],
  norm: [norm, reductionReferences.norm],
  variance: [(x, axes, options) => variance(x, axes, { ...options, correction: 0 }), varianceReference(0)],
  'variance, corrected': [variance, varianceReference(1)],
  std: [std, stdReference(1)],
};

interface Given {
  readonly shape: readonly number[];
  readonly axes: readonly number[];
}

/** Numbers a product of which neither vanishes nor explodes, and which differ where an extreme is to have one slope. */
function numbersFor(name: string, shape: readonly number[]): Reference {
  const { data } = random(shape, 1);
  if (name === 'prod') return { shape, data: data.map((r) => Math.fround((r < 0 ? -1 : 1) * (1 + 0.05 * r))) };
  return { shape, data };
}

function reductionTest(name: string, { shape, axes }: Given, x = numbersFor(name, shape), keepDim = false): KernelTest {
  const [operation, reference] = OPERATIONS[name] as readonly [Operation, ReductionReference];
  const places = axes.map((axis) => (axis + shape.length) % shape.length);
  const left = shape.flatMap((size, axis) => (places.includes(axis) ? (keepDim ? [1] : []) : [size]));
  const stated = { reference, axes, shape: left };
  return operationTest<Inputs>({
    name: `${name} of [${shape.join()}] over ${axes.join()}${keepDim ? ', kept' : ''}`,
    inputs: { x },
    operation: (inputs) => {
      const y = operation(inputs.x, axes, { keepDim });
      if (y.shape.join() !== left.join()) throw new Error(`shape [${y.shape.join()}], not [${left.join()}]`);
      return { y };
    },
    forward: (inputs) => forward(stated, inputs),
    backward: (inputs, dOutputs) => backward(stated, inputs, dOutputs),
    tolerance: TOLERANCE,
  });
}

/** What operations give for numbers, exactly or to the last bits of f32; NaN where NaN is wanted. */
function valueTest(name: string, operation: (graph: Graph) => Tensor<DType>, wanted: readonly number[]): KernelTest {
  return {
    name,
    run: async (engine) => {
      const graph = new Graph(engine);
      const y = operation(graph);
      graph.output(y);
      const program = await graph.compile();
      try {
        program.run();
        const found = Array.from(await program.read(y), Number);
        const isRight = (value: number, i: number): boolean => {
          const right = wanted[i] as number;
          return Object.is(value, right) || Math.abs(value - right) <= 1e-6 * Math.abs(right);
        };
        if (found.length !== wanted.length || !found.every(isRight)) {
          throw new Error(`[${found.join()}], not [${wanted.join()}]`);
        }
      } finally {
        program.dispose();
      }
    },
  };
}

const given = (graph: Graph, shape: readonly number[], numbers: readonly number[]): Tensor<'f32'> =>
  graph.input('x', shape, 'f32', Float32Array.from(numbers));

const { NaN: nan, POSITIVE_INFINITY: infinity } = Number;

const ends: readonly KernelTest[] = [
  valueTest('NaN is the largest', (graph) => max(given(graph, [2, 3], [1, nan, 3, 4, 5, 6]), 1), [nan, 6]),
  valueTest('NaN is the smallest', (graph) => min(given(graph, [2, 3], [1, nan, 3, 4, 5, 6]), 0), [1, nan, 3]),
  valueTest('argMax of NaN', (graph) => argMax(given(graph, [2, 3], [9, nan, nan, 4, 5, 5]), 1), [1, 1]),
  valueTest('max of −∞', (graph) => max(given(graph, [2], [-infinity, -infinity])), [-infinity]),
  valueTest(
    'logSumExp of −∞, ∞ and far out',
    (graph) => {
      return logSumExp(given(graph, [4, 2], [-infinity, -infinity, 0, infinity, 1e4, 1e4, -1e4, -infinity]), 1);
    },
    [-infinity, infinity, 1e4 + Math.LN2, -1e4],
  ),
  valueTest(
    'norm far out and near 0',
    (graph) => {
      return norm(given(graph, [5, 2], [3e30, 4e30, 3e-30, 4e-30, 0, 0, infinity, 1, nan, 1]), 1);
    },
    [5e30, 5e-30, 0, infinity, nan],
  ),
  valueTest('variance far from 0', (graph) => variance(given(graph, [4], [10_000, 10_001, 10_002, 10_003])), [5 / 3]),
  valueTest('variance of one', (graph) => variance(given(graph, [1], [3])), [nan]),
  valueTest('sum of nothing', (graph) => sum(graph.input('x', [2, 0]), 1), [0, 0]),
  valueTest('prod of nothing', (graph) => prod(graph.input('x', [0, 2]), 0), [1, 1]),
  valueTest('mean of nothing', (graph) => mean(graph.input('x', [2, 0]), 1), [nan, nan]),
  valueTest('logSumExp of nothing', (graph) => logSumExp(graph.input('x', [2, 0]), 1), [-infinity, -infinity]),
  valueTest('max of no rows', (graph) => max(graph.input('x', [0, 2]), 1), []),
];

const slopes: readonly KernelTest[] = (
  [
    ['max of ties', max, [3, 3, 1, 3], [1, 1, 0, 1].map((tie) => tie / 3)],
    ['prod with a 0', prod, [2, 0, 3, 4], [0, 24, 0, 0]],
    ['prod with two', prod, [2, 0, 3, 0], [0, 0, 0, 0]],
    ['norm of 0', norm, [0, 0], [0, 0]],
    ['std of equals', std, [5, 5], [0, 0]],
  ] as const
).map(([name, operation, numbers, wanted]) =>
  valueTest(
    `gradient of ${name}`,
    (graph) => {
      const x = graph.input('x', [numbers.length], 'f32', Float32Array.from(numbers), true);
      graph.backward(operation(x));
      return graph.gradientOf(x);
    },
    wanted,
  ),
);

function argTest(name: 'argMax' | 'argMin', { shape, axes }: Given): KernelTest {
  const [axis] = axes;
  return {
    name: `${name} of [${shape.join()}] over ${axis ?? 'all'}`,
    run: async (engine) => {
      // Few different numbers, so that the first of several is asked for.
      const data = random(shape, 3).data.map((r) => Math.round(4 * r));
      const all = axis === undefined ? [...shape.keys()] : [axis];
      const first = (values: readonly number[]): number =>
        values.indexOf(name === 'argMax' ? Math.max(...values) : Math.min(...values));
      const wanted = forward(
        { reference: { value: first, slopes: () => [] }, axes: all, shape: [] },
        { x: { shape, data } },
      );
      const graph = new Graph(engine);
      const x = graph.input('x', shape, 'f32', Float32Array.from(data));
      const y = name === 'argMax' ? argMax(x, axis) : argMin(x, axis);
      graph.output(y);
      const program = await graph.compile();
      try {
        program.run();
        expectClose(name, await program.read(y), wanted.y.data, 0);
      } finally {
        program.dispose();
      }
    },
  };
}

export default suite('reduceAxes', [
  // The layouts are the same for all: one operation goes through every one of them, the others through one of each kind.
  ...SHAPES.map((of) => reductionTest('sum', of)),
  ...Object.keys(OPERATIONS).flatMap((name) => (name === 'sum' ? [] : FEW.map((of) => reductionTest(name, of)))),
  ...['sum', 'max', 'logSumExp'].flatMap((name) => LONG.map((of) => reductionTest(name, of))),
  ...['sum', 'norm'].map((name) => {
    const of = { shape: [3, 5, 4], axes: [0, -1] };
    return reductionTest(name, of, numbersFor(name, of.shape), true);
  }),
  ...ends,
  ...slopes,
  valueTest(
    'sum of all, kept',
    (graph) => {
      const y = sum(given(graph, [2, 2], [1, 2, 3, 4]), undefined, { keepDim: true });
      if (y.shape.join() !== '1,1') throw new Error(`shape [${y.shape.join()}]`);
      return y;
    },
    [10],
  ),
  ...(['argMax', 'argMin'] as const).flatMap((name) =>
    [...SHAPES.filter(({ axes }) => axes.length === 1), ...LONG.slice(0, 2), { shape: [33, 65, 3], axes: [] }].map(
      (of) => argTest(name, of),
    ),
  ),
  refusalTest('an axis that is not there', 'max: [3, 4] has no axis 2', (graph) => max(graph.input('x', [3, 4]), 2)),
  refusalTest('an axis twice', 'name one twice', (graph) => sum(graph.input('x', [3, 4]), [1, -1])),
  refusalTest('the largest of none', 'max: x [3, 0] has no elements', (graph) => max(graph.input('x', [3, 0]), 1)),
  refusalTest(
    'another type',
    'std: x holds u32, not f32',
    (graph) => std(graph.input('x', [3], 'u32') as unknown as Tensor), // as JavaScript may
  ),
]);
