import { concat } from '../src/ops/concat';
import { expand, repeat } from '../src/ops/expand';
import { flip, permute, transpose } from '../src/ops/permute';
import { flatten, reshape, squeeze, unsqueeze } from '../src/ops/reshape';
import { pad, slice, split } from '../src/ops/slice';
import type { Word } from '../src/ops/axes';
import { Graph } from '../src/tensor/graph';
import type { Shape } from '../src/tensor/shape';
import type { Tensor } from '../src/tensor/tensor';
import { expectClose, operationTest, random, type Reference } from './allclose';
import { refusalTest } from './expectBadShape';
import { listed, moved, movedBack, padded, placesOf, tiled, type Places } from './stridedCopy.reference';
import { suite, thorough, type KernelTest } from './suite';

/** An operation that moves elements, and where each of them comes from. */
interface Case {
  readonly name: string;
  readonly shape: Shape;
  readonly places: Places;
  readonly operation: <D extends Word>(x: Tensor<D>) => Tensor<D>;
  /** What stands where no element comes to lie. */
  readonly value?: number;
}

/** Numbers are moved, not computed on; sums of what was stretched are rounded. */
const gradientTest = ({ name, shape, places, operation, value }: Case): KernelTest =>
  operationTest<{ x: Reference }>({
    name,
    inputs: { x: random(shape, 1) },
    operation: ({ x }) => ({ y: operation(x) }),
    forward: ({ x }) => ({ y: moved(x, places, value) }),
    backward: (_, { y }) => ({ x: movedBack(shape, places, y) }),
  });

/** The bits of whole numbers, and of a NaN that says something. */
const bitsTest = ({ name, shape, places, operation, value = 0 }: Case): KernelTest => ({
  name: `${name}, bits of i32 and f32`,
  run: async (engine) => {
    const graph = new Graph(engine);
    const bits = Int32Array.from(random(shape, 7).data, (r) => Math.round(r * 2 ** 31));
    bits[0] = 0x7fc12345;
    const integers = operation(graph.input('x', shape, 'i32', bits));
    const floats = operation(graph.input('x', shape, 'f32', new Float32Array(bits.buffer)));
    graph.output(integers, floats);
    const program = await graph.compile();
    try {
      program.run();
      const wanted = places.from.map((place) => (place < 0 ? value : (bits[place] ?? NaN)));
      expectClose('i32', await program.read(integers), wanted, 0);
      const found = await program.read(floats);
      const moved = places.from.map((place) => (place < 0 ? 0 : (bits[place] ?? NaN)));
      const kept = new Int32Array(found.buffer).map((word, i) => (places.from[i] === -1 ? 0 : word));
      expectClose('f32', kept, moved, 0);
    } finally {
      program.dispose();
    }
  },
});

const permuteCase = (shape: Shape, axes: readonly number[]): Case => ({
  name: `permute ${shape.join('×') || 'a scalar'} to ${axes.join()}`,
  shape,
  places: listed(placesOf(shape).transpose(...axes.map((axis) => (axis < 0 ? axis + shape.length : axis)))),
  operation: (x) => permute(x, axes),
});

const transposeCase = (shape: Shape, axis1: number, axis2: number): Case => {
  const order = shape.map((_, axis) => axis);
  const [first, second] = [axis1, axis2].map((axis) => (axis + shape.length) % shape.length) as [number, number];
  const places = listed(placesOf(shape).transpose(...order.with(first, second).with(second, first)));
  const name = `transpose ${shape.join('×')} at ${axis1} and ${axis2}`;
  return { name, shape, places, operation: (x) => transpose(x, axis1, axis2) };
};

const flipCase = (shape: Shape, axes: readonly number[]): Case => ({
  name: `flip ${shape.join('×')} along ${axes.join()}`,
  shape,
  places: listed(placesOf(shape).step(...shape.map((_, axis) => (axes.includes(axis) ? -1 : 1)))),
  operation: (x) => flip(x, axes),
});

/** @param range start and end as given, and as they are when counted from the front and clipped */
function sliceCase(shape: Shape, axis: number, range: readonly [start: number, end?: number, step?: number]): Case {
  const [start, end, step = 1] = range;
  const line = Array.from({ length: shape[axis] ?? 0 }, (_, i) => i);
  const [first = 0] = line.slice(start);
  const kept = line.slice(start, end);
  const low = shape.map((_, at) => (at === axis ? first : 0));
  const high = shape.map((extent, at) => (at === axis ? first + kept.length : extent));
  const view = placesOf(shape)
    .hi(...high)
    .lo(...low);
  return {
    name: `slice ${shape.join('×')} at ${axis}, ${start}:${end ?? ''}:${step}`,
    shape,
    places: listed(view.step(...shape.map((_, at) => (at === axis ? step : 1)))),
    operation: (x) => slice(x, axis, start, end, step),
  };
}

