import source from '../../shaders/stridedCopy.wgsl';
import { workgroupRow } from '../gpu/recording';
import { kernelsOf } from '../gpu/shader';
import { addInPlace } from '../tensor/accumulate';
import { graphOf, type Graph } from '../tensor/graph';
import { sizeOf, type Shape } from '../tensor/shape';
import { takesGradients, type DType, type Tensor } from '../tensor/tensor';
import { assertWords, stepsOf, type Word } from './axes';
import { recordRowSums } from './reduce';

const kernels = kernelsOf('stridedCopy', source, ['stridedCopy', 'transpose', 'stridedSum']);

/** An axis of what is copied: how far it goes, and how far an index moves along it on either side. */
export interface CopyAxis {
  readonly size: number;
  readonly from: number;
  readonly to: number;
}

/** Which elements are copied, and where to. No element of the target is written twice. */
export interface Copy {
  readonly axes: readonly CopyAxis[];
  /** Where the first element lies on either side; 0 by default. */
  readonly fromFirst?: number;
  readonly toFirst?: number;
}

/** An axis of what is summed. */
interface SumAxis {
  readonly size: number;
  readonly step: number;
}

/** Below this many elements along one of its axes, tiles would be mostly empty. */
const FULL_TILE = 16;
const TILE = 32;
/** Terms that an invocation adds up. */
const CHUNK = 256;
/** Terms from which a workgroup takes a row of them. */
const LONG_ROW = 64;

/** Axes in the order in which they lie in the target, those of one element left out, neighbours that lie alike taken as one. */
function merged(axes: readonly CopyAxis[]): CopyAxis[] {
  const result: CopyAxis[] = [];
  for (const axis of axes.filter(({ size }) => size !== 1).toSorted((a, b) => b.to - a.to)) {
    const outer = result.at(-1);
    const isAlike = outer && outer.from === axis.from * axis.size && outer.to === axis.to * axis.size;
    if (isAlike) result[result.length - 1] = { ...axis, size: outer.size * axis.size };
    else result.push(axis);
  }
  return result;
}

const countOf = (axes: readonly { readonly size: number }[]): number => sizeOf(axes.map(({ size }) => size));

/** Fields of a uniform, one a key and axis: `size0`, `size1`, … */
function fieldsOf<K extends string>(
  axes: readonly Readonly<Record<NoInfer<K>, number>>[],
  names: Readonly<Record<K, string>>,
) {
  const entries = Object.entries(names) as [K, string][];
  return Object.fromEntries(axes.flatMap((axis, k) => entries.map(([key, name]) => [`${name}${k}`, axis[key]])));
}

/** Appends a copy of elements of `x` to places of `out`; with `accumulate`, of f32, they are added to what is there. */
export function recordCopy(
  graph: Graph,
  x: Tensor<DType>,
  out: Tensor<DType>,
  { axes, fromFirst = 0, toFirst = 0 }: Copy,
  accumulate = false,
): void {
  const copy = { axes: merged(axes), fromFirst, toFirst };
  graph.byTraits('copy', ({ plain, software }) => {
    if (plain || software || !recordTiles(graph, x, out, copy, accumulate))
      recordCells(graph, x, out, copy, accumulate);
  });
}

/** The copy of four elements at once where they lie side by side, else one by one. */
function recordCells(
  graph: Graph,
  x: Tensor<DType>,
  out: Tensor<DType>,
  copy: Required<Copy>,
  accumulate: boolean,
): void {
  const { fromFirst, toFirst } = copy;
  const isVec = inCells([fromFirst, toFirst], copy.axes, ['from', 'to']);
  const cells = isVec ? ofCells(copy.axes) : copy.axes;
  const by = isVec ? 4 : 1;
  graph.dispatch({
    kernel: kernels.stridedCopy,
    params: { RANK: cells.length, VEC: isVec, FILL: false, ACCUMULATE: accumulate },
    uniforms: {
      cells: countOf(cells),
      fromFirst: fromFirst / by,
      toFirst: toFirst / by,
      ...fieldsOf(cells, { size: 'size', from: 'from', to: 'to' }),
    },
    bindings: { x, out },
    workgroups: workgroupRow(Math.ceil(countOf(cells) / 64)),
  });
}

