import { EngineError } from '../gpu/errors';
import { formatShape, type Shape } from '../tensor/shape';
import type { Tensor } from '../tensor/tensor';
import { assertList, axisOf, stepsOf, type Word } from './axes';
import { move } from './stridedCopy';

/**
 * The axes in another order, as `torch.permute`, of f32, i32 or u32. Where only axes of extent 1 change places, memory
 * and gradient are shared; otherwise the elements are copied.
 *
 * @param x f32, i32 or u32, of any shape
 * @param axes which axis of `x` each axis of the result is
 * @returns of x's shape with its extents in that order
 * @throws EngineError `bad-shape` unless each axis comes once
 */
export function permute<D extends Word>(x: Tensor<D>, axes: readonly number[]): Tensor<D> {
  assertList('permute', 'the order of axes', axes);
  const order = axes.map((axis) => axisOf('permute', axis, x.shape));
  if (order.length !== x.shape.length || new Set(order).size !== order.length) {
    throw new EngineError(
      'bad-shape',
      `permute: [${axes.join(', ')}] are not the axes of ${formatShape(x.shape)}, each once.`,
      'Name every axis once.',
    );
  }
  return permuted('permute', x, order);
}

/**
 * Two axes in each other's place, as `torch.transpose`, of f32, i32 or u32.
 *
 * @param x f32, i32 or u32, of any shape
 * @returns of x's shape with two extents exchanged
 * @throws EngineError `bad-shape` for axes that `x` lacks
 */
export function transpose<D extends Word>(x: Tensor<D>, axis1: number, axis2: number): Tensor<D> {
  const [first, second] = [axisOf('transpose', axis1, x.shape), axisOf('transpose', axis2, x.shape)];
  const order = x.shape.map((_, axis) => axis).with(first, second);
  return permuted('transpose', x, order.with(second, first));
}

function permuted<D extends Word>(operation: string, x: Tensor<D>, order: readonly number[]): Tensor<D> {
  const shape = order.map((axis) => x.shape[axis] ?? 1);
  const long = order.filter((axis) => x.shape[axis] !== 1);
  if (long.every((axis, at) => at === 0 || axis > (long[at - 1] ?? 0))) return x.reshape(shape);
  const [from, to] = [stepsOf(x.shape), stepsOf(shape)];
  const axes = order.map((axis, at) => ({ size: shape[at] ?? 1, from: from[axis] ?? 1, to: to[at] ?? 1 }));
  return move(operation, x, shape, { axes });
}

/**
 * The elements in reverse order along axes, as `torch.flip`, of f32, i32 or u32.
 *
 * @param x f32, i32 or u32, of any shape
 * @param axes one, or several, each once
 * @returns of x's shape
 * @throws EngineError `bad-shape` for an axis that `x` lacks, or that comes twice
 */
export function flip<D extends Word, S extends Shape>(x: Tensor<D, S>, axes: number | readonly number[]): Tensor<D, S> {
  const flipped = [axes].flat().map((axis) => axisOf('flip', axis, x.shape));
  if (new Set(flipped).size !== flipped.length) {
    throw new EngineError('bad-shape', `flip: an axis comes twice in [${flipped.join(', ')}].`, 'Name each once.');
  }
  const steps = stepsOf(x.shape);
  let fromFirst = 0;
  const copied = x.shape.map((size, axis) => {
    const to = steps[axis] ?? 1;
    if (!flipped.includes(axis)) return { size, from: to, to };
    fromFirst += (size - 1) * to;
    return { size, from: -to, to };
  });
  return move('flip', x, x.shape, { axes: copied, fromFirst });
}
