import batchedMatmul from '../../shaders/batchedMatmul.wgsl';
import source from '../../shaders/conv2d.wgsl';
import { EngineError } from '../gpu/errors';
import { kernelsOf } from '../gpu/shader';
import { graphOf, type Graph } from '../tensor/graph';
import { matchShape } from '../tensor/shape';
import type { Gradients } from '../tensor/tape';
import { Tensor } from '../tensor/tensor';
import { recordTiled, type TiledShape } from './batchedMatmul';
import { assertType } from './patchIndices';
import { recordRowSums } from './reduce';
import type { Target } from './splitKReduce';
import { recordStridedSum } from './stridedCopy';

const kernels = kernelsOf('conv2d', source, ['convForward', 'convTransposed', 'convWeight'], { batchedMatmul });

/** Of lines, then of columns; one number stands for both. */
export type Pair = number | readonly [number, number];

/** How the window of a convolution moves, as in `F.conv2d`. */
export interface ConvOptions {
  /** How far the window moves from one output to the next: 1 by default. */
  readonly stride?: Pair;
  /** Zeros around the input, on each side: none by default. */
  readonly padding?: Pair;
  /** How far the window's elements are apart: 1 by default. */
  readonly dilation?: Pair;
  /** Runs of channels that are convolved each by itself: 1 by default. */
  readonly groups?: number;
}

/** The sizes of both sides of a convolution, and of its window. */
export interface ConvGeometry {
  readonly images: number;
  /** The side that the window moves over: channels, height and width. */
  readonly channels: number;
  readonly size: readonly [number, number];
  /** The side of one element a window. */
  readonly maps: number;
  readonly outSize: readonly [number, number];
  readonly kernel: readonly [number, number];
  readonly stride: readonly [number, number];
  readonly padding: readonly [number, number];
  readonly dilation: readonly [number, number];
  readonly groups: number;
}

/** @throws EngineError `bad-shape` unless both are whole numbers from `least` */
export function pairOf(operation: string, name: string, value: Pair, least: number): [number, number] {
  const pair: readonly number[] = typeof value === 'number' ? [value, value] : value;
  const [lines = NaN, columns = NaN] = pair;
  if (pair.length === 2 && pair.every((one) => Number.isInteger(one) && one >= least)) return [lines, columns];
  throw new EngineError(
    'bad-shape',
    `${operation}: ${name} is ${[value].flat().join(' × ')}.`,
    `Give a whole number from ${least}, or two: of lines, then of columns.`,
  );
}

/** @throws EngineError `bad-shape` unless `groups` divides all */
export function checkGroups(operation: string, groups: number, ...counts: readonly number[]): void {
  if (Number.isInteger(groups) && groups >= 1 && counts.every((count) => count % groups === 0)) return;
  throw new EngineError(
    'bad-shape',
    `${operation}: ${groups} groups of ${counts.join(' and ')} channels.`,
    'Choose a number of groups that divides the channels of input and output.',
  );
}

/** Windows along an axis of `size` elements. @throws EngineError `bad-shape` where there is not one */
export function windowsOf(
  operation: string,
  size: number,
  [kernel, stride, padding, dilation]: readonly [number, number, number, number],
): number {
  const windows = Math.floor((size + 2 * padding - dilation * (kernel - 1) - 1) / stride) + 1;
  if (kernel >= 1 && windows >= 1) return windows;
  throw new EngineError(
    'bad-shape',
    `${operation}: a window of ${dilation * (kernel - 1) + 1} elements on ${size} and padding of ${padding}.`,
    'Choose a window of 1 or more that fits into the padded input.',
  );
}

/** Which of three tensors a kernel makes of the other two. */
type Made = 'small' | 'large' | 'weight';

interface ConvOperands {
  /** Beside a weight, where the sums of the small side go: the gradient of a bias. */
  readonly sums?: Target | undefined;
  readonly small?: Tensor;
  readonly large?: Tensor;
  readonly weight?: Tensor;
  readonly bias?: Tensor;
}