/** Whether four neighbours can be taken at once on every side: they lie side by side, and all places are multiples of four. */
function inCells(firsts: readonly number[], axes: readonly CopyAxis[], sides: readonly ('from' | 'to')[]): boolean {
  const inner = axes.at(-1);
  return (
    inner !== undefined &&
    inner.size % 4 === 0 &&
    countOf(axes) > 0 && // memory without elements holds no cell
    firsts.every((first) => first % 4 === 0) &&
    sides.every((side) => inner[side] === 1 && axes.slice(0, -1).every((axis) => axis[side] % 4 === 0))
  );
}

/** Axes counted in cells of four. */
function ofCells(axes: readonly CopyAxis[]): CopyAxis[] {
  return axes.map(({ size, from, to }, k) =>
    k === axes.length - 1 ? { size: size / 4, from: 1, to: 1 } : { size, from: from / 4, to: to / 4 },
  );
}

/** The copy by tiles, where neighbours in `x` lie apart in `out` and there are enough of them; the same bits. Else false, and nothing. */
function recordTiles(
  graph: Graph,
  x: Tensor<DType>,
  out: Tensor<DType>,
  { axes, fromFirst = 0, toFirst = 0 }: Copy,
  accumulate: boolean,
): boolean {
  const columns = axes.find(({ to }) => to === 1);
  const rows = axes.find(({ from }) => from === 1);
  if (!columns || !rows || rows === columns) return false;
  if (Math.min(rows.size, columns.size) < FULL_TILE) return false;
  const rest = axes.filter((axis) => axis !== rows && axis !== columns);
  const tiles = countOf(rest) * Math.ceil(rows.size / TILE) * Math.ceil(columns.size / TILE);
  graph.dispatch({
    kernel: kernels.transpose,
    params: { RANK: rest.length, ACCUMULATE: accumulate },
    uniforms: {
      ...{ tiles, fromFirst, toFirst },
      ...{ rows: rows.size, toRow: rows.to, columns: columns.size, fromColumn: columns.from },
      ...fieldsOf(rest, { size: 'size', from: 'from', to: 'to' }),
    },
    bindings: { x, out },
    workgroups: workgroupRow(tiles),
  });
  return true;
}

/** Appends the writing of one value, given by its bits, to the places that a copy would write. */
export function recordFill(graph: Graph, out: Tensor<DType>, bits: number, copy?: Copy): void {
  const { axes, toFirst = 0 } = copy ?? { axes: [{ size: out.size, from: 0, to: 1 }] };
  // Steps on the other side follow the target's, so that they part no axes.
  const places = merged(axes.map(({ size, to }) => ({ size, from: to, to })));
  const isVec = inCells([toFirst], places, ['to']);
  const cells = isVec ? ofCells(places) : places;
  graph.dispatch({
    kernel: kernels.stridedCopy,
    params: { RANK: cells.length, VEC: isVec, FILL: true, ACCUMULATE: false },
    uniforms: {
      cells: countOf(cells),
      toFirst: isVec ? toFirst / 4 : toFirst,
      value: bits,
      ...fieldsOf(cells, { size: 'size', to: 'to' }),
    },
    bindings: { out },
    workgroups: workgroupRow(Math.ceil(countOf(cells) / 64)),
  });
}

/** Appends a copy; what it leaves of `out` is filled first, unless it is added to what is there. */
function recordMove(
  graph: Graph,
  [x, out]: readonly [Tensor<DType>, Tensor<DType>],
  copy: Copy,
  { bits = 0, accumulate = false }: { readonly bits?: number; readonly accumulate?: boolean },
): void {
  if (!accumulate && countOf(copy.axes) < out.size) recordFill(graph, out, bits);
  recordCopy(graph, x, out, copy, accumulate);
}

/** The way back of a copy. */
export function reversed({ axes, fromFirst = 0, toFirst = 0 }: Copy): Copy {
  return {
    axes: axes.map(({ size, from, to }) => ({ size, from: to, to: from })),
    fromFirst: toFirst,
    toFirst: fromFirst,
  };
}

