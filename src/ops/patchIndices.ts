import { EngineError } from '../gpu/errors';
import { formatShape } from '../tensor/shape';
import type { Tensor } from '../tensor/tensor';

/** @throws EngineError `bad-shape` unless `operand` holds u32 */
export function assertU32(operation: string, operand: string, { dtype }: Tensor): void {
  if (dtype === 'u32') return;
  throw new EngineError('bad-shape', `${operation}: ${operand} holds ${dtype}, not u32.`, 'Give it as a u32 tensor.');
}

/**
 * Checks an operand of patch indices: [Bi, L] u32, of which sample s uses row s mod Bi. Returns Bi.
 *
 * @throws EngineError `bad-shape` unless its rows hold `length` and their number divides `samples`
 */
export function matchIds(operation: string, operand: string, ids: Tensor, samples: number, length: number): number {
  assertU32(operation, operand, ids);
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
