import source from '../../shaders/reduce.wgsl';
import type { DeviceTraits } from '../gpu/gpuEngine';
import { workgroupRow } from '../gpu/recording';
import { kernelsOf } from '../gpu/shader';
import { graphOf, type Graph } from '../tensor/graph';
import type { Scalar, Tensor } from '../tensor/tensor';

const kernels = kernelsOf('reduce', source, ['rowSums', 'broadcast']);

/** Elements that a workgroup sums: `BLOCK` of the shader. */
const BLOCK = 4096;

/** Blocks that a row is summed in, each to one partial sum; of an empty row, one. */
export const blocksOf = (width: number): number => Math.max(1, Math.ceil(width / BLOCK));

/**
 * Invocations that share a row of a row kernel: few, since the more there are, the more barriers they meet at; on a
 * software adapter, where a barrier costs more than anything it saves, one.
 */
export function lanesFor(width: number, { software }: Pick<DeviceTraits, 'software'>): number {
  if (software) return 1;
  return width >= 1024 ? 64 : width >= 128 ? 16 : 4;
}

/** Appends out[row] = scale · Σ x[row, i], for x [rows, width], in an order that the width alone fixes. */
export function recordRowSums(
  graph: Graph,
  x: Tensor,
  { rows, width, scale }: { readonly rows: number; readonly width: number; readonly scale: number },
  out: Tensor,
): void {
  const blocks = blocksOf(width);
  const last = blocks === 1;
  const sums = last ? out : graph.empty('partial sums', [rows, blocks]);
  graph.dispatch({
    kernel: kernels.rowSums,
    uniforms: { rows, width, blocks, scale: last ? scale : 1 },
    bindings: { x, sums },
    workgroups: workgroupRow(rows * blocks),
  });
  if (!last) recordRowSums(graph, sums, { rows, width: blocks, scale }, out);
}

/** The sum of all elements. @throws EngineError `bad-dispatch` for another type than f32 */
export function sum(x: Tensor): Scalar<'f32'> {
  const graph = graphOf('sum', x);
  return scaledSum(graph, 'sum', x, 1);
}

/** The mean of all elements. @throws EngineError as `sum` */
export function mean(x: Tensor): Scalar<'f32'> {
  const graph = graphOf('mean', x);
  return scaledSum(graph, 'mean', x, 1 / x.size);
}

function scaledSum(graph: Graph, label: string, x: Tensor, scale: number): Scalar<'f32'> {
  const out = graph.empty(label, [], 'f32', x.requiresGrad);
  recordRowSums(graph, x, { rows: 1, width: x.size, scale }, out);
  graph.record(label, [out], (gradients) => {
    const dSums = gradients.of(out);
    const dx = gradients.into(x);
    if (!dSums || !dx) return;
    graph.dispatch({
      kernel: kernels.broadcast,
      params: { ACCUMULATE: dx.accumulate },
      uniforms: { count: x.size, width: x.size, scale },
      bindings: { dSums, dx: dx.out },
      workgroups: workgroupRow(Math.ceil(x.size / 64)),
    });
  });
  return out;
}