/**
 * The operation that moves elements of `x`, each to one place at most; its gradient is the way back.
 *
 * @param bits what stands where no element comes to lie; 0 by default
 */
export function move<D extends Word, const S extends Shape>(
  operation: string,
  x: Tensor<D>,
  shape: S,
  copy: Copy,
  bits = 0,
): Tensor<D, S> {
  const graph = graphOf(operation, x);
  assertWords(operation, 'x', x);
  const y = graph.empty(operation, shape, x.dtype, x.requiresGrad);
  recordMove(graph, [x, y], copy, { bits });
  if (takesGradients(x) && takesGradients(y)) {
    graph.record(operation, [y], (gradients) => {
      const dy = gradients.of(y);
      const dx = gradients.into(x);
      if (dy && dx) recordMove(graph, [dy, dx.out], reversed(copy), dx);
    });
  }
  return y;
}

/**
 * The operation that gives elements of `x` several places each: `y` is dense, its axes are these, and `from` is 0 along those
 * over which x is stretched. Its gradient sums over them, in an order that the shapes fix.
 */
export function stretch<D extends Word, const S extends Shape>(
  operation: string,
  x: Tensor<D>,
  shape: S,
  given: readonly Omit<CopyAxis, 'to'>[],
): Tensor<D, S> {
  const graph = graphOf(operation, x);
  assertWords(operation, 'x', x);
  const y = graph.empty(operation, shape, x.dtype, x.requiresGrad);
  const steps = stepsOf(given.map(({ size }) => size));
  const axes = given.map((axis, k) => ({ ...axis, to: steps[k] ?? 1 }));
  recordCopy(graph, x, y, { axes });
  if (takesGradients(x) && takesGradients(y)) {
    graph.record(operation, [y], (gradients) => {
      const dy = gradients.of(y);
      const dx = gradients.into(x);
      if (!dy || !dx) return;
      const sumAxes = (list: readonly CopyAxis[]): SumAxis[] =>
        merged(list).map(({ size, to }) => ({ size, step: to }));
      const kept = sumAxes(axes.filter(({ from }) => from > 0));
      recordStridedSum(graph, dy, { kept, reduced: sumAxes(axes.filter(({ from }) => from === 0)) }, dx);
    });
  }
  return y;
}

/** Appends the sums over the reduced axes, for each element of the kept ones; `out` is dense. */
export function recordStridedSum(
  graph: Graph,
  x: Tensor,
  { kept, reduced }: { readonly kept: readonly SumAxis[]; readonly reduced: readonly SumAxis[] },
  { out, accumulate }: { readonly out: Tensor; readonly accumulate: boolean },
): void {
  const [elements, terms] = [countOf(kept), countOf(reduced)];
  const isRows = reduced.length === 1 && reduced[0]?.step === 1 && kept.length < 2 && terms >= LONG_ROW;
  if (isRows) {
    const sums = accumulate ? graph.empty('gradient', out.shape) : out;
    recordRowSums(graph, x, { rows: elements, width: terms, scale: 1 }, sums);
    if (accumulate) addInPlace(graph, out, sums, true);
    return;
  }
  const chunks = Math.max(1, Math.ceil(terms / CHUNK));
  const isWhole = chunks === 1;
  const sums = isWhole ? out : graph.empty('partial gradients', [chunks, elements]);
  graph.dispatch({
    kernel: kernels.stridedSum,
    params: { KEPT: kept.length, REDUCED: reduced.length, ACCUMULATE: isWhole && accumulate },
    uniforms: {
      ...{ count: elements * chunks, elements, chunk: CHUNK, terms },
      ...fieldsOf(kept, { size: 'size', step: 'kept' }),
      ...fieldsOf(reduced, { size: 'terms', step: 'reduced' }),
    },
    bindings: { x, sums },
    workgroups: workgroupRow(Math.ceil((elements * chunks) / 64)),
  });
  if (isWhole) return;
  const rest = { kept: [{ size: elements, step: 1 }], reduced: [{ size: chunks, step: elements }] };
  recordStridedSum(graph, sums, rest, { out, accumulate });
}
