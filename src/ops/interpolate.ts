import source from '../../shaders/interpolate.wgsl';
import { EngineError } from '../gpu/errors';
import { workgroupRow } from '../gpu/recording';
import { kernelsOf } from '../gpu/shader';
import { graphOf } from '../tensor/graph';
import { matchShape } from '../tensor/shape';
import type { Tensor } from '../tensor/tensor';
import { pairOf } from './conv2d';
import { assertType } from './patchIndices';

const kernels = kernelsOf('interpolate', source, ['interpolateForward', 'interpolateBackward']);

/** How `interpolate` finds elements between elements. */
export interface InterpolateOptions {
  /** Between the four elements around a place, or the one that it falls into: `nearest` by default, as in PyTorch. */
  readonly mode?: 'bilinear' | 'nearest';
  /** Whether the centres of corner elements are the corners of the plane: false by default, and for `bilinear` alone. */
  readonly alignCorners?: boolean;
}

/**
 * Planes at another size, as `F.interpolate`. The nearest element is found in whole numbers: ⌊i·H/h⌋.
 *
 * @param x [B, C, H, W] f32
 * @param size lines and columns of the result
 * @returns [B, C, ...size]
 * @throws EngineError `bad-shape`
 */
export function interpolate(
  x: Tensor,
  size: readonly [number, number],
  { mode = 'nearest', alignCorners = false }: InterpolateOptions = {},
): Tensor<'f32'> {
  const graph = graphOf('interpolate', x);
  assertType('interpolate', 'x', x, 'f32');
  const { B, C, H, W } = matchShape('interpolate', 'x', x.shape, ['B', 'C', 'H', 'W']);
  const [outHeight, outWidth] = pairOf('interpolate', 'size', size, 1);
  const NEAREST = mode === 'nearest';
  if (!NEAREST && (mode as string) !== 'bilinear') {
    throw new EngineError('bad-shape', `interpolate: mode '${mode as string}'.`, "Give 'nearest' or 'bilinear'.");
  }
  if (NEAREST && alignCorners) {
    throw new EngineError(
      'bad-shape',
      'interpolate: alignCorners of the nearest.',
      "Leave it out, or give the mode 'bilinear'.",
    );
  }
  if (H < 1 || W < 1) {
    throw new EngineError(
      'bad-shape',
      `interpolate: a plane of ${H} × ${W}.`,
      'Give at least one line and one column.',
    );
  }
  const scale = (from: number, to: number): number => (alignCorners ? (to > 1 ? (from - 1) / (to - 1) : 0) : from / to);
  const sizes = {
    ...{ height: H, width: W, outHeight, outWidth },
    ...{ scaleY: scale(H, outHeight), scaleX: scale(W, outWidth), shift: alignCorners || NEAREST ? 0 : 0.5 },
  };
  const y = graph.empty('interpolate', [B, C, outHeight, outWidth], 'f32', x.requiresGrad);
  graph.dispatch({
    kernel: kernels.interpolateForward,
    params: { NEAREST },
    uniforms: { count: y.size, ...sizes },
    bindings: { x, y },
    workgroups: workgroupRow(Math.ceil(y.size / 64)),
  });
  graph.record('interpolate', [y], (gradients) => {
    const dy = gradients.of(y);
    const dx = gradients.into(x);
    if (!dy || !dx) return;
    graph.dispatch({
      kernel: kernels.interpolateBackward,
      params: { NEAREST, ACCUMULATE: dx.accumulate },
      uniforms: { count: x.size, ...sizes },
      bindings: { dy, dx: dx.out },
      workgroups: workgroupRow(Math.ceil(x.size / 64)),
    });
  });
  return y;
}
