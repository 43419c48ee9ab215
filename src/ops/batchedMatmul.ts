import source from '../../shaders/batchedMatmul.wgsl';
import type { KernelVariant } from '../gpu/autotune';
import type { DeviceTraits } from '../gpu/deviceTraits';
import { workgroupRow } from '../gpu/recording';
import { kernelsOf, type Kernel } from '../gpu/shader';
import { graphOf, type Graph } from '../tensor/graph';
import { sizeOf, type Shape } from '../tensor/shape';
import type { Tensor } from '../tensor/tensor';
import { axesOf, broadcastShape } from './broadcast';
import type { MatmulLayout } from './matmulPlan';
import { assertType } from './patchIndices';
import { recordSplitKReduce, type Target } from './splitKReduce';

const kernels = kernelsOf('batchedMatmul', source, ['batchedMatmul']);

/** Enough workgroups to fill a GPU. */
const FILL = 128;
/** The fewest terms that are worth a split of their own. */
const SHORTEST_SPLIT = 128;

/** Products [m, k]·[k, n], one a batch. */
export interface TiledShape {
  readonly batches: number;
  readonly m: number;
  readonly n: number;
  readonly k: number;
}

/** What a kernel on tiles binds and is told, beside its output and what `recordTiled` knows. */
export interface TiledDispatch {
  readonly kernel: Kernel;
  readonly params?: Readonly<Record<string, number | boolean>>;
  readonly uniforms: Readonly<Record<string, number>>;
  readonly bindings: Readonly<Record<string, Tensor>>;
  /** Where the last column of each product goes, with params `SUMS` and `ACCUMULATE_SUMS`; it is no part of `out`. */
  readonly sums?: Target | undefined;
}

/** How a product is cut: see the mapping of batchedMatmul.wgsl. */
interface Tiling {
  readonly ROWS: number;
  readonly COLUMNS: number;
  readonly TM: number;
  readonly TN: number;
  readonly DIRECT: boolean;
}

/** The fewest rows of a tile that are worth their barriers. */
const FEW_ROWS = 8;
/** Terms up to which reading the rows of A again costs less than tiles that are mostly empty. */
const FEW_TERMS = 64;

/** Splits, which follow from the shape alone, and the ways to do it, of which the first is taken unless others are measured. */
function planTiled(
  { batches, m, n, k }: TiledShape,
  { software, plain }: DeviceTraits,
): { readonly kSplit: number; readonly splits: number; readonly variants: readonly [Tiling, ...Tiling[]] } {
  const tilesOf = (side: number): number => Math.ceil(m / side) * Math.ceil(n / side) * batches;
  const SIDE = m > 32 && n > 32 && tilesOf(64) >= FILL ? 16 : 8;
  const tiles = tilesOf(4 * SIDE);
  const wanted = Math.max(1, Math.min(Math.floor(FILL / Math.max(1, tiles)), Math.floor(k / SHORTEST_SPLIT)));
  const kSplit = Math.max(1, wanted === 1 ? k : Math.ceil(k / wanted / 16) * 16);
  const splits = Math.max(1, Math.ceil(k / kSplit));
  const tiled: Tiling = { ROWS: SIDE, COLUMNS: SIDE, TM: 4, TN: 4, DIRECT: false };
  const direct = (ROWS: number, COLUMNS: number, TM: number, TN: number): Tiling => {
    return { ROWS, COLUMNS, TM, TN, DIRECT: true };
  };
  if (plain) return { kSplit, splits, variants: [direct(8, 8, 1, 1)] };
  if (software) return { kSplit, splits, variants: [direct(1, 8, 8, 2), tiled] };
  const few = direct(1, 64, FEW_ROWS, 1);
  const isFew = m <= FEW_ROWS && n >= 1024;
  const variants: [Tiling, ...Tiling[]] = isFew && k <= FEW_TERMS ? [few, tiled] : isFew ? [tiled, few] : [tiled];
  return { kSplit, splits, variants };
}
/** Appends a kernel whose head is that of batchedMatmul.wgsl: its tiles and splits, which follow from the shape alone. */
export function recordTiled(graph: Graph, shape: TiledShape, dispatch: TiledDispatch, target: Target): void {
  const { batches, m, n, k } = shape;
  const work = `${dispatch.kernel.name} ${batches} × ${m}×${n}×${k}`;
  graph.byTraits(work, (traits) => recordPlanned(graph, shape, { ...dispatch, ...target, work }, traits));
}

