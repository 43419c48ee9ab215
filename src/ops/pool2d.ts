import source from '../../shaders/pool2d.wgsl';
import { EngineError } from '../gpu/errors';
import { workgroupRow } from '../gpu/recording';
import { kernelsOf } from '../gpu/shader';
import { graphOf } from '../tensor/graph';
import { formatShape, matchShape } from '../tensor/shape';
import type { Tensor } from '../tensor/tensor';
import { pairOf, windowsOf, type Pair } from './conv2d';
import { assertType } from './patchIndices';

const kernels = kernelsOf('pool2d', source, ['maxPoolForward', 'maxPoolBackward', 'avgPoolForward', 'avgPoolBackward']);

/** How the window of `maxPool2d` moves. */
export interface MaxPoolOptions {
  /** How far the window moves: the window itself by default. */
  readonly stride?: Pair;
  /** What lies around the input and never wins, at most half a window: none by default. */
  readonly padding?: Pair;
  /** How far the window's elements are apart: 1 by default. */
  readonly dilation?: Pair;
}

/** How the window of `avgPool2d` moves. */
export interface AvgPoolOptions {
  /** How far the window moves: the window itself by default. */
  readonly stride?: Pair;
  /** Zeros around the input, at most half a window: none by default. */
  readonly padding?: Pair;
  /** Whether the mean is over the padding, too: true by default. */
  readonly countIncludePad?: boolean;
}

/** What both poolings are told, and the shape of the result. */
function windows(
  operation: string,
  x: Tensor,
  kernel: Pair,
  { stride = kernel, padding = 0, dilation = 1 }: MaxPoolOptions,
): { readonly shape: readonly number[]; readonly sizes: Readonly<Record<string, number>> } {
  assertType(operation, 'x', x, 'f32');
  const { B, C, H, W } = matchShape(operation, 'x', x.shape, ['B', 'C', 'H', 'W']);
  const [down, across] = pairOf(operation, 'kernel', kernel, 1);
  const [strideY, strideX] = pairOf(operation, 'stride', stride, 1);
  const [padY, padX] = pairOf(operation, 'padding', padding, 0);
  const [dilationY, dilationX] = pairOf(operation, 'dilation', dilation, 1);
  if (H === 0 || W === 0) {
    const what = `${operation}: x ${formatShape(x.shape)} has no elements in its images.`;
    throw new EngineError('bad-shape', what, 'Give images of one line and column at least.');
  }
  if (2 * padY > down || 2 * padX > across) {
    throw new EngineError(
      'bad-shape',
      `${operation}: padding of ${padY} × ${padX} around windows of ${down} × ${across}.`,
      'Pad by at most half a window.',
    );
  }
  const outHeight = windowsOf(operation, H, [down, strideY, padY, dilationY]);
  const outWidth = windowsOf(operation, W, [across, strideX, padX, dilationX]);
  const moves = { strideY, strideX, padY, padX, dilationY, dilationX };
  const sizes = { height: H, width: W, outHeight, outWidth, down, across, ...moves };
  return { shape: [B, C, outHeight, outWidth], sizes };
}

const rowFor = (count: number): [number, number] => workgroupRow(Math.ceil(count / 64));

/**
 * The largest element of each window, as `F.max_pool2d`. The gradient goes to the first of equal ones.
 *
 * @param x [B, C, H, W] f32
 * @param kernel the window: lines and columns, or one number for both
 * @returns [B, C, ⌊(H + 2·padding − dilation·(kernel − 1) − 1)/stride⌋ + 1, the same of W]
 * @throws EngineError `bad-shape`
 */
export function maxPool2d(x: Tensor, kernel: Pair, options: MaxPoolOptions = {}): Tensor<'f32'> {
  const graph = graphOf('maxPool2d', x);
  const { shape, sizes } = windows('maxPool2d', x, kernel, options);
  const y = graph.empty('maxPool2d', shape, 'f32', x.requiresGrad);
  const places = graph.empty('maxPool2d places', shape, 'u32');
  graph.dispatch({
    kernel: kernels.maxPoolForward,
    uniforms: { count: y.size, ...sizes },
    bindings: { x, y, places },
    workgroups: rowFor(y.size),
  });
  graph.record('maxPool2d', [y], (gradients) => {
    const dy = gradients.of(y);
    const dx = gradients.into(x);
    if (!dy || !dx) return;
    graph.dispatch({
      kernel: kernels.maxPoolBackward,
      params: { ACCUMULATE: dx.accumulate },
      uniforms: { count: x.size, ...sizes },
      bindings: { dy, places, dx: dx.out },
      workgroups: rowFor(x.size),
    });
  });
  return y;
}

/**
 * The mean of each window, as `F.avg_pool2d`.
 *
 * @param x [B, C, H, W] f32
 * @param kernel the window: lines and columns, or one number for both
 * @returns [B, C, ⌊(H + 2·padding − kernel)/stride⌋ + 1, the same of W]
 * @throws EngineError `bad-shape`
 */
export function avgPool2d(
  x: Tensor,
  kernel: Pair,
  { countIncludePad = true, ...options }: AvgPoolOptions = {},
): Tensor<'f32'> {
  const graph = graphOf('avgPool2d', x);
  const { shape, sizes } = windows('avgPool2d', x, kernel, { ...options, dilation: 1 });
  const y = graph.empty('avgPool2d', shape, 'f32', x.requiresGrad);
  const params = { COUNT_PAD: countIncludePad };
  graph.dispatch({
    kernel: kernels.avgPoolForward,
    params,
    uniforms: { count: y.size, ...sizes },
    bindings: { x, y },
    workgroups: rowFor(y.size),
  });
  graph.record('avgPool2d', [y], (gradients) => {
    const dy = gradients.of(y);
    const dx = gradients.into(x);
    if (!dy || !dx) return;
    graph.dispatch({
      kernel: kernels.avgPoolBackward,
      params: { ...params, ACCUMULATE: dx.accumulate },
      uniforms: { count: x.size, ...sizes },
      bindings: { dy, dx: dx.out },
      workgroups: rowFor(x.size),
    });
  });
  return y;
}
