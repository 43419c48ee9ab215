import { UserError } from '../common/userError';
import { OPERATIONS, STOP } from './pickleInstructions';
import { PickleMachine } from './pickleMachine';
import type { PickleOptions } from './pickleValues';

/*
 * Python's pickles, protocols 0 to 5, read without executing anything. A pickle is a program for a small stack machine
 * that may name any function of Python's and call it. Here a name means something only where the caller says what
 * inert data it stands for; any other name is refused.
 *
 * Read as: None → null; bool, float → themselves; int → number, or bigint beyond ±(2⁵³ − 1); str → string; bytes and
 * bytearray → Uint8Array (a view into the file); list and tuple → array; dict → Map; set → Set; a class or function that
 * is not called → PickledGlobal. The `str` of Python 2, which is bytes that mostly are text → a string of one character
 * a byte (latin 1): nothing is lost, whatever it was. A structure may hold itself, and one thing in many places: go
 * through it with care.
 */

/**
 * Reads a pickle.
 *
 * @param source what messages call the file
 * @throws UserError that names the file, the byte and what is wrong there, as the global that may not be named
 */
export function readPickle(bytes: Uint8Array, source: string, options: PickleOptions): unknown {
  const { value, end } = readPickleAt(bytes, 0, source, options);
  if (end < bytes.length) {
    throw new UserError(
      `Cannot read ${source}: ${bytes.length - end} bytes follow the end of its pickle, at byte ${end}. It is damaged.`,
    );
  }
  return value;
}

/** Reads the pickle that begins at `start`, and tells where it ends. @throws UserError as `readPickle` */
export function readPickleAt(
  bytes: Uint8Array,
  start: number,
  source: string,
  options: PickleOptions,
): { readonly value: unknown; readonly end: number } {
  const machine = new PickleMachine(bytes, start, source, options);
  for (let code = machine.next(); code !== STOP; code = machine.next()) {
    const operation = OPERATIONS.get(code);
    if (!operation) throw machine.damaged(`0x${code.toString(16).padStart(2, '0')} is no instruction of a pickle`);
    operation(machine);
  }
  return { value: machine.pop(), end: machine.position };
}
