import type { Engine } from '../src/engine/engine';
import * as operations from '../src/ops/binary';
import { add } from '../src/ops/add';
import { Graph } from '../src/tensor/graph';
import type { DType, Tensor, TensorData } from '../src/tensor/tensor';
import { operationTest, random } from './allclose';
import { backward, binaryReferences, forward, type BinaryReference, type Inputs } from './binary.reference';
import { refusalTest } from './expectBadShape';
import { suite, type KernelTest } from './suite';

// Alike, scalars, rows, columns, both stretched, axes between, and sums of more terms than one chunk.
const SHAPES = [
  [[], []],
  [[1], [1]],
  [
    [3, 17],
    [3, 17],
  ],
  [[3, 17], []],
  [[], [33, 5]],
  [[3, 17], [17]],
  [
    [3, 17],
    [3, 1],
  ],
  [
    [3, 1],
    [1, 17],
  ],
  [
    [2, 3, 4, 5],
    [3, 1, 5],
  ],
  [
    [2, 1, 4, 1, 3],
    [5, 1, 2, 1],
  ],
  [
    [65, 33],
    [1, 33],
  ],
  [[3], [701, 3]],
] as const;

// Rows of four; sums in one, two and three stages, along the last axis and not.
const LONG_SHAPES = [
  [[8], [4, 8]],
  [
    [2, 3, 8],
    [3, 1],
  ],
  [[700, 8], [8]],
  [
    [3, 1],
    [3, 1201],
  ],
  [[], [5, 8192]],
  [
    [1, 300, 1],
    [2, 300, 8],
  ],
  [
    [2, 1, 12],
    [2, 5, 12],
  ],
] as const;

const names = Object.keys(binaryReferences) as (keyof typeof binaryReferences)[];

/** What an operation on the engine gives, read back. */
async function compute<D extends DType>(engine: Engine, operation: (graph: Graph) => Tensor<D>): Promise<number[]> {
  const graph = new Graph(engine);
  const y = operation(graph);
  graph.output(y);
  const program = await graph.compile();
  try {
    program.run();
    return [...(await program.read(y))];
  } finally {
    program.dispose();
  }
}

/** Checks each element: the same number, NaN for NaN, and the sign of 0. */
function valueTest(
  name: string,
  operation: (graph: Graph) => Tensor<DType>,
  wanted: readonly number[],
  room = 0,
): KernelTest {
  return {
    name,
    run: async (engine) => {
      const found = await compute(engine, operation);
      const isClose = (value: number, right: number): boolean =>
        Object.is(value, right) || (room > 0 && Math.abs(value - right) <= room * Math.abs(right));
      if (found.length === wanted.length && found.every((value, i) => isClose(value, wanted[i] as number))) return;
      throw new Error(`${name}: [${found.join()}], not [${wanted.join()}]`);
    },
  };
}

/** A row as an input. */
const row = <D extends DType>(graph: Graph, dtype: D, data: TensorData): Tensor<D> =>
  graph.input('given', [data.length], dtype, data);
const f32 = (graph: Graph, ...data: readonly number[]): Tensor<'f32'> => row(graph, 'f32', Float32Array.from(data));
const i32 = (graph: Graph, ...data: readonly number[]): Tensor<'i32'> => row(graph, 'i32', Int32Array.from(data));
const u32 = (graph: Graph, ...data: readonly number[]): Tensor<'u32'> => row(graph, 'u32', Uint32Array.from(data));

const numbers: readonly KernelTest[] = (
  [
    ['sub', 3, 'sub'],
    ['mul', -1.5, 'mul'],
    ['div', 2.5, 'div'],
    ['pow', 1.7, 'pow'],
    ['maximum', 1.25, 'maximum'],
    ['add', 0.1, 'addBroadcast'],
  ] as const
).flatMap(([name, number, referenceName]) =>
  [true, false].map((isFirst) => {
    const operation = name === 'add' ? add : operations[name];
    const reference: BinaryReference = binaryReferences[referenceName];
    const both = (x: Inputs['a']): Inputs => {
      const given = { shape: [], data: Float64Array.of(Math.fround(number)) };
      return isFirst ? { a: given, b: x } : { a: x, b: given };
    };
    const { shape, data } = random([3, 17], 1);
    return operationTest<{ x: Inputs['a'] }>({
      name: `${name === 'add' ? 'sum' : name} of ${isFirst ? 'a number and a tensor' : 'a tensor and a number'}`,
      inputs: { x: { shape, data: reference.isPositive ? data.map((r) => 1.5 + r) : data } },
      operation: ({ x }) => ({ y: isFirst ? operation(number, x) : operation(x, number) }),
      forward: ({ x }) => forward(reference, both(x)),
      backward: ({ x }, dOutputs) => ({ x: backward(reference, both(x), dOutputs)[isFirst ? 'b' : 'a'] }),
    });
  }),
);

