import { EngineError } from '../gpu/errors';
import { formatShape, type Shape } from '../tensor/shape';
import { takesGradients, type DType, type Tensor } from '../tensor/tensor';
import { graphOf } from '../tensor/graph';
import { assertList, assertWords, axisOf, stepsOf, type Word } from './axes';
import { move, recordCopy, recordFill, reversed, type Copy } from './stridedCopy';

/** A place along an axis as Python has it: from the end where negative, clipped to what there is. */
const clipped = (place: number, extent: number): number =>
  Math.min(extent, Math.max(0, place < 0 ? place + extent : place));

/**
 * The elements start, start + step, … before `end` along an axis: Python's `x[start:end:step]`, of f32, i32 or u32.
 *
 * @param x f32, i32 or u32, of any shape
 * @param start from the end where negative; clipped, as `end` is
 * @param step from 1
 * @returns of x's shape, but ⌈(end − start)/step⌉ along the axis
 * @throws EngineError `bad-shape` for an axis that `x` lacks, or bounds that are no whole numbers
 */
export function slice<D extends Word>(
  x: Tensor<D>,
  axis: number,
  start: number,
  end: number = x.shape[axisOf('slice', axis, x.shape)] ?? 0,
  step = 1,
): Tensor<D> {
  const cut = axisOf('slice', axis, x.shape);
  if (!(Number.isInteger(start) && Number.isInteger(end) && Number.isInteger(step) && step > 0)) {
    throw new EngineError(
      'bad-shape',
      `slice: ${start}:${end}:${step} is no range.`,
      'Give whole numbers, and a step of 1 or more.',
    );
  }
  const extent = x.shape[cut] ?? 0;
  const [first, last] = [clipped(start, extent), clipped(end, extent)];
  const size = Math.max(0, Math.ceil((last - first) / step));
  if (size === extent) return x;
  const shape = x.shape.with(cut, size);
  return move('slice', x, shape, cutOut(x.shape, shape, { axis: cut, first, step }));
}

/** The copy of a slice out of a dense array of `whole` into one of `shape`. */
function cutOut(
  whole: Shape,
  shape: Shape,
  { axis, first, step = 1 }: { readonly axis: number; readonly first: number; readonly step?: number },
): Copy {
  const [from, to] = [stepsOf(whole), stepsOf(shape)];
  const axes = shape.map((size, at) => ({ size, from: (from[at] ?? 1) * (at === axis ? step : 1), to: to[at] ?? 1 }));
  return { axes, fromFirst: first * (from[axis] ?? 1) };
}

/**
 * Cut along an axis, as `torch.split`, of f32, i32 or u32.
 *
 * @param x f32, i32 or u32, of any shape
 * @param sizes of every part, the last one smaller where they do not come out even; or of each
 * @returns the parts, each of x's shape but for its size along the axis; as many as `sizes` where these are listed
 * @throws EngineError `bad-shape` for an axis that `x` lacks, or sizes that do not add up to its extent
 */
export function split<D extends Word, const N extends readonly number[]>(
  x: Tensor<D>,
  sizes: N,
  axis?: number,
): { -readonly [K in keyof N]: Tensor<D> };
export function split<D extends Word>(x: Tensor<D>, sizes: number | readonly number[], axis?: number): Tensor<D>[];
export function split<D extends Word>(x: Tensor<D>, sizes: number | readonly number[], axis = 0): Tensor<D>[] {
  const cut = axisOf('split', axis, x.shape);
  const extent = x.shape[cut] ?? 0;
  const each = typeof sizes === 'number' ? evenSizes(sizes, extent) : sizes;
  assertList('split', 'their sizes', each);
  if (!each.every((size) => Number.isInteger(size) && size >= 0) || each.reduce((a, b) => a + b, 0) !== extent) {
    throw new EngineError(
      'bad-shape',
      `split: ${formatShape(each)} are no sizes of parts of ${extent}.`,
      'Give whole numbers that add up to the extent.',
    );
  }
  if (each.length === 1) return [x];
  const graph = graphOf('split', x);
  assertWords('split', 'x', x);
  let first = 0;
  const parts = each.map((size) => {
    const part = graph.empty('split', x.shape.with(cut, size), x.dtype, x.requiresGrad);
    const copy = cutOut(x.shape, part.shape, { axis: cut, first });
    recordCopy(graph, x, part, copy);
    first += size;
    return { part, copy: reversed(copy) };
  });
  const outputs = parts.map(({ part }): Tensor<DType> => part).filter(takesGradients);
  if (takesGradients(x)) {
    // All parts together are x: whatever part no gradient arrives for is filled, and nothing is written twice.
    graph.record('split', outputs, (gradients) => {
      const dx = gradients.into(x);
      if (!dx) return;
      for (const [index, { copy }] of parts.entries()) {
        const output = outputs[index];
        const dPart = output && gradients.of(output);
        if (dPart) recordCopy(graph, dPart, dx.out, copy, dx.accumulate);
        else if (!dx.accumulate) recordFill(graph, dx.out, 0, copy);
      }
    });
  }
  return parts.map(({ part }) => part);
}

