import { EngineError } from '../gpu/errors';
import { formatShape, sizeOf, type Shape } from '../tensor/shape';
import type { DType, Float, Tensor } from '../tensor/tensor';

/** Types whose elements are words of 32 bits: what operations take that only move elements. f16 is refused at run time. */
export type Word = Float | 'i32' | 'u32';

/** For callers whose types are not checked, and f16. @throws EngineError `bad-shape` unless elements are words of 32 bits */
export function assertWords(operation: string, operand: string, { dtype }: Tensor<DType>): void {
  if (dtype !== 'f16' && dtype !== 'u8') return;
  const fix = 'Give it as a tensor of f32, i32 or u32.';
  throw new EngineError('bad-shape', `${operation}: ${operand} holds ${dtype}.`, fix);
}

/** For callers whose types are not checked. @throws EngineError `bad-shape` unless it is an array */
export function assertList(operation: string, what: string, given: unknown): void {
  if (Array.isArray(given)) return;
  throw new EngineError('bad-shape', `${operation}: ${what} is no list, but ${String(given)}.`, 'Give an array.');
}

/** An axis counted from 0, of one that counts from the end where negative. @throws EngineError `bad-shape` for one that x lacks */
export function axisOf(operation: string, axis: number, shape: Shape, rank = shape.length): number {
  if (Number.isInteger(axis) && axis >= -rank && axis < rank) return axis < 0 ? axis + rank : axis;
  throw new EngineError(
    'bad-shape',
    `${operation}: ${formatShape(shape)} has no axis ${axis}.`,
    rank === 0 ? 'A scalar has none.' : `Give one from ${-rank} to ${rank - 1}.`,
  );
}

/** How far an index moves along each axis of a dense array. */
export function stepsOf(shape: Shape): number[] {
  return shape.map((_, axis) => sizeOf(shape.slice(axis + 1)));
}
