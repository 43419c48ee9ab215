import { EngineError } from '../gpu/errors';
import { formatShape } from '../tensor/shape';
import type { Tensor, DType } from '../tensor/tensor';

/** For callers whose types are not checked. @throws EngineError `bad-shape` unless `operand` is of the type */
export function assertType(operation: string, operand: string, { dtype }: Tensor<DType>, wanted: DType): void {
  if (dtype === wanted) return;
  const fix = `Give it as a tensor of ${wanted}.`;
  throw new EngineError('bad-shape', `${operation}: ${operand} holds ${dtype}, not ${wanted}.`, fix);
}

/** For callers whose types are not checked. @throws EngineError `bad-shape` unless an option is one of the words that there are */
export function assertChoice(operation: string, option: string, given: string, words: readonly string[]): void {
  if (words.includes(given)) return;
  throw new EngineError('bad-shape', `${operation}: ${option} is '${given}'.`, `Give it ${words.join(', or ')}.`);
}

/**
 * Checks an operand of patch indices: [Bi, L] u32, of which sample s uses row s mod Bi. Returns Bi.
 *
 * @throws EngineError `bad-shape` unless its rows hold `length` and their number divides `samples`
 */
export function matchIds(
  operation: string,
  operand: string,
  ids: Tensor<'u32'>,
  samples: number,
  length: number,
): number {
  assertType(operation, operand, ids, 'u32');
  const [rows = 0, width] = ids.shape;
  if (ids.shape.length === 2 && width === length && samples % rows === 0) return rows;
  throw new EngineError(
    'bad-shape',
    `${operation}: ${operand} has shape ${formatShape(ids.shape)}, not [Bi, ${length}] with Bi dividing ${samples}.`,
    'Give one row a sample, or fewer rows that samples share in turn.',
  );
}

/** @throws EngineError `bad-shape` unless 1 ≤ keep ≤ length */
export function checkKeep(operation: string, keep: number, length: number): void {
  if (Number.isInteger(keep) && keep >= 1 && keep <= length) return;
  throw new EngineError(
    'bad-shape',
    `${operation}: ${keep} of ${length} patches can't be kept.`,
    `Keep a whole number from 1 to ${length}: choose another mask ratio.`,
  );
}
