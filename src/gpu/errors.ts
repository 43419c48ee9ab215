/** What went wrong, as a stable word that a program can branch on. */
export type EngineErrorCode =
  | 'no-adapter'
  | 'missing-feature'
  | 'limit-exceeded'
  | 'out-of-memory'
  | 'device-lost'
  | 'disposed'
  | 'bad-kernel'
  | 'bad-dispatch'
  | 'bad-shape'
  | 'bad-program'
  | 'validation';

/** An error of the engine: `message` names the thing and what is wrong with it, `fix` says what to do. */
export class EngineError extends Error {
  override readonly name = 'EngineError';

  constructor(
    readonly code: EngineErrorCode,
    message: string,
    readonly fix: string,
  ) {
    super(`${message} ${fix}`);
  }
}