/** Appends the small side (a convolution), the large side (a transposed one) or the weight, made of the others, which must be there. */
export function recordConv(
  graph: Graph,
  made: Made,
  geometry: ConvGeometry,
  { small, large, weight, bias, sums }: ConvOperands,
  target: Target,
): void {
  const { images, channels, maps, groups, size, outSize, kernel, stride, padding, dilation } = geometry;
  const [height, width] = size;
  const [outHeight, outWidth] = outSize;
  const [down, across] = kernel;
  const window = down * across;
  const [ofGroup, mapsOfGroup] = [channels / groups, maps / groups];
  const [places, outPlaces] = [images * height * width, images * outHeight * outWidth];
  const shape: TiledShape = {
    small: { batches: groups, m: mapsOfGroup, n: outPlaces, k: ofGroup * window },
    large: { batches: groups, m: ofGroup, n: places, k: mapsOfGroup * window },
    weight: { batches: groups, m: mapsOfGroup, n: ofGroup * window + (sums ? 1 : 0), k: outPlaces },
  }[made];
  const [a, b] = { small: [weight, large], large: [weight, small], weight: [small, large] }[made];
  if (!a || !b)
    throw new EngineError('bad-dispatch', `conv2d: an operand of the ${made} is absent.`, 'Give the other two.');
  recordTiled(
    graph,
    shape,
    {
      kernel: kernels[made === 'small' ? 'convForward' : made === 'large' ? 'convTransposed' : 'convWeight'],
      params: {
        ...(made === 'weight' ? { SUMS: false, ACCUMULATE_SUMS: false } : { BIAS: bias !== undefined }),
        ...(made === 'large' ? { STRIDED: stride[0] > 1 || stride[1] > 1 } : {}),
      },
      uniforms: {
        ...{ channels, height, width, maps, outHeight, outWidth, down, across },
        ...{ strideY: stride[0], strideX: stride[1], padY: padding[0], padX: padding[1] },
        ...{ dilationY: dilation[0], dilationX: dilation[1] },
      },
      bindings: { a, b, ...(bias ? { bias } : {}) },
      sums,
    },
    target,
  );
}

/** Appends the gradient of a bias: dOut [B, O, H, W] summed over all but O. */
export function recordBiasGradient(graph: Graph, dOut: Tensor, target: Target): void {
  const [images = 0, maps = 0, height = 0, width = 0] = dOut.shape;
  const sums = graph.empty('bias gradients', [images, maps]);
  recordRowSums(graph, dOut, { rows: images * maps, width: height * width, scale: 1 }, sums);
  const reduced = [{ size: images, step: maps }];
  recordStridedSum(graph, sums, { kept: [{ size: maps, step: 1 }], reduced }, target);
}

/**
 * Two-dimensional convolution, as `F.conv2d`: what deep learning calls so, a cross-correlation.
 *
 * @param x [B, C, H, W] f32
 * @param weight [O, C / groups, kh, kw]
 * @param bias [O]
 * @returns [B, O, ⌊(H + 2·padding − dilation·(kh − 1) − 1)/stride⌋ + 1, the same of W]
 * @throws EngineError `bad-shape`
 */
export function conv2d(x: Tensor, weight: Tensor, bias?: Tensor, options: ConvOptions = {}): Tensor<'f32'> {
  return conv('conv2d', x, weight, bias, options);
}

/**
 * One-dimensional convolution, as `F.conv1d`.
 *
 * @param x [B, C, L] f32
 * @param weight [O, C / groups, k]
 * @param bias [O]
 * @returns [B, O, ⌊(L + 2·padding − dilation·(k − 1) − 1)/stride⌋ + 1]
 * @throws EngineError `bad-shape`
 */
export function conv1d(
  x: Tensor,
  weight: Tensor,
  bias?: Tensor,
  { stride = 1, padding = 0, dilation = 1, groups = 1 }: { readonly [K in keyof ConvOptions]?: number } = {},
): Tensor<'f32'> {
  const { B, C, L } = matchShape('conv1d', 'x', x.shape, ['B', 'C', 'L']);
  const { O, K, k } = matchShape('conv1d', 'weight', weight.shape, ['O', 'K', 'k']);
  const flat: ConvOptions = { stride: [1, stride], padding: [0, padding], dilation: [1, dilation], groups };
  const out = conv('conv1d', x.reshape([B, C, 1, L]), weight.reshape([O, K, 1, k]), bias, flat);
  return out.reshape([B, O, out.shape[3] ?? 0]);
}