function recordPlanned(
  graph: Graph,
  { batches, m, n, k }: TiledShape,
  {
    kernel,
    params,
    uniforms,
    bindings,
    sums,
    out,
    accumulate,
    work,
  }: TiledDispatch & Target & { readonly work: string },
  traits: DeviceTraits,
): void {
  const { kSplit, splits, variants } = planTiled({ batches, m, n, k }, traits);
  const isSplit = splits > 1;
  const partsOf = ({ out: whole }: Target): Tensor =>
    isSplit ? graph.empty('partial products', [splits, ...whole.shape]) : whole;
  const c = partsOf({ out, accumulate });
  const columnSums = sums && partsOf(sums);
  const sumsParams = sums ? { SUMS: true, ACCUMULATE_SUMS: sums.accumulate && !isSplit } : {};
  const variant = ({ ROWS, COLUMNS, TM, TN, DIRECT }: Tiling): KernelVariant => {
    const tiles = Math.ceil(m / (ROWS * TM)) * Math.ceil(n / (COLUMNS * TN)) * batches;
    return {
      kernel,
      params: { ...params, ROWS, COLUMNS, TM, TN, DIRECT, ACCUMULATE: accumulate && !isSplit, ...sumsParams },
      workgroups: workgroupRow(out.size > 0 ? tiles * splits : 0), // an axis without elements counts as stretched, so kept by none
    };
  };
  const [first, ...others] = variants;
  graph.dispatch({
    ...variant(first),
    alternatives: { work, variants: others.map(variant) },
    flops: 2 * batches * m * n * k,
    uniforms: { ...uniforms, batches, m, n, k, kSplit, splits, count: out.size },
    bindings: { ...bindings, c, ...(columnSums ? { sums: columnSums } : {}) },
  });
  const ofColumns = sums && columnSums ? [{ ...sums, partials: columnSums, splits }] : [];
  if (isSplit) recordSplitKReduce(graph, { out, accumulate, partials: c, splits }, ...ofColumns);
}

/** A stack of matrices as it lies in memory: steps along each batch axis, its rows and its columns. */
interface View {
  readonly tensor: Tensor;
  readonly batch: readonly number[];
  readonly row: number;
  readonly column: number;
}

const turned = (view: View): View => ({ ...view, row: view.column, column: view.row });

/** What is multiplied by what, and summed over which of the batch axes. */
interface Product {
  readonly left: View;
  readonly right: View;
  readonly m: number;
  readonly n: number;
  readonly k: number;
  readonly scale: number;
  /** The extents of the batch axes, and whether the result has them. */
  readonly axes: readonly { readonly size: number; readonly isKept: boolean }[];
}

function recordProduct(graph: Graph, { left, right, m, n, k, scale, axes }: Product, target: Target): void {
  const placed = axes.map((axis, i) => ({ ...axis, a: left.batch[i] ?? 0, b: right.batch[i] ?? 0 }));
  const [kept, reduced] = [placed.filter(({ isKept }) => isKept), placed.filter(({ isKept }) => !isKept)];
  const named = (prefix: string, list: typeof placed): Record<string, number> =>
    Object.fromEntries(
      list.flatMap(({ size, a, b }, i) => [
        [`${prefix}${i}`, size],
        [`${prefix}A${i}`, a],
        [`${prefix}B${i}`, b],
      ]),
    );
  const extent = (list: typeof placed): number => sizeOf(list.map(({ size }) => size));
  recordTiled(
    graph,
    { batches: extent(kept), m, n, k: k * extent(reduced) },
    {
      kernel: kernels.batchedMatmul,
      params: { KEPT: kept.length, REDUCED: reduced.length },
      uniforms: {
        ...{ scale, depth: k },
        ...{ rowA: left.row, columnA: left.column, rowB: right.row, columnB: right.column },
        ...{ ...named('kept', kept), ...named('reduced', reduced) },
      },
      bindings: { a: left.tensor, b: right.tensor },
    },
    target,
  );
}