const COMPARED = [
  ['eq', (a, b) => a === b],
  ['ne', (a, b) => a !== b],
  ['lt', (a, b) => a < b],
  ['le', (a, b) => a <= b],
  ['gt', (a, b) => a > b],
  ['ge', (a, b) => a >= b],
] as const satisfies readonly (readonly [string, (a: number, b: number) => boolean])[];
const SPECIAL = [NaN, -Infinity, -2, -0, 0, 1e-30, 2, Infinity];

const comparisons: readonly KernelTest[] = COMPARED.flatMap(([name, holds]) => {
  const pairs = SPECIAL.flatMap((a) => SPECIAL.map((b) => [a, b] as const));
  const wanted = (of: readonly (readonly [number, number])[]): number[] => of.map(([a, b]) => Number(holds(a, b)));
  const whole = [[-5, 3], [3, 3], [2 ** 31 - 1, -(2 ** 31)]] as const; // prettier-ignore
  const big = [[2 ** 32 - 1, 1], [7, 7], [0, 2 ** 31]] as const; // prettier-ignore
  const of = operations[name];
  return [
    valueTest(
      `${name} of every pair of special numbers`,
      (graph) => of(f32(graph, ...SPECIAL).reshape([8, 1]), f32(graph, ...SPECIAL)),
      wanted(pairs),
    ),
    valueTest(
      `${name} of i32`,
      (graph) => of(i32(graph, ...whole.map(([a]) => a)), i32(graph, ...whole.map(([, b]) => b))),
      wanted(whole),
    ),
    valueTest(
      `${name} of u32`,
      (graph) => of(u32(graph, ...big.map(([a]) => a)), u32(graph, ...big.map(([, b]) => b))),
      wanted(big),
    ),
    valueTest(`${name} of a tensor and a number`, (graph) => of(f32(graph, 1, 2, 3), 2), wanted([[1, 2], [2, 2], [3, 2]])), // prettier-ignore
  ];
});

const integers: readonly KernelTest[] = [
  valueTest('sum of i32, wrapping around', (g) => add(i32(g, 2 ** 31 - 1, -5), i32(g, 1, 7)), [-(2 ** 31), 2]),
  valueTest('sub of u32, wrapping around', (g) => operations.sub(u32(g, 0, 9), u32(g, 1, 7)), [2 ** 32 - 1, 2]),
  valueTest('mul of i32', (g) => operations.mul(i32(g, -3, 5, 7, 2 ** 30 + 1), 3), [
    -9,
    15,
    21,
    3 * 2 ** 30 + 3 - 2 ** 32,
  ]),
  valueTest('maximum of u32', (g) => operations.maximum(u32(g, 2 ** 31, 3), 2 ** 24 + 1), [2 ** 31, 2 ** 24 + 1]),
  valueTest('minimum of i32', (g) => operations.minimum(-4, i32(g, 2 ** 31 - 1, -5)), [-4, -5]),
  valueTest('logicalAnd', (g) => operations.logicalAnd(u32(g, 0, 1, 2, 0), u32(g, 0, 4, 1, 1)), [0, 1, 1, 0]),
  valueTest('logicalOr', (g) => operations.logicalOr(u32(g, 0, 1, 2, 0), u32(g, 0, 4, 0, 1)), [0, 1, 1, 1]),
  valueTest('logicalNot', (g) => operations.logicalNot(u32(g, 0, 1, 5)), [1, 0, 0]),
];

/** IEEE 754's pow, which JavaScript's is not where |a| is 1. */
const power = (a: number, b: number): number =>
  a === 1 || (a === -1 && !Number.isFinite(b) && !Number.isNaN(b)) ? 1 : a ** b;
const BASES = [NaN, -Infinity, -2.5, -1, -0, 0, 0.3, 1, 7, Infinity];
const EXPONENTS = [NaN, -Infinity, -3, -2.5, -2, -1, -0.5, 0, 0.5, 1, 2, 3, 10, 11, 2 ** 24, Infinity];

