import { UserError } from '../files/userError';
import { EngineError } from '../gpu/errors';

/** What an error of any kind says of itself. */
export function reason(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
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
  else throw error;
  return error instanceof UserError ? error.exitCode : 1;
}
