import source from '../../shaders/scatterSum.wgsl';
import { workgroupRow } from '../gpu/recording';
import { kernelsOf } from '../gpu/shader';
import type { Graph } from '../tensor/graph';
import type { Tensor } from '../tensor/tensor';
import { recordFill, recordStridedSum } from './stridedCopy';

const kernels = kernelsOf('scatterSum', source, ['scatterColumns', 'scatterRows']);

/** How an axis is chosen from: [outer, extent, width] and [outer, length, width]. */
export interface Selection {
  readonly outer: number;
  readonly width: number;
  readonly length: number;
  readonly extent: number;
  /** Whether all of them go by the same [length] indices. */
  readonly SHARED: boolean;
}

/** Few rows: an invocation may walk them alone. */
const FEW_ROWS = 64;
/** Columns that keep a GPU busy. */
const MANY_COLUMNS = 16_384;
/** Cells of a workgroup's memory, and the most rows among them. */
const CELLS = 2048;
const MOST_ROWS = 256;
/** Indices that a chunk has at least. */
const CHUNK = 512;

/** Appends out[o, a, i] (+)= Σ source[o, n, i] over the n whose index is a, in an order that the shapes fix. */
export function recordScatterSum(
  graph: Graph,
  { outer, width, length, extent, SHARED }: Selection,
  { indices, source }: { readonly indices: Tensor<'u32'>; readonly source: Tensor },
  { out, accumulate }: { readonly out: Tensor; readonly accumulate: boolean },
): void {
  const sizes = { width, length, extent };
  const bindings = { indices, source };
  if (length <= FEW_ROWS || outer * width >= MANY_COLUMNS) {
    if (!accumulate) recordFill(graph, out, 0);
    graph.dispatch({
      kernel: kernels.scatterColumns,
      params: { SHARED },
      uniforms: { ...sizes, columns: outer * width },
      bindings: { ...bindings, out },
      workgroups: workgroupRow(Math.ceil((outer * width) / 64)),
    });
    return;
  }
  const columns = SHARED ? width : 1;
  const lines = SHARED ? outer : outer * width;
  const lanes = Math.min(64, 2 ** Math.ceil(Math.log2(Math.max(1, columns))));
  const rows = Math.max(1, Math.min(extent, MOST_ROWS, CELLS / lanes));
  const wanted = Math.max(1, Math.min(Math.floor(length / Math.max(1, extent)), Math.ceil(length / CHUNK)));
  const chunk = Math.ceil(length / wanted / 256) * 256;
  const chunks = Math.ceil(length / chunk);
  const isWhole = chunks === 1;
  const sums = isWhole ? out : graph.empty('partial gradients', [chunks, out.size]);
  const groups = lines * chunks * Math.ceil(extent / rows) * Math.ceil(columns / lanes);
  graph.dispatch({
    kernel: kernels.scatterRows,
    params: { SHARED, ACCUMULATE: isWhole && accumulate },
    uniforms: { ...sizes, groups, columns, lanes, rows, chunks, chunk, size: out.size },
    bindings: { ...bindings, out: sums },
    workgroups: workgroupRow(groups),
  });
  if (isWhole) return;
  const parts = { kept: [{ size: out.size, step: 1 }], reduced: [{ size: chunks, step: out.size }] };
  recordStridedSum(graph, sums, parts, { out, accumulate });
}
