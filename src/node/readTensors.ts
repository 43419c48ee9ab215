import { readFileSync } from 'node:fs';
import { readSafetensors, type Safetensors } from '../files/safetensors';
import { UserError } from '../files/userError';
import { errorCode, reason } from './failure';

/**
 * Reads a .safetensors file.
 *
 * @throws UserError that names it: of usage where there is no such file, else where it can't be read or is damaged
 */
export function readTensors(path: string): Safetensors {
  let bytes: Uint8Array;
  try {
    bytes = readFileSync(path);
  } catch (error) {
    throw new UserError(`${path} cannot be read: ${reason(error)}.`, { usage: errorCode(error) === 'ENOENT' });
  }
  return readSafetensors(bytes, path);
}
