import { embedding, gather, indexSelect, scatterAdd } from '../src/ops/gather';
import { Graph } from '../src/tensor/graph';
import { sizeOf, type Shape } from '../src/tensor/shape';
import { expectClose, operationTest, random, zeros, type Reference } from './allclose';
import { refusalTest } from './expectBadShape';
import { drawn, gathered, selected } from './gather.reference';
import { padding, scattered, scatteredBack } from './scatterSum.reference';
import { listed, moved, movedBack, placesOf } from './stridedCopy.reference';
import { suite, thorough, type KernelTest } from './suite';

/** Half of the indices are one row's: its sum has many terms. */
const tableTest = (shape: readonly [number, number], count: number): KernelTest => {
  const rows = padding(count, shape[0]);
  const places = selected(shape, 0, rows);
  return operationTest<{ x: Reference }>({
    name: `${count} rows of ${shape.join('×')}`,
    inputs: { x: random(shape, 1) },
    operation: ({ x }, graph) => ({ y: embedding(graph.input('rows', [count], 'u32', rows), x) }),
    forward: ({ x }) => ({ y: moved(x, places) }),
    backward: (_, { y }) => ({ x: movedBack(shape, places, y) }),
  });
};

const middleTest = operationTest<{ x: Reference }>({
  name: '130 of 3×33×5 along 1',
  inputs: { x: random([3, 33, 5], 1) },
  operation: ({ x }, graph) => ({ y: indexSelect(x, 1, graph.input('rows', [130], 'u32', padding(130, 33))) }),
  forward: ({ x }) => ({ y: moved(x, selected([3, 33, 5], 1, padding(130, 33))) }),
  backward: (_, { y }) => ({ x: movedBack([3, 33, 5], selected([3, 33, 5], 1, padding(130, 33)), y) }),
});

const lineTest = (shape: Shape, axis: number, of: Shape): KernelTest => {
  const data = padding(sizeOf(of), shape[axis] ?? 0);
  const places = gathered(shape, axis, { shape: of, data });
  return operationTest<{ x: Reference }>({
    name: `gradient of ${of.join('×')} of ${shape.join('×')} along ${axis}`,
    inputs: { x: random(shape, 1) },
    operation: ({ x }, graph) => ({ y: gather(x, axis, graph.input('indices', of, 'u32', data)) }),
    forward: ({ x }) => ({ y: moved(x, places) }),
    backward: (_, { y }) => ({ x: movedBack(shape, places, y) }),
  });
};

/** One index in five is not there. */
const addTest = (shape: Shape, axis: number, of: Shape, source: Shape = of): KernelTest => {
  const along = (axis + shape.length) % shape.length;
  const data = drawn(sizeOf(of), shape[along] ?? 0).map((index, i) => (i % 5 === 4 ? 0xffffffff : index));
  const places = gathered(shape, along, { shape: of, data });
  const whole = listed(placesOf(source).hi(...of));
  return operationTest<{ x: Reference; source: Reference }>({
    name: `sum ${of.join('×')} of ${source.join('×')} to ${shape.join('×')} along ${axis}`,
    inputs: { x: random(shape, 1), source: random(source, 2) },
    operation: (given, graph) => ({
      y: scatterAdd(given.x, axis, graph.input('indices', of, 'u32', data), given.source),
    }),
    forward: (given) => ({ y: scattered(given.x, moved(given.source, whole), places) }),
    backward: (_, { y = zeros(shape) }) => ({
      x: y,
      source: movedBack(source, whole, scatteredBack(of, places, y)),
    }),
  });
};

const repeated: KernelTest = {
  name: 'the same bits every run',
  run: async (engine) => {
    const graph = new Graph(engine);
    const [x, dy] = [random([50, 20], 1), random([3000, 20], 2)].map(({ shape, data }, index) =>
      graph.input('given', shape, 'f32', Float32Array.from(data), index === 0),
    );
    if (!x || !dy) throw new Error('nothing given');
    graph.backward(embedding(graph.input('rows', [3000], 'u32', padding(3000, 50)), x), dy);
    const dx = graph.gradientOf(x);
    graph.output(dx);
    const program = await graph.compile();
    try {
      program.run();
      const first = await program.read(dx);
      for (let run = 0; run < 3; run++) {
        program.run();
        expectClose('gradient', await program.read(dx), first, 0);
      }
    } finally {
      program.dispose();
    }
  },
};

export default suite('scatterSum', [
  tableTest([1, 1], 65),
  tableTest([17, 3], 257),
  tableTest([700, 65], 300),
  tableTest([5, 12], 3000),
  middleTest,
  lineTest([300], 0, [700]),
  lineTest([3, 33], 1, [3, 65]),
  lineTest([65, 3], 0, [130, 3]),
  lineTest([17, 5], 0, [3, 5]),
  addTest([17], 0, [33]),
  addTest([3, 17], 1, [3, 400]),
  addTest([3, 17, 5], 1, [2, 7, 4], [3, 8, 5]),
  addTest([5, 4], -2, [0, 4]),
  repeated,
  ...thorough([tableTest([2500, 130], 1000), lineTest([65, 16_500], 0, [70, 16_500])]),
  refusalTest('a source that is shorter', 'scatterAdd: indices of shape [3] do not go into source of [2]', (graph) =>
    scatterAdd(graph.input('x', [5]), 0, graph.input('i', [3], 'u32'), graph.input('s', [2])),
  ),
]);
