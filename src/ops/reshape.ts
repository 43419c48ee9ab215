import { EngineError } from '../gpu/errors';
import { formatShape, sizeOf, type Shape } from '../tensor/shape';
import type { DType, Tensor } from '../tensor/tensor';
import { assertList, axisOf } from './axes';

/** A shape whose −1, where it has one, became a number. */
export type Reshaped<S extends Shape> = { readonly [K in keyof S]: S[K] extends -1 ? number : S[K] };

/**
 * The same elements under another shape, as `torch.reshape`; memory and gradient are shared, nothing is copied.
 *
 * @param x of any shape and type
 * @param shape may have one −1, which stands for what is left
 * @returns of the shape given
 * @throws EngineError `bad-shape` where the sizes differ
 */
export function reshape<D extends DType, const S extends Shape>(x: Tensor<D>, shape: S): Tensor<D, Reshaped<S>> {
  assertList('reshape', 'the shape', shape);
  const open = shape.indexOf(-1);
  const known = sizeOf(shape.filter((_, axis) => axis !== open));
  const whole = open < 0 ? shape : shape.with(open, x.size / known);
  if (!whole.every((extent) => Number.isSafeInteger(extent) && extent >= 0) || sizeOf(whole) !== x.size) {
    throw new EngineError(
      'bad-shape',
      `reshape: '${x.label}' ${formatShape(x.shape)} can't be ${formatShape(shape)}.`,
      'Keep the number of elements; one extent may be −1, and the others must divide them.',
    );
  }
  return x.reshape(whole as Shape as Reshaped<S>);
}

/**
 * Axes `start` to `end`, both included, as one, as `torch.flatten`; memory and gradient are shared. A scalar becomes
 * [1].
 *
 * @param x of any shape and type
 * @returns of x's shape with those extents multiplied to one
 * @throws EngineError `bad-shape` for axes that `x` lacks, or that end before they start
 */
export function flatten<D extends DType>(x: Tensor<D>, start = 0, end = -1): Tensor<D> {
  const { shape } = x;
  const rank = Math.max(1, shape.length);
  const [first, last] = [axisOf('flatten', start, shape, rank), axisOf('flatten', end, shape, rank)];
  if (first > last) {
    throw new EngineError('bad-shape', `flatten: axis ${start} comes after axis ${end}.`, 'Give the first one first.');
  }
  return x.reshape([...shape.slice(0, first), sizeOf(shape.slice(first, last + 1)), ...shape.slice(last + 1)]);
}

/**
 * Without an axis of extent 1; one of another extent stays, as in `torch.squeeze`. Memory and gradient are shared.
 *
 * @param x of any shape and type
 * @returns of x's shape, without that axis where its extent is 1
 * @throws EngineError `bad-shape` for an axis that `x` lacks
 */
export function squeeze<D extends DType>(x: Tensor<D>, axis: number): Tensor<D> {
  const left = axisOf('squeeze', axis, x.shape);
  return x.reshape(x.shape.filter((extent, at) => at !== left || extent !== 1));
}

/**
 * With one more axis, of extent 1, as `torch.unsqueeze`; memory and gradient are shared.
 *
 * @param x of any shape and type
 * @param axis where it stands in the result; −1 is the last
 * @returns of x's shape, with one axis more
 * @throws EngineError `bad-shape` for a place that the result lacks
 */
export function unsqueeze<D extends DType>(x: Tensor<D>, axis: number): Tensor<D> {
  return x.reshape(x.shape.toSpliced(axisOf('unsqueeze', axis, x.shape, x.shape.length + 1), 0, 1));
}
