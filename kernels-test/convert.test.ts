import type { Engine } from '../src/engine/engine';
import { full, fullLike, isFinite, isNan, onesLike, to, zerosLike } from '../src/ops/convert';
import { Graph } from '../src/tensor/graph';
import type { DType, Tensor } from '../src/tensor/tensor';
import { expectClose, random } from './allclose';
import { toI32, toU32 } from './convert.reference';
import { refusalTest } from './expectBadShape';
import { suite, type KernelTest } from './suite';

function valueTest(name: string, operation: (graph: Graph) => Tensor<DType>, wanted: readonly number[]): KernelTest {
  return {
    name,
    run: async (engine: Engine) => {
      const graph = new Graph(engine);
      const y = operation(graph);
      graph.output(y);
      const program = await graph.compile();
      try {
        program.run();
        const found = [...(await program.read(y))];
        if (found.length === wanted.length && found.every((value, i) => Object.is(value, wanted[i]))) return;
        throw new Error(`${name}: [${found.join()}], not [${wanted.join()}]`);
      } finally {
        program.dispose();
      }
    },
  };
}

const NUMBERS = [0, 0.9, -0.9, 1.5, -2.5, 2 ** 24 + 2, 3e9, -3e9, 5e9, Infinity, -Infinity, 2147483520, 2 ** 31];
const SPECIAL = [NaN, Infinity, -Infinity, 0, 3.4e38, 1e-40];
const f32 = (graph: Graph, data: readonly number[]): Tensor<'f32'> =>
  graph.input('x', [data.length], 'f32', Float32Array.from(data));

export default suite('convert', [
  valueTest(
    'f32 to i32',
    (g) => to(f32(g, NUMBERS), 'i32'),
    NUMBERS.map((x) => toI32(Math.fround(x)) + 0),
  ),
  valueTest(
    'f32 to u32',
    (g) => to(f32(g, NUMBERS), 'u32'),
    NUMBERS.map((x) => toU32(Math.fround(x)) + 0),
  ),
  valueTest('i32 to f32', (g) => to(g.input('x', [3], 'i32', Int32Array.of(-7, 0, 2 ** 24 + 1)), 'f32'), [
    -7,
    0,
    2 ** 24,
  ]),
  valueTest('u32 to f32', (g) => to(g.input('x', [2], 'u32', Uint32Array.of(3, 2 ** 31)), 'f32'), [3, 2 ** 31]),
  valueTest('i32 to u32', (g) => to(g.input('x', [2], 'i32', Int32Array.of(-1, 5)), 'u32'), [2 ** 32 - 1, 5]),
  valueTest('u32 to i32', (g) => to(g.input('x', [2], 'u32', Uint32Array.of(2 ** 32 - 1, 5)), 'i32'), [-1, 5]),
  valueTest('isNan', (g) => isNan(f32(g, [...SPECIAL, ...SPECIAL])), [1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0]),
  valueTest('isFinite', (g) => isFinite(f32(g, SPECIAL)), [0, 0, 0, 1, 1, 1]),
  valueTest('full', (g) => full(g, [2, 3], -1.5), [-1.5, -1.5, -1.5, -1.5, -1.5, -1.5]),
  valueTest('full of NaN', (g) => full(g, [1], NaN), [NaN]),
  valueTest('full of nothing', (g) => full(g, [0, 3], 1), []),
  valueTest('fullLike of i32', (g) => fullLike(g.input('x', [3], 'i32'), -7), [-7, -7, -7]),
  valueTest('zerosLike', (g) => zerosLike(g.input('x', [2], 'u32')), [0, 0]),
  valueTest('onesLike', (g) => onesLike(g.input('x', [1, 3])), [1, 1, 1]),
  {
    name: 'f32 to itself',
    run: (engine: Engine) => {
      const x = f32(new Graph(engine), [1]);
      return to(x, 'f32') === x ? Promise.resolve() : Promise.reject(new Error('it was copied'));
    },
  },
  {
    name: 'f32 to f16 and back, with its gradient',
    run: async (engine: Engine) => {
      if (!engine.hasHalf) return;
      const { shape, data } = random([3, 17], 1);
      const graph = new Graph(engine);
      const x = graph.input('x', shape, 'f32', Float32Array.from(data), true);
      const y = to(to(x, 'f16'), 'f32');
      graph.backward(y, graph.input('dy', shape, 'f32', Float32Array.from(data)));
      const dx = graph.gradientOf(x);
      graph.output(y, dx);
      const program = await graph.compile();
      program.run();
      expectClose('y', await program.read(y), data, 2 ** -11);
      expectClose('dx', await program.read(dx), data, 2 ** -11);
      program.dispose();
    },
  },
  refusalTest('bytes', "to: 'x' holds u8, which is not converted to f32", (graph) =>
    // @ts-expect-error as JavaScript may
    to(graph.input('x', [4], 'u8'), 'f32'),
  ),
  refusalTest('a number that the type does not hold', 'fullLike: -1 is no u32', (graph) =>
    fullLike(graph.input('x', [4], 'u32'), -1),
  ),
]);
