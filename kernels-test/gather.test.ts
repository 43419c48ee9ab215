import { embedding, gather, indexSelect, oneHot } from '../src/ops/gather';
import { Graph } from '../src/tensor/graph';
import { sizeOf, type Shape } from '../src/tensor/shape';
import { expectClose, operationTest, random, type Reference } from './allclose';
import { refusalTest } from './expectBadShape';
import { drawn, gathered, selected } from './gather.reference';
import { moved, movedBack } from './stridedCopy.reference';
import { suite, type KernelTest } from './suite';

type Inputs = { x: Reference };

const selectTest = (shape: Shape, axis: number, count: number): KernelTest => {
  const along = (axis + shape.length) % shape.length;
  const rows = drawn(count, shape[along] ?? 0);
  const places = selected(shape, along, rows);
  return operationTest<Inputs>({
    name: `${count} of ${shape.join('×')} along ${axis}`,
    inputs: { x: random(shape, 1) },
    operation: ({ x }, graph) => ({ y: indexSelect(x, axis, graph.input('rows', [count], 'u32', rows)) }),
    forward: ({ x }) => ({ y: moved(x, places) }),
    backward: (_, { y }) => ({ x: movedBack(shape, places, y) }),
  });
};

const gatherTest = (shape: Shape, axis: number, of: Shape): KernelTest => {
  const along = (axis + shape.length) % shape.length;
  const data = drawn(sizeOf(of), shape[along] ?? 0);
  const places = gathered(shape, along, { shape: of, data });
  return operationTest<Inputs>({
    name: `gather ${of.join('×')} of ${shape.join('×')} along ${axis}`,
    inputs: { x: random(shape, 1) },
    operation: ({ x }, graph) => ({ y: gather(x, axis, graph.input('indices', of, 'u32', data)) }),
    forward: ({ x }) => ({ y: moved(x, places) }),
    backward: (_, { y }) => ({ x: movedBack(shape, places, y) }),
  });
};

const embeddingTest = operationTest<Inputs>({
  name: 'embedding of 3×5 indices in 17×12',
  inputs: { x: random([17, 12], 1) },
  operation: ({ x }, graph) => {
    const y = embedding(graph.input('indices', [3, 5], 'u32', drawn(15, 17)), x);
    if (y.shape.join() !== '3,5,12') throw new Error(`[${y.shape.join()}]`);
    return { y };
  },
  forward: ({ x }) => ({ y: moved(x, selected([17, 12], 0, drawn(15, 17))) }),
  backward: (_, { y }) => ({ x: movedBack([17, 12], selected([17, 12], 0, drawn(15, 17)), y) }),
});

/** NaN for floats, 0 for integers, and nothing on the way back; -1 is the largest number. */
const outsideTest = (length: number): KernelTest => ({
  name: `indices that are not there, ${length} of them`,
  run: async (engine) => {
    const graph = new Graph(engine);
    const data = Uint32Array.from({ length }, (_, i) => [1, 3, 0xffffffff, 0, 2][i % 5] ?? 0);
    const indices = graph.input('indices', [length], 'u32', data);
    const x = graph.input('x', [3, 4], 'f32', Float32Array.from(random([3, 4], 1).data), true);
    const column = graph.input('column', [3], 'f32', Float32Array.of(7, 8, 9), true);
    const ones = (shape: Shape) => graph.input('ones', shape, 'f32', new Float32Array(sizeOf(shape)).fill(1));
    const rows = indexSelect(x, 0, indices);
    graph.backward(rows, ones([length, 4]));
    const single = gather(column, 0, indices);
    graph.backward(single, ones([length]));
    const integers = gather(graph.input('i', [3], 'i32', Int32Array.of(-7, 8, 9)), 0, indices);
    const [dx, dColumn] = [graph.gradientOf(x), graph.gradientOf(column)];
    graph.output(rows, single, integers, dx, dColumn);
    const program = await graph.compile();
    try {
      program.run();
      const isThere = (i: number): boolean => (data[i] ?? 3) < 3;
      const missing = [...(await program.read(rows))].map((value) => Number(Number.isNaN(value)));
      const wanted = Array.from({ length: length * 4 }, (_, i) => Number(!isThere(Math.floor(i / 4))));
      expectClose('rows', missing, wanted, 0);
      const alone = [...(await program.read(single))].map((value) => (Number.isNaN(value) ? -1 : value));
      expectClose(
        'elements',
        alone,
        [...data].map((index) => [7, 8, 9][index] ?? -1),
        0,
      );
      expectClose(
        'integers',
        await program.read(integers),
        [...data].map((index) => [-7, 8, 9][index] ?? 0),
        0,
      );
      const counts = [0, 1, 2].map((row) => data.filter((index) => index === row).length);
      expectClose('gradient of a column', await program.read(dColumn), counts, 0);
      expectClose(
        'gradient',
        await program.read(dx),
        counts.flatMap((count) => Array<number>(4).fill(count)),
        0,
      );
    } finally {
      program.dispose();
    }
  },
});

const oneHotTest: KernelTest = {
  name: 'one hot',
  run: async (engine) => {
    const graph = new Graph(engine);
    const y = oneHot(graph.input('indices', [2, 2], 'u32', Uint32Array.of(2, 0, 3, 1)), 3);
    const none = oneHot(graph.input('none', [0], 'u32'), 3);
    graph.output(y, none);
    const program = await graph.compile();
    try {
      program.run();
      const found = [...(await program.read(y))].map((value) => (Number.isNaN(value) ? -1 : value));
      expectClose('rows', found, [0, 0, 1, 1, 0, 0, -1, -1, -1, 0, 1, 0], 0);
      if (y.shape.join() !== '2,2,3' || none.size > 0) throw new Error(`[${y.shape.join()}]`);
    } finally {
      program.dispose();
    }
  },
};

export default suite('gather', [
  selectTest([17], 0, 33),
  selectTest([3, 17, 8], 1, 5),
  selectTest([3, 5, 17], -1, 33),
  selectTest([5, 3], 0, 1),
  selectTest([5, 3], 0, 0),
  gatherTest([33], 0, [17]),
  gatherTest([3, 17], 1, [3, 5]),
  gatherTest([3, 17], -2, [5, 17]),
  gatherTest([3, 17, 5], 1, [2, 33, 4]),
  embeddingTest,
  outsideTest(5),
  outsideTest(400),
  oneHotTest,
  refusalTest('indices of another type', 'gather: indices holds f32, not u32', (graph) =>
    gather(graph.input('x', [3]), 0, graph.input('i', [3]) as never),
  ),
  refusalTest('indices that are longer', 'gather: indices of shape [4, 1] do not go into x of [3, 5]', (graph) =>
    gather(graph.input('x', [3, 5]), 1, graph.input('i', [4, 1], 'u32')),
  ),
  refusalTest('a table of one axis', 'embedding: weight has shape [3], not [V, D]', (graph) =>
    embedding(graph.input('i', [3], 'u32'), graph.input('w', [3])),
  ),
  refusalTest('rows by a matrix', 'indexSelect: indices has shape [3, 1], not [N]', (graph) =>
    indexSelect(graph.input('x', [3]), 0, graph.input('i', [3, 1], 'u32')),
  ),
]);
