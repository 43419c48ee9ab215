import source from '../../shaders/cumsum.wgsl';
import { workgroupRow } from '../gpu/recording';
import { kernelsOf } from '../gpu/shader';
import { graphOf, type Graph } from '../tensor/graph';
import { sizeOf, type Shape } from '../tensor/shape';
import type { Float, Tensor } from '../tensor/tensor';
import { axisOf } from './axes';
import { assertType } from './patchIndices';
import { lanesFor } from './reduce';
import type { Target } from './splitKReduce';

const kernels = kernelsOf('cumsum', source, ['cumsum']);

/** What is called a row goes along the axis of `width`. */
interface Rows {
  readonly outer: number;
  readonly width: number;
  readonly inner: number;
}

/** Appends the sums so far of each row, or those from the end. */
function recordScan(graph: Graph, x: Tensor, given: Rows, REVERSE: boolean, { out, accumulate }: Target): void {
  graph.byTraits('cumsum', (traits) => {
    const { outer, width, inner } = given;
    const most = inner >= 16 ? 4 : inner >= 4 ? 16 : 64; // as in softmax
    const LANES = Math.min(most, lanesFor(width, traits));
    const strip = 4 * LANES;
    const chunk = Math.min(LANES === 1 ? 512 : 8 * strip, strip * Math.ceil(Math.max(1, width) / strip));
    const chunks = Math.max(1, Math.ceil(width / chunk));
    const scan = (y: Tensor, before: Tensor | undefined, TOTALS: boolean): void =>
      graph.dispatch({
        kernel: kernels.cumsum,
        params: { LANES, REVERSE, ACCUMULATE: accumulate, TOTALS, BEFORE: before !== undefined },
        uniforms: { rows: outer * inner, width, inner, chunk, chunks },
        bindings: { x, y, ...(before ? { before } : {}) },
        workgroups: workgroupRow(Math.ceil((outer * inner * chunks * LANES) / 64)),
      });
    if (chunks === 1) return scan(out, undefined, false);
    const shape = [outer, chunks, inner];
    const [totals, before] = [graph.empty('chunk sums', shape), graph.empty('sums of chunks', shape)];
    scan(totals, undefined, true);
    recordScan(graph, totals, { outer, width: chunks, inner }, REVERSE, { out: before, accumulate: false });
    scan(out, before, false);
  });
}

/**
 * The sum of the elements so far along an axis, each its own included, as `torch.cumsum`. Long rows are summed in chunks
 * side by side, in an order that the shapes fix.
 *
 * @param x f32, of any shape
 * @param axis along which
 * @returns f32, of x's shape
 * @throws EngineError `bad-shape` for another type than f32, or an axis that is not there
 */
export function cumsum<S extends Shape>(x: Tensor<Float, S>, axis: number): Tensor<'f32', S> {
  const graph = graphOf('cumsum', x);
  assertType('cumsum', 'x', x, 'f32');
  const along = axisOf('cumsum', axis, x.shape, Math.max(1, x.shape.length));
  const [outer, inner] = [sizeOf(x.shape.slice(0, along)), sizeOf(x.shape.slice(along + 1))];
  const given = { outer, width: x.shape[along] ?? 1, inner };
  const y = graph.empty('cumsum', x.shape, 'f32', x.requiresGrad);
  recordScan(graph, x, given, false, { out: y, accumulate: false });
  graph.record('cumsum', [y], (gradients) => {
    const dy = gradients.of(y);
    const dx = gradients.into(x);
    if (dy && dx) recordScan(graph, dy, given, true, dx);
  });
  return y;
}