/** What `batchedMatmul` is told beside its operands. */
export interface BatchedOptions {
  readonly layout?: MatmulLayout;
  /** What the product is multiplied by. */
  readonly scale?: number;
}

/**
 * scale · op(A)·op(B) of stacks of matrices, whose leading axes are stretched to one shape; layouts as of `matmul`. On the way back,
 * what was stretched sums over the axes along which it was.
 *
 * @param a [..., M, K] f32
 * @param b [..., K, N] f32
 * @returns [..., M, N]
 * @throws EngineError `bad-shape`
 */
export function batchedMatmul(
  operation: string,
  a: Tensor,
  b: Tensor,
  { layout = 'nn', scale = 1 }: BatchedOptions = {},
): Tensor<'f32'> {
  const graph = graphOf(operation, a, b);
  assertType(operation, 'a', a, 'f32');
  assertType(operation, 'b', b, 'f32');
  const [m, k] = lastTwo(a.shape, layout === 'tn');
  const [, n] = lastTwo(b.shape, layout === 'nt');
  const [batchA, batchB] = [a.shape.slice(0, -2), b.shape.slice(0, -2)];
  const batch = broadcastShape(operation, batchA, batchB);
  const axes = axesOf(batch, batchA, batchB);
  const out = graph.empty(operation, [...batch, m, n], 'f32', a.requiresGrad || b.requiresGrad);
  // Of the matrices by which the product reads: op(A) is [m, k], op(B) is [k, n].
  const viewOf = (tensor: Tensor, own: readonly number[], columns: number, isTurned: boolean): View => {
    const view = { tensor, batch: own, row: columns, column: 1 };
    return isTurned ? turned(view) : view;
  };
  const stepsOf = (side: 'a' | 'b', size: number): number[] => axes.map((axis) => axis[side] * size);
  const left = viewOf(a, stepsOf('a', m * k), layout === 'tn' ? m : k, layout === 'tn');
  const right = viewOf(b, stepsOf('b', k * n), layout === 'nt' ? k : n, layout === 'nt');
  const kept = (side: 'a' | 'b'): Product['axes'] => axes.map((axis) => ({ size: axis.size, isKept: axis[side] > 0 }));
  const all = axes.map(({ size }) => ({ size, isKept: true }));
  recordProduct(graph, { left, right, m, n, k, scale, axes: all }, { out, accumulate: false });
  graph.record(operation, [out], (gradients) => {
    const dOut = gradients.of(out);
    if (!dOut) return;
    const steps = axes.map((_, i) => m * n * sizeOf(axes.slice(i + 1).map(({ size }) => size)));
    const back: View = { tensor: dOut, batch: steps, row: n, column: 1 };
    const dA = gradients.into(a);
    // op(A): dC·op(B)ᵀ; where A is stored transposed, both sides are.
    const ofA = { scale, axes: kept('a'), k: n };
    if (dA && layout === 'tn') recordProduct(graph, { ...ofA, left: right, right: turned(back), m: k, n: m }, dA);
    else if (dA) recordProduct(graph, { ...ofA, left: back, right: turned(right), m, n: k }, dA);
    const dB = gradients.into(b);
    const ofB = { scale, axes: kept('b'), k: m };
    if (dB && layout === 'nt') recordProduct(graph, { ...ofB, left: turned(back), right: left, m: n, n: k }, dB);
    else if (dB) recordProduct(graph, { ...ofB, left: turned(left), right: back, m: k, n }, dB);
  });
  return out;
}

/** The extents of a matrix, the last two of a shape; turned where it is stored transposed. */
function lastTwo(shape: Shape, isTurned: boolean): [number, number] {
  const [rows = 1, columns = 1] = shape.slice(-2);
  return isTurned ? [columns, rows] : [rows, columns];
}