function evenSizes(size: number, extent: number): number[] {
  if (!(Number.isInteger(size) && size > 0)) {
    throw new EngineError('bad-shape', `split: parts of ${size} elements.`, 'Give a whole number from 1.');
  }
  return Array.from({ length: Math.max(1, Math.ceil(extent / size)) }, (_, k) => Math.min(size, extent - k * size));
}

/** The bits of a number as an element. */
function bitsOf(operation: string, value: number, dtype: DType): number {
  if (dtype === 'f32') return new Uint32Array(Float32Array.of(value).buffer)[0] ?? 0;
  const [bits] = dtype === 'i32' ? Int32Array.of(value) : Uint32Array.of(value);
  if (bits === value) return bits >>> 0;
  throw new EngineError('bad-shape', `${operation}: ${value} is no ${dtype}.`, 'Give a number that is.');
}

/**
 * One value around, as `F.pad` with a constant, of f32, i32 or u32.
 *
 * @param x f32, i32 or u32, of any shape
 * @param pads how many elements before and after, from the last axis on: [left, right, top, bottom, …]; negative ones
 *   cut off
 * @param options what is put around
 * @param options.value 0 by default
 * @returns of x's shape with the pads added to its extents
 * @throws EngineError `bad-shape` where they are no pairs of whole numbers, more than there are axes, or cut off too
 *   much
 */
export function pad<D extends Word>(
  x: Tensor<D>,
  pads: readonly number[],
  { value = 0 }: { readonly value?: number } = {},
): Tensor<D> {
  assertList('pad', 'the padding', pads);
  const rank = x.shape.length;
  const around = x.shape.map((size, axis) => {
    const at = 2 * (rank - 1 - axis);
    const [before, after] = [pads[at] ?? 0, pads[at + 1] ?? 0];
    return { size, before, after, padded: size + before + after };
  });
  const fits = pads.length % 2 === 0 && pads.length <= 2 * rank && pads.every(Number.isInteger);
  if (!fits || around.some(({ padded }) => padded < 0)) {
    throw new EngineError(
      'bad-shape',
      `pad: [${pads.join(', ')}] can't be put around ${formatShape(x.shape)}.`,
      'Give a pair an axis, the last axis first, and cut off no more than there is.',
    );
  }
  const bits = bitsOf('pad', value, x.dtype);
  if (pads.every((each) => each === 0)) return x;
  const shape = around.map(({ padded }) => padded);
  const [from, to] = [stepsOf(x.shape), stepsOf(shape)];
  let [fromFirst, toFirst] = [0, 0];
  const axes = around.map(({ size, before, after }, axis) => {
    const steps = { from: from[axis] ?? 1, to: to[axis] ?? 1 };
    fromFirst += Math.max(0, -before) * steps.from;
    toFirst += Math.max(0, before) * steps.to;
    return { size: Math.max(0, size + Math.min(0, before) + Math.min(0, after)), ...steps };
  });
  return move('pad', x, shape, { axes, fromFirst, toFirst }, bits);
}