const padCase = (shape: Shape, pads: readonly number[], value = 0): Case => ({
  name: `pad ${shape.join('×')} by ${pads.join()} with ${value}`,
  shape,
  value,
  places: padded(
    shape,
    shape.map((_, axis) => [pads[2 * (shape.length - 1 - axis)] ?? 0, pads[2 * (shape.length - 1 - axis) + 1] ?? 0]),
  ),
  operation: (x) => pad(x, pads, { value }),
});

const expandCase = (shape: Shape, to: Shape): Case => ({
  name: `expand ${shape.join('×') || 'a scalar'} to ${to.join('×')}`,
  shape,
  places: tiled(
    shape,
    to.map((extent, axis) => (extent < 0 ? (shape[axis - to.length + shape.length] ?? 0) : extent)),
  ),
  operation: (x) => expand(x, to),
});

const repeatCase = (shape: Shape, repeats: readonly number[]): Case => ({
  name: `repeat ${shape.join('×')} ${repeats.join()} times`,
  shape,
  places: tiled(
    shape,
    repeats.map((times, axis) => times * (shape[axis - repeats.length + shape.length] ?? 1)),
  ),
  operation: (x) => repeat(x, repeats),
});

const CASES = [
  permuteCase([17, 33], [1, 0]),
  permuteCase([2, 3, 4, 8], [0, 2, 1, 3]),
  permuteCase([5, 3, 2, 7], [3, -2, 1, 0]),
  permuteCase([2, 3, 1, 5, 2, 3], [5, 1, 4, 2, 0, 3]),
  permuteCase([33, 3, 65], [2, 1, 0]),
  permuteCase([2, 17, 3, 40], [3, 0, 2, 1]),
  transposeCase([65, 33], 0, 1),
  transposeCase([64, 96], -1, -2),
  transposeCase([3, 17, 65], -1, -2),
  transposeCase([3, 5, 4, 12], 1, 2),
  transposeCase([15, 33], 0, 1),
  flipCase([17], [0]),
  flipCase([3, 5, 8], [1]),
  flipCase([3, 5, 8], [0, 2]),
  sliceCase([33], 0, [1]),
  sliceCase([17, 8], 0, [4, -4]),
  sliceCase([3, 65, 5], 1, [-60, 900, 7]),
  sliceCase([3, 65], 1, [64, 65]),
  sliceCase([5, 12], 1, [0, 8]),
  padCase([17], [1, 2], -3),
  padCase([3, 5, 8], [4, 4]),
  padCase([3, 5, 8], [0, 1, 2, 0, 1, 1], 7),
  padCase([5, 9], [-1, 3, 2, -2], 1),
  expandCase([], [3, 5]),
  expandCase([3, 1], [3, 65]),
  expandCase([3, 1], [-1, 700]),
  expandCase([33], [17, 33]),
  expandCase([1, 3, 1, 4], [2, 5, 3, 7, 4]),
  expandCase([3], [701, 3]),
  repeatCase([3], [4]),
  repeatCase([3, 5], [2, 1, 3]),
  repeatCase([2, 1, 4], [1, 300, 2]),
];

const MORE = [
  permuteCase([3, 5, 64, 48], [1, 3, 0, 2]),
  transposeCase([1, 1000, 70], 1, 2),
  sliceCase([9, 40, 16], 1, [3, 37, 2]),
  expandCase([70_000, 1], [70_000, 3]),
  repeatCase([5], [70_000]),
];

/** Parts of sizes that do and do not come out even; those at odd places are dropped, so that no gradient arrives for them. */
const SPLITS: readonly (readonly [Shape, number | readonly number[], number])[] = [
  [[3, 17, 4], 5, 1],
  [[33], [1, 0, 32], 0],
  [[7, 3], 6, 0],
  [[12, 8], 3, -2],
];

const splitTests = SPLITS.map(([shape, sizes, axis]) => {
  const along = (axis + shape.length) % shape.length;
  const extent = shape[along] ?? 0;
  const each = typeof sizes === 'number' ? Array.from({ length: Math.ceil(extent / sizes) }, () => sizes) : sizes;
  let first = 0;
  const places = each.map((size) => {
    const line = placesOf(shape).hi(...shape.with(along, Math.min(extent, first + size)));
    const part = listed(line.lo(...shape.map((_, at) => (at === along ? first : 0))));
    first += size;
    return part;
  });
  const kept: readonly Places[] = places.filter((_, index) => index % 2 === 0);
  const all = {
    shape: [kept.reduce((sum, { from }) => sum + from.length, 0)],
    from: kept.flatMap(({ from }) => from),
  };
  return operationTest<{ x: Reference }>({
    name: `split ${shape.join('×')} at ${axis} into ${String(sizes)}`,
    inputs: { x: random(shape, 1) },
    operation: ({ x }) => {
      const parts = split(x, sizes, axis);
      const shapes = parts.map((part) => part.shape.join());
      if (shapes.join(';') !== places.map((part) => part.shape.join()).join(';')) throw new Error(shapes.join(';'));
      return { y: concat(parts.filter((_, index) => index % 2 === 0).map((part) => flatten(part))) };
    },
    forward: ({ x }) => ({ y: moved(x, all) }),
    backward: (_, { y }) => ({ x: movedBack(shape, all, y) }),
  });
});

