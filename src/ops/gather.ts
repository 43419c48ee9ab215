import source from '../../shaders/gather.wgsl';
import { EngineError } from '../gpu/errors';
import { workgroupRow } from '../gpu/recording';
import { kernelsOf } from '../gpu/shader';
import { graphOf, type Graph } from '../tensor/graph';
import { formatShape, matchShape, sizeOf, type Shape } from '../tensor/shape';
import { takesGradients, type DType, type Tensor } from '../tensor/tensor';
import { add } from './add';
import { assertWords, axisOf, type Word } from './axes';
import { assertType } from './patchIndices';
import { recordScatterSum, type Selection } from './scatterSum';
import { pad, slice } from './slice';

const kernels = kernelsOf('gather', source, ['gather', 'oneHot']);

/** The bits of a NaN. */
const NAN = 0x7fc00000;

/** Appends y = the chosen elements of x. */
function recordGather(
  graph: Graph,
  { outer, width, length, extent, SHARED }: Selection,
  { x, indices }: { readonly x: Tensor<DType>; readonly indices: Tensor<'u32'> },
  {
    y,
    missing,
    accumulate = false,
  }: { readonly y: Tensor<DType>; readonly missing: number; readonly accumulate?: boolean },
): void {
  // Memory without elements holds no cell of four.
  const VEC = SHARED && width % 4 === 0 && x.size > 0 && y.size > 0;
  const cells = outer * length * (VEC ? width / 4 : width);
  graph.dispatch({
    kernel: kernels.gather,
    params: { SHARED, VEC, ACCUMULATE: accumulate },
    uniforms: { cells, width: VEC ? width / 4 : width, length, extent, missing },
    bindings: { x, indices, y },
    workgroups: workgroupRow(Math.ceil(cells / 64)),
  });
}

/** The operation: chosen elements of `x`, [outer, extent, width], as a tensor of `shape`. */
function choose<D extends Word>(
  operation: string,
  x: Tensor<D>,
  indices: Tensor<'u32'>,
  { shape, ...selection }: Selection & { readonly shape: Shape },
): Tensor<D> {
  const graph = graphOf(operation, x, indices);
  assertWords(operation, 'x', x);
  const y = graph.empty(operation, shape, x.dtype, x.requiresGrad);
  recordGather(graph, selection, { x, indices }, { y, missing: x.dtype === 'f32' ? NAN : 0 });
  if (takesGradients(x) && takesGradients(y)) {
    graph.record(operation, [y], (gradients) => {
      const dy = gradients.of(y);
      const dx = gradients.into(x);
      if (dy && dx) recordScatterSum(graph, selection, { indices, source: dy }, dx);
    });
  }
  return y;
}

function selectionOf(shape: Shape, axis: number, length: number, SHARED: boolean): Selection {
  const [outer, width] = [sizeOf(shape.slice(0, axis)), sizeOf(shape.slice(axis + 1))];
  return { outer, width, length, extent: shape[axis] ?? 0, SHARED };
}

/**
 * Rows along an axis by their numbers, as `torch.index_select`, of f32, i32 or u32. A row may come several times; the
 * order of the sum of its gradient is fixed. A number that is no row's gives NaN, of integers 0, and takes no gradient.
 *
 * @param x f32, i32 or u32, of any shape
 * @param indices [N] u32
 * @returns of x's shape, but N along the axis
 * @throws EngineError `bad-shape`
 */
export function indexSelect<D extends Word>(x: Tensor<D>, axis: number, indices: Tensor<'u32'>): Tensor<D> {
  assertType('indexSelect', 'indices', indices, 'u32');
  const along = axisOf('indexSelect', axis, x.shape);
  const { N } = matchShape('indexSelect', 'indices', indices.shape, ['N']);
  const shape = x.shape.with(along, N);
  return choose('indexSelect', x, indices, { shape, ...selectionOf(x.shape, along, N, true) });
}

/**
 * Rows of a table by their numbers, as `F.embedding`; see `indexSelect`.
 *
 * @param indices [...] u32
 * @param weight [V, D] f32
 * @returns [..., D]
 * @throws EngineError `bad-shape`
 */
export function embedding(indices: Tensor<'u32'>, weight: Tensor): Tensor {
  assertType('embedding', 'indices', indices, 'u32');
  const { D } = matchShape('embedding', 'weight', weight.shape, ['V', 'D']);
  const shape = [...indices.shape, D];
  return choose('embedding', weight, indices, { shape, ...selectionOf(weight.shape, 0, indices.size, true) });
}

