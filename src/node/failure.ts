import { UserError } from '../common/userError';
import { EngineError } from '../gpu/errors';

/** What the system's error codes mean, in words. */
const SYSTEM_ERRORS: Readonly<Record<string, string>> = {
  EACCES: 'permission denied',
  EBUSY: 'it is in use',
  EDQUOT: 'the disk quota is used up',
  EFBIG: 'the file would be too large',
  EIO: 'the disk reports an error',
  EISDIR: 'it is a folder',
  ELOOP: 'its symbolic links go in circles',
  EMFILE: 'too many files are open',
  ENAMETOOLONG: 'the name is too long',
  ENOENT: 'there is no such file or folder',
  ENOSPC: 'no space is left on the device',
  ENOTDIR: 'a part of the path is no folder',
  EPERM: 'the operation is not permitted',
  EROFS: 'the file system is read-only',
};

/** What an error of any kind says of itself, without a full stop. */
export function reason(error: unknown): string {
  const text = SYSTEM_ERRORS[errorCode(error) ?? ''] ?? (error instanceof Error ? error.message : String(error));
  return text.replace(/\.$/, '');
}

/** The code of a system's error, such as `ENOENT`. */
export function errorCode(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}

/** A file that the system refuses, where nobody foresaw it. */
function isSystemError(error: unknown): error is Error & { readonly path: string } {
  return errorCode(error) !== undefined && error instanceof Error && 'path' in error && typeof error.path === 'string';
}

/**
 * Ends a command that failed: prints one message, without a stack trace unless `debug` asks for it.
 *
 * @returns the process's exit code
 * @throws the error itself where it is neither the user's nor the engine's: a defect
 */
export function reportFailure(error: unknown, debug = false): 1 | 2 {
  if (debug) console.error(error);
  else if (error instanceof UserError || error instanceof EngineError) console.error(error.message);
  else if (isSystemError(error)) console.error(`${error.path}: ${reason(error)}.`);
  else throw error;
  return error instanceof UserError ? error.exitCode : 1;
}