function conv(
  operation: string,
  x: Tensor,
  weight: Tensor,
  bias: Tensor | undefined,
  { stride = 1, padding = 0, dilation = 1, groups = 1 }: ConvOptions,
): Tensor<'f32'> {
  assertBias(operation, bias);
  const graph = graphOf(operation, x, weight, bias);
  assertFloats(operation, { x, weight, ...(bias ? { bias } : {}) });
  const { B, C, H, W } = matchShape(operation, 'x', x.shape, ['B', 'C', 'H', 'W']);
  const { O, kh, kw } = matchShape(operation, 'weight', weight.shape, ['O', 'C / groups', 'kh', 'kw'], {
    'C / groups': C / groups,
  });
  checkGroups(operation, groups, C, O);
  if (bias) matchShape(operation, 'bias', bias.shape, [O]);
  const moves = {
    stride: pairOf(operation, 'stride', stride, 1),
    padding: pairOf(operation, 'padding', padding, 0),
    dilation: pairOf(operation, 'dilation', dilation, 1),
  };
  const along = (axis: 0 | 1, size: number, kernel: number): number =>
    windowsOf(operation, size, [kernel, moves.stride[axis], moves.padding[axis], moves.dilation[axis]]);
  const outSize = [along(0, H, kh), along(1, W, kw)] as const;
  const geometry = {
    images: B,
    channels: C,
    size: [H, W],
    maps: O,
    outSize,
    kernel: [kh, kw],
    groups,
    ...moves,
  } as const;
  const requiresGrad = [x, weight, bias].some((operand) => operand?.requiresGrad);
  const out = graph.empty(operation, [B, O, ...outSize], 'f32', requiresGrad);
  const operands = { large: x, weight, ...(bias ? { bias } : {}) };
  recordConv(graph, 'small', geometry, operands, { out, accumulate: false });
  graph.record(operation, [out], (gradients) => {
    const small = gradients.of(out);
    if (!small) return;
    const dX = gradients.into(x);
    if (dX) recordConv(graph, 'large', geometry, { small, weight }, dX);
    recordParameters(graph, { geometry, small, large: x, dOut: small }, { weight, bias }, gradients);
  });
  return out;
}

/** Appends the gradients of weight and bias, where there are such, of a convolution or a transposed one. */
export function recordParameters(
  graph: Graph,
  {
    geometry,
    small,
    large,
    dOut,
  }: { readonly geometry: ConvGeometry; readonly small: Tensor; readonly large: Tensor; readonly dOut: Tensor },
  { weight, bias }: { readonly weight: Tensor; readonly bias: Tensor | undefined },
  gradients: Gradients,
): void {
  const dWeight = gradients.into(weight);
  const dBias = bias && gradients.into(bias);
  const sums = dOut === small ? dBias : undefined;
  const target = dWeight ?? (sums && { out: graph.empty('unused gradient', weight.shape), accumulate: false });
  if (target) recordConv(graph, 'weight', geometry, { small, large, sums }, target);
  if (dBias && !sums) recordBiasGradient(graph, dOut, dBias);
}

/** For callers whose types are not checked. @throws EngineError `bad-program` where options stand in the place of a bias */
export function assertBias(operation: string, bias: unknown): void {
  if (bias === undefined || bias instanceof Tensor) return;
  const fix = 'The third argument is the bias, or undefined; options are the fourth.';
  throw new EngineError('bad-program', `${operation}: the bias is no tensor.`, fix);
}

/** For callers whose types are not checked. @throws EngineError `bad-shape` unless all are f32 */
export function assertFloats(operation: string, operands: Readonly<Record<string, Tensor>>): void {
  for (const [name, operand] of Object.entries(operands)) assertType(operation, name, operand, 'f32');
}
