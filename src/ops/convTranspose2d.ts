import { EngineError } from '../gpu/errors';
import { graphOf } from '../tensor/graph';
import { matchShape } from '../tensor/shape';
import type { Tensor } from '../tensor/tensor';
import {
  assertBias,
  assertFloats,
  checkGroups,
  pairOf,
  recordConv,
  recordParameters,
  type ConvOptions,
  type Pair,
} from './conv2d';

/** How the window of a transposed convolution moves, as in `F.conv_transpose2d`. */
export interface ConvTransposeOptions extends ConvOptions {
  /** Lines and columns that the output has more at its end, where several sizes would be convolved to that of x: 0 by default. */
  readonly outputPadding?: Pair;
}

/**
 * Transposed convolution, as `F.conv_transpose2d`: the gradient of `conv2d` with respect to its input, as an operation.
 *
 * @param x [B, C, H, W] f32
 * @param weight [C, O / groups, kh, kw]
 * @param bias [O]
 * @returns [B, O, (H − 1)·stride − 2·padding + dilation·(kh − 1) + outputPadding + 1, the same of W]
 * @throws EngineError `bad-shape`
 */
export function convTranspose2d(
  x: Tensor,
  weight: Tensor,
  bias?: Tensor,
  { stride = 1, padding = 0, outputPadding = 0, dilation = 1, groups = 1 }: ConvTransposeOptions = {},
): Tensor<'f32'> {
  const operation = 'convTranspose2d';
  assertBias(operation, bias);
  const graph = graphOf(operation, x, weight, bias);
  assertFloats(operation, { x, weight, ...(bias ? { bias } : {}) });
  const { B, C, H, W } = matchShape(operation, 'x', x.shape, ['B', 'C', 'H', 'W']);
  const { K, kh, kw } = matchShape(operation, 'weight', weight.shape, [C, 'K', 'kh', 'kw']);
  checkGroups(operation, groups, C);
  const O = K * groups;
  if (bias) matchShape(operation, 'bias', bias.shape, [O]);
  const moves = {
    stride: pairOf(operation, 'stride', stride, 1),
    padding: pairOf(operation, 'padding', padding, 0),
    dilation: pairOf(operation, 'dilation', dilation, 1),
  };
  const more = pairOf(operation, 'outputPadding', outputPadding, 0);
  const along = (axis: 0 | 1, size: number, kernel: number): number => {
    const [step, apart, extra] = [moves.stride[axis], moves.dilation[axis], more[axis]];
    const result = (size - 1) * step - 2 * moves.padding[axis] + apart * (kernel - 1) + extra + 1;
    if (result >= 1 && size >= 1 && kernel >= 1 && extra < Math.max(step, apart)) return result;
    throw new EngineError(
      'bad-shape',
      `${operation}: ${size} elements, a window of ${kernel} and outputPadding of ${extra} make ${result}.`,
      'Choose a larger input or less padding, and outputPadding below stride or dilation.',
    );
  };
  const size = [along(0, H, kh), along(1, W, kw)] as const;
  const geometry = {
    images: B,
    channels: O,
    size,
    maps: C,
    outSize: [H, W],
    kernel: [kh, kw],
    groups,
    ...moves,
  } as const;
  const requiresGrad = [x, weight, bias].some((operand) => operand?.requiresGrad);
  const out = graph.empty(operation, [B, O, ...size], 'f32', requiresGrad);
  const operands = { small: x, weight, ...(bias ? { bias } : {}) };
  recordConv(graph, 'large', geometry, operands, { out, accumulate: false });
  graph.record(operation, [out], (gradients) => {
    const large = gradients.of(out);
    if (!large) return;
    const dX = gradients.into(x);
    if (dX) recordConv(graph, 'small', geometry, { large, weight }, dX);
    recordParameters(graph, { geometry, small: x, large, dOut: large }, { weight, bias }, gradients);
  });
  return out;
}