/** @throws EngineError `bad-shape` unless `indices` has as many axes as `shape`, none of them longer but for `except` */
function assertWithin(operation: string, indices: Shape, operand: string, shape: Shape, except?: number): void {
  const fits = indices.length === shape.length;
  if (fits && indices.every((extent, axis) => axis === except || extent <= (shape[axis] ?? 0))) return;
  throw new EngineError(
    'bad-shape',
    `${operation}: indices of shape ${formatShape(indices)} do not go into ${operand} of ${formatShape(shape)}.`,
    'Give as many axes, none longer; only the axis that is chosen from may be.',
  );
}

/** The corner of `x` that has these extents. */
function corner<D extends Word>(x: Tensor<D>, extents: Shape): Tensor<D> {
  return extents.reduce<Tensor<D>>((part, extent, axis) => slice(part, axis, 0, extent), x);
}

/**
 * Elements by their places along an axis, as `torch.gather`: y[i, j, k] = x[i, indices[i, j, k], k] for axis 1, of f32,
 * i32 or u32. A place that is not there gives NaN, of integers 0, and takes no gradient.
 *
 * @param x f32, i32 or u32, of any shape
 * @param indices u32, of a shape with as many axes as `x`; none longer than in `x`, but for that axis
 * @returns of the shape of `indices`
 * @throws EngineError `bad-shape`
 */
export function gather<D extends Word>(x: Tensor<D>, axis: number, indices: Tensor<'u32'>): Tensor<D> {
  const graph = graphOf('gather', x, indices);
  assertType('gather', 'indices', indices, 'u32');
  const along = axisOf('gather', axis, x.shape);
  const { shape } = indices;
  assertWithin('gather', shape, 'x', x.shape, along);
  const whole = corner(graph.use(x), shape.with(along, x.shape[along] ?? 0));
  return choose('gather', whole, indices, { shape, ...selectionOf(whole.shape, along, shape[along] ?? 0, false) });
}

/**
 * `x` with elements of `source` added at places along an axis, as `torch.scatter_add`, f32: y[i, indices[i, j, k], k]
 * += source[i, j, k] for axis 1. The order of each sum is fixed. A place that is not there takes nothing.
 *
 * @param x f32, of any shape
 * @param indices u32, of a shape with as many axes as `x` and `source`; none longer than in `source`, nor than in `x`,
 *   but for that axis
 * @param source f32, of a shape that may be larger than that of `indices`: what they do not name is left out
 * @returns of x's shape
 * @throws EngineError `bad-shape`
 */
export function scatterAdd(x: Tensor, axis: number, indices: Tensor<'u32'>, source: Tensor): Tensor {
  const graph = graphOf('scatterAdd', x, indices, source);
  assertType('scatterAdd', 'x', x, 'f32');
  assertType('scatterAdd', 'indices', indices, 'u32');
  assertType('scatterAdd', 'source', source, 'f32');
  const along = axisOf('scatterAdd', axis, x.shape);
  const { shape } = indices;
  assertWithin('scatterAdd', shape, 'x', x.shape, along);
  assertWithin('scatterAdd', shape, 'source', source.shape);
  const added = corner(graph.use(source), shape);
  const sums = graph.empty('scatterAdd', shape.with(along, x.shape[along] ?? 0), 'f32', added.requiresGrad);
  const selection = selectionOf(sums.shape, along, shape[along] ?? 0, false);
  recordScatterSum(graph, selection, { indices, source: added }, { out: sums, accumulate: false });
  graph.record('scatterAdd', [sums], (gradients) => {
    const dSums = gradients.of(sums);
    const dAdded = gradients.into(added);
    if (!dSums || !dAdded) return;
    const { out: y, accumulate } = dAdded;
    recordGather(graph, selection, { x: dSums, indices }, { y, missing: 0, accumulate });
  });
  const around = x.shape.map((extent, at) => [0, extent - (sums.shape[at] ?? 0)]);
  return add(graph.use(x), pad(sums, around.toReversed().flat()));
}

/**
 * Each number as a row of zeros with a one in its place, as `F.one_hot`, but f32; without gradient. A number that is no class
 * gives a row of NaN.
 *
 * @param indices [...] u32
 * @returns [..., classes]
 * @throws EngineError `bad-shape`
 */
export function oneHot(indices: Tensor<'u32'>, classes: number): Tensor<'f32'> {
  const graph = graphOf('oneHot', indices);
  assertType('oneHot', 'indices', indices, 'u32');
  if (!Number.isSafeInteger(classes) || classes < 1) {
    throw new EngineError('bad-shape', `oneHot: ${classes} classes.`, 'Give a whole number from 1.');
  }
  const y = graph.empty('oneHot', [...indices.shape, classes]);
  graph.dispatch({
    kernel: kernels.oneHot,
    uniforms: { cells: y.size, extent: classes, missing: NAN },
    bindings: { indices, y },
    workgroups: workgroupRow(Math.ceil(y.size / 64)),
  });
  return y;
}
