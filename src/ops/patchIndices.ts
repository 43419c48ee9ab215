import { EngineError } from '../gpu/errors';
import { formatShape } from '../tensor/shape';
import { Tensor, type DType } from '../tensor/tensor';

/** For callers whose types are not checked. @throws EngineError `bad-shape` unless `operand` is of the type */
export function assertType(operation: string, operand: string, given: unknown, wanted: DType): void {
  if (given instanceof Tensor && given.dtype === wanted) return;
  const what = given instanceof Tensor ? `holds ${String(given.dtype)}, not ${wanted}` : 'is no tensor';
  throw new EngineError('bad-shape', `${operation}: ${operand} ${what}.`, `Give it as a tensor of ${wanted}.`);
}

/** As `assertType`, of what may be f32 or f16. */
export function assertFloating(operation: string, operand: string, given: unknown): void {
  if (!(given instanceof Tensor && given.dtype === 'f16')) assertType(operation, operand, given, 'f32');
}

/** @throws EngineError `bad-shape` unless an option is a number, not NaN, from `least` */
export function assertNumber(operation: string, option: string, given: unknown, least = -Infinity): void {
  if (typeof given === 'number' && given >= least) return;
  const fix = least === -Infinity ? 'Give a number.' : `Give a number from ${least}.`;
  throw new EngineError('bad-shape', `${operation}: ${option} is ${String(given)}.`, fix);
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
