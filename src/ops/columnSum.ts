import source from '../../shaders/columnSum.wgsl';
import { workgroupRow } from '../gpu/recording';
import { kernelsOf } from '../gpu/shader';
import type { Graph } from '../tensor/graph';
import type { Tensor } from '../tensor/tensor';

const kernels = kernelsOf('columnSum', source, ['columnSumPartial', 'sumPartials']);

/** Where a sum goes: in place of what is there, or on top of it. */
export interface Target {
  readonly out: Tensor;
  readonly accumulate: boolean;
}

const ROWS_PER_BLOCK = 64;

/** Appends out [width] (+)= the sum of the rows of x [rows, width], in a fixed order: the gradient of a bias. */
export function recordColumnSum(
  graph: Graph,
  x: Tensor,
  { rows, width }: { readonly rows: number; readonly width: number },
  target: Target,
): void {
  const splits = Math.ceil(rows / ROWS_PER_BLOCK);
  const partials = graph.empty('column sum partials', [splits, width]);
  graph.dispatch({
    kernel: kernels.columnSumPartial,
    params: { X16: x.dtype === 'f16' },
    uniforms: { rows, width, rowsPerBlock: ROWS_PER_BLOCK },
    bindings: { x, partials },
    workgroups: [Math.ceil(width / 64), splits],
  });
  recordSumPartials(graph, partials, { splits, count: width }, target);
}

/** Appends out [count] (+)= Σ_s partials[s], partials [splits, count], in the order of s. */
export function recordSumPartials(
  graph: Graph,
  partials: Tensor,
  { splits, count }: { readonly splits: number; readonly count: number },
  { out, accumulate }: Target,
): void {
  graph.dispatch({
    kernel: kernels.sumPartials,
    params: { ACCUMULATE: accumulate, OUT16: out.dtype === 'f16' },
    uniforms: { splits, count },
    bindings: { partials, out },
    workgroups: workgroupRow(Math.ceil(count / 64)),
  });
}
