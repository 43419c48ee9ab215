import source from '../../shaders/reduce.wgsl';
import type { DeviceTraits } from '../gpu/deviceTraits';
import { workgroupRow } from '../gpu/recording';
import { kernelsOf } from '../gpu/shader';
import { graphOf, type Graph } from '../tensor/graph';
import type { Scalar, Tensor } from '../tensor/tensor';
import { assertType } from './patchIndices';
import { layoutOf, reduced, type Axes, type ReduceOptions, type Reduction } from './reduceAxes';

const kernels = kernelsOf('reduce', source, ['rowSums', 'broadcast']);

/** Elements that a workgroup sums: `BLOCK` of the shader. */
const BLOCK = 4096;

/** Blocks that a row is summed in, each to one partial sum; of an empty row, one. */
export const blocksOf = (width: number): number => Math.max(1, Math.ceil(width / BLOCK));

/**
 * Invocations that share a row of a row kernel: few, since the more there are, the more barriers they meet at; on a
 * software adapter, where a barrier costs more than anything it saves, one, but for rows whose sum one would round too
 * often.
 */
export function lanesFor(width: number, { software }: Pick<DeviceTraits, 'software'>): number {
  if (software && width <= 65_536) return 1;
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
  const VEC = width > 0 && width % 4 === 0;
  graph.dispatch({
    kernel: kernels.rowSums,
    params: { VEC },
    uniforms: { rows, width, blocks, scale: last ? scale : 1 },
    bindings: { x, sums },
    workgroups: workgroupRow(Math.ceil((rows * blocks) / (VEC ? 4 : 1))),
  });
  if (!last) recordRowSums(graph, sums, { rows, width: blocks, scale }, out);
}

/**
 * The sum of elements, over all axes or some, as `torch.sum`.
 *
 * @throws EngineError `bad-shape` for an axis that is not there, or another type than f32
 */
export const sum: Reduction = scaled('sum', () => 1);

/**
 * The mean of elements, over all axes or some; NaN of none. As `torch.mean`.
 *
 * @throws EngineError as `sum`
 */
export const mean: Reduction = scaled('mean', (terms) => 1 / terms);

/* @__NO_SIDE_EFFECTS__ */
function scaled(name: string, scaleOf: (terms: number) => number): Reduction {
  // The scalar of all axes is what its type says: a cast, since the shape comes out of numbers.
  return ((x: Tensor, axes?: Axes, options?: ReduceOptions) => {
    const graph = graphOf(name, x);
    assertType(name, 'x', x, 'f32');
    const layout = layoutOf(name, x, axes, options);
    const scale = scaleOf(layout.terms);
    if (axes === undefined) return scaledSum(graph, name, x, scale).reshape(layout.shape);
    return reduced(graph, name, x, layout, { how: { scale }, slopeOf: () => ({ slope: 'one', scale }) });
  }) as Reduction;
}

function scaledSum(graph: Graph, label: string, x: Tensor, scale: number): Scalar<'f32'> {
  const out = graph.empty(label, [], 'f32', x.requiresGrad);
  recordRowSums(graph, x, { rows: 1, width: x.size, scale }, out);
  graph.record(label, [out], (gradients) => {
    const dSums = gradients.of(out);
    const dx = gradients.into(x);
    if (!dSums || !dx) return;
    const VEC = x.size > 0 && x.size % 4 === 0;
    const cells = VEC ? x.size / 4 : x.size;
    graph.dispatch({
      kernel: kernels.broadcast,
      params: { ACCUMULATE: dx.accumulate, VEC },
      uniforms: { cells, width: cells, scale },
      bindings: { dSums, dx: dx.out },
      workgroups: workgroupRow(Math.ceil(cells / 64)),
    });
  });
  return out;
}
