import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import type { ByteSource } from '../formats/byteSource';
import type { Safetensors } from '../formats/safetensors';
import { readTensorFile } from '../formats/tensorFile';
import { UserError } from '../common/userError';
import { errorCode, reason } from './failure';

/** No system reads more than 2 GiB at once. */
const MOST_AT_ONCE = 2 ** 30;

/**
 * Reads a file of tensors by what is in it: .safetensors, or PyTorch's .pth of either kind.
 *
 * @throws UserError that names it: of usage where there is no such file, else where it can't be read or is damaged
 */
export function readTensors(path: string): Safetensors {
  let file: number | undefined;
  try {
    file = openSync(path, 'r');
    return readTensorFile(openedFile(file), path);
  } catch (error) {
    if (error instanceof UserError) throw error;
    throw new UserError(`${path} cannot be read: ${reason(error)}.`, { usage: errorCode(error) === 'ENOENT' });
  } finally {
    if (file !== undefined) closeSync(file);
  }
}

/** An open file, read where it is asked for. */
function openedFile(file: number): ByteSource {
  return {
    size: fstatSync(file).size,
    read: (at, length) => {
      const bytes = new Uint8Array(length);
      for (let done = 0; done < length;) {
        const read = readSync(file, bytes, done, Math.min(length - done, MOST_AT_ONCE), at + done);
        if (read === 0) throw new Error(`it ends at byte ${at + done}, before it should`);
        done += read;
      }
      return bytes;
    },
  };
}