const specials: readonly KernelTest[] = [
  valueTest(
    'pow of every pair of special numbers',
    (g) => operations.pow(f32(g, ...BASES).reshape([10, 1]), f32(g, ...EXPONENTS)),
    BASES.flatMap((a) => EXPONENTS.map((b) => Math.fround(power(Math.fround(a), b)))),
    1e-6,
  ),
  valueTest(
    'pow far out',
    (g) => operations.pow(f32(g, 10, 2, 1.0001, 3, 1e-10, 2, 1.5), f32(g, 30, 127, 8000, -70, 3.5, -126, -150)),
    [1e30, 2 ** 127, Math.fround(1.0001) ** 8000, 3 ** -70, Math.fround(1e-10) ** 3.5, 2 ** -126, 1.5 ** -150],
    1e-4,
  ),
  ...([2, 0.5, -1, -0.5] as const).map((b) =>
    valueTest(
      `pow by ${b}`,
      (g) => operations.pow(f32(g, 0.25, 4, 9), b),
      [0.25, 4, 9].map((a) => Math.fround(a ** b)),
      3e-7,
    ),
  ),
  valueTest('maximum of NaN', (g) => operations.maximum(f32(g, NaN, 1, 2, -Infinity), f32(g, 0, NaN, 3, -1)), [
    NaN,
    NaN,
    3,
    -1,
  ]),
  valueTest('minimum of NaN', (g) => operations.minimum(f32(g, NaN, 1, 2), f32(g, 0, NaN, Infinity)), [NaN, NaN, 2]),
  valueTest('div by 0', (g) => operations.div(f32(g, 1, -1, 0), 0), [Infinity, -Infinity, NaN]),
  valueTest(
    'gradient of pow at its ends',
    (g) => {
      const a = g.input('a', [5], 'f32', Float32Array.of(0, -2, 0, -2, 3), true);
      const b = g.input('b', [5], 'f32', Float32Array.of(0, 3, 2, 0, 0));
      g.backward(operations.pow(a, b), g.input('dy', [5], 'f32', new Float32Array(5).fill(1)));
      return g.gradientOf(a);
    },
    [0, 12, 0, 0, 0],
    1e-6,
  ),
  valueTest(
    'gradient of the exponent of pow at its ends',
    (g) => {
      const b = g.input('b', [4], 'f32', Float32Array.of(0, 3, 3, 2), true);
      g.backward(operations.pow(f32(g, 0, 0, -2, 1), b), g.input('dy', [4], 'f32', new Float32Array(4).fill(1)));
      return g.gradientOf(b);
    },
    [0, 0, NaN, 0],
  ),
  valueTest('nothing', (g) => operations.mul(g.input('x', [0, 4]), g.input('b', [4])), []),
  valueTest(
    'gradient over nothing',
    (g) => {
      const b = g.input('b', [4], 'f32', Float32Array.of(1, 2, 3, 4), true);
      g.backward(operations.mul(g.input('x', [0, 4]), b), g.input('dy', [0, 4]));
      return g.gradientOf(b);
    },
    [0, 0, 0, 0],
  ),
];

function broadcastTest(
  name: (typeof names)[number],
  a: readonly number[],
  b: readonly number[],
  title: string = name,
): KernelTest {
  const reference: BinaryReference = binaryReferences[name];
  const drawn = (shape: readonly number[], seed: number): Inputs['a'] => {
    const { data } = random(shape, seed);
    return { shape, data: reference.isPositive ? data.map((r) => 1.5 + r) : data };
  };
  return operationTest<Inputs>({
    name: `${title} of [${a.join()}] and [${b.join()}]`,
    inputs: { a: drawn(a, 1), b: drawn(b, 2) },
    operation: (inputs) => ({ y: operations[name](inputs.a, inputs.b) }),
    forward: (inputs) => forward(reference, inputs),
    backward: (inputs, dOutputs) => backward(reference, inputs, dOutputs),
  });
}

export default suite('binary', [
  ...names.flatMap((name) => SHAPES.map(([a, b]) => broadcastTest(name, a, b))),
  ...LONG_SHAPES.flatMap(([a, b]) => [broadcastTest('mul', a, b), broadcastTest('addBroadcast', a, b, 'sum')]),
  ...numbers,
  ...comparisons,
  ...integers,
  ...specials,
  refusalTest('shapes that do not fit', "mul: [3, 2] and [3] can't be stretched to one shape", (graph) =>
    operations.mul(graph.input('a', [3, 2]), graph.input('b', [3])),
  ),
  refusalTest('two types', 'sub: b holds i32, not f32', (graph) =>
    // @ts-expect-error as JavaScript may
    operations.sub(graph.input('a', [3]), graph.input('b', [3], 'i32')),
  ),
  refusalTest('integers where there is no such function of them', 'div: a holds i32, not f32', (graph) =>
    // @ts-expect-error as JavaScript may
    operations.div(graph.input('a', [3], 'i32'), 2),
  ),
  refusalTest('a part of a number for integers', 'mul: b is 1.5, which is no u32', (graph) =>
    operations.mul(graph.input('a', [3], 'u32'), 1.5),
  ),
  refusalTest('what is no operand', 'mul: b is undefined, which is no f32', (graph) =>
    operations.mul(graph.input('a', [3]), undefined as unknown as number),
  ),
  refusalTest('numbers where truth belongs', 'logicalAnd: a holds f32, not u32', (graph) =>
    // @ts-expect-error as JavaScript may
    operations.logicalAnd(graph.input('a', [3]), graph.input('b', [3], 'u32')),
  ),
]);
