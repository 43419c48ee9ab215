import { EngineError } from '../gpu/errors';
import { formatShape, type Shape } from '../tensor/shape';
import type { Tensor } from '../tensor/tensor';
import { assertList, stepsOf, type Word } from './axes';
import { stretch } from './stridedCopy';

/**
 * Extents of 1 stretched, and new axes in front, as `torch.Tensor.expand`, of f32, i32 or u32; the elements are copied.
 * The gradient sums over what was stretched, in an order that the shapes fix.
 *
 * @param x f32, i32 or u32, of any shape
 * @param shape from the last axis on each extent is that of `x`, or that of `x` is 1; −1 keeps it
 * @returns of the shape given
 * @throws EngineError `bad-shape` where `x` cannot be stretched to the shape
 */
export function expand<D extends Word>(x: Tensor<D>, shape: Shape): Tensor<D> {
  assertList('expand', 'the shape', shape);
  const added = shape.length - x.shape.length;
  const wanted = shape.map((extent, axis) => (extent === -1 ? (x.shape[axis - added] ?? -1) : extent));
  const fits =
    added >= 0 &&
    wanted.every((extent, axis) => axis < added || extent === x.shape[axis - added] || x.shape[axis - added] === 1) &&
    wanted.every((extent) => Number.isInteger(extent) && extent >= 0);
  if (!fits) {
    throw new EngineError(
      'bad-shape',
      `expand: ${formatShape(x.shape)} can't be stretched to ${formatShape(shape)}.`,
      'Extents from the last on must be equal, or 1 before.',
    );
  }
  const steps = stepsOf(x.shape);
  const axes = wanted.map((size, axis) => ({
    size,
    from: axis < added || (x.shape[axis - added] === 1 && size !== 1) ? 0 : (steps[axis - added] ?? 1),
  }));
  if (axes.every(({ size, from }) => from > 0 || size === 1)) return x.reshape(wanted);
  return stretch('expand', x, wanted, axes);
}

/**
 * The whole of it several times along each axis, as `torch.Tensor.repeat`, of f32, i32 or u32. The gradient sums over
 * the repetitions, in an order that the shapes fix.
 *
 * @param x f32, i32 or u32, of any shape
 * @param repeats one an axis, from 0; more than there are axes put new ones in front
 * @returns of the shape that has each extent times its repeats
 * @throws EngineError `bad-shape` for fewer repeats than axes, or one that is no whole number from 0
 */
export function repeat<D extends Word>(x: Tensor<D>, repeats: readonly number[]): Tensor<D> {
  assertList('repeat', 'how often', repeats);
  const added = repeats.length - x.shape.length;
  if (added < 0 || !repeats.every((times) => Number.isInteger(times) && times >= 0)) {
    throw new EngineError(
      'bad-shape',
      `repeat: ${formatShape(x.shape)} can't be repeated ${formatShape(repeats)} times.`,
      'Give a whole number from 0 an axis.',
    );
  }
  const extents = repeats.map((_, axis) => x.shape[axis - added] ?? 1);
  const shape = extents.map((extent, axis) => extent * (repeats[axis] ?? 1));
  if (repeats.every((times) => times === 1)) return x.reshape(shape);
  const steps = stepsOf(extents);
  const axes = extents.flatMap((size, axis) => [
    { size: repeats[axis] ?? 1, from: 0 },
    { size, from: steps[axis] ?? 1 },
  ]);
  return stretch('repeat', x, shape, axes);
}