/** Views share memory and gradient: nothing is dispatched for them. */
const viewTest = operationTest<{ x: Reference }>({
  name: 'views: reshape, flatten, squeeze, unsqueeze, and whatever moves nothing',
  inputs: { x: random([3, 1, 4, 5], 1) },
  operation: ({ x }) => {
    const y = flatten(unsqueeze(squeeze(squeeze(x, 1), 0), -1), 1);
    if (y.shape.join() !== '3,20') throw new Error(`flattened to ${y.shape.join()}`);
    const [whole = y] = split(permute(expand(y, [1, 3, 20]), [1, 0, 2]), 3);
    const z = reshape(slice(pad(repeat(whole, [1, 1, 1]), [0, 0]), 0, 0), [2, -1, 5]);
    if (z.storage !== x.storage) throw new Error('a view is not of the same memory');
    return { y: flip(z, 0) };
  },
  forward: ({ x }) => ({ y: moved(x, flipCase([2, 6, 5], [0]).places) }),
  backward: (_, { y }) => ({ x: movedBack([3, 1, 4, 5], flipCase([2, 6, 5], [0]).places, y) }),
});

const emptyTest: KernelTest = {
  name: 'arrays without elements',
  run: async (engine) => {
    const graph = new Graph(engine);
    const none = graph.input('none', [3, 0, 4], 'f32', new Float32Array(), true);
    const x = graph.input('x', [3, 1, 4], 'f32', Float32Array.from(random([3, 1, 4], 1).data), true);
    const operations = [
      () => permute(none, [2, 0, 1]),
      () => flip(none, 1),
      () => expand(x, [3, 0, 4]),
      () => repeat(x, [1, 0, 1]),
      () => slice(x, 1, 1),
      () => concat(split(none, [0, 0], 1), 1),
    ];
    for (const operation of operations) {
      const y = operation();
      if (y.size > 0) throw new Error('elements out of nothing');
      graph.backward(y, graph.input('dy', y.shape));
    }
    const around = pad(none, [0, 0, 1, 0], { value: 2 });
    graph.backward(around, graph.input('dy', around.shape));
    const dx = graph.gradientOf(x);
    graph.output(around, dx, graph.gradientOf(none));
    const program = await graph.compile();
    try {
      program.run();
      expectClose('padded', await program.read(around), new Float32Array(12).fill(2), 0);
      expectClose('gradient', await program.read(dx), new Float32Array(12), 0);
    } finally {
      program.dispose();
    }
  },
};

export default suite('stridedCopy', [
  ...CASES.map(gradientTest),
  ...[transposeCase([64, 96], 0, 1), flipCase([5, 9], [1]), padCase([5, 8], [1, 1], -1), repeatCase([3], [5])].map(
    bitsTest,
  ),
  ...splitTests,
  viewTest,
  emptyTest,
  ...thorough(MORE.map(gradientTest)),
  refusalTest('an axis that is not there', '[2, 3] has no axis 2. Give one from -2 to 1', (graph) =>
    transpose(graph.input('x', [2, 3]), 0, 2),
  ),
  refusalTest('an axis twice', 'permute: [0, 0] are not the axes of [2, 3]', (graph) =>
    permute(graph.input('x', [2, 3]), [0, 0]),
  ),
  refusalTest('to flip an axis twice', 'flip: an axis comes twice', (graph) => flip(graph.input('x', [2, 3]), [1, -1])),
  refusalTest('a step of 0', 'slice: 0:2:0 is no range', (graph) => slice(graph.input('x', [2, 3]), 0, 0, 2, 0)),
  refusalTest('parts that are too many', 'split: [2, 2] are no sizes of parts of 3', (graph) =>
    split(graph.input('x', [3]), [2, 2]),
  ),
  refusalTest('half a pair', 'pad: [1] can', (graph) => pad(graph.input('x', [3]), [1])),
  refusalTest('a fraction in whole numbers', 'pad: 0.5 is no u32', (graph) =>
    pad(graph.input('x', [3], 'u32'), [1, 1], { value: 0.5 }),
  ),
  refusalTest('to stretch 2 to 3', "expand: [2] can't be stretched to [3]", (graph) =>
    expand(graph.input('x', [2]), [3]),
  ),
  refusalTest('too few repetitions', "repeat: [2, 3] can't be repeated [2] times", (graph) =>
    repeat(graph.input('x', [2, 3]), [2]),
  ),
  refusalTest('an extent that does not fit', "can't be [4, -1]", (graph) => reshape(graph.input('x', [2, 3]), [4, -1])),
  refusalTest('to flatten backwards', 'flatten: axis 1 comes after axis 0', (graph) =>
    flatten(graph.input('x', [2, 3]), 1, 0),
  ),
  refusalTest('f16', 'flip: x holds f16', (graph) => flip(graph.input('x', [2], 'f16'), 0)),
]);
