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
  | 'validation'
  | 'not-finite'
  | 'wrong-kernel'
  | 'wrong-value'
  | 'wrong-gradient';

/** An error of the engine: `what` is wrong, and the `fix`; `message` says both. */
export class EngineError extends Error {
  override readonly name = 'EngineError';

  constructor(
    readonly code: EngineErrorCode,
    /** The thing, and what is wrong with it. */
    readonly what: string,
    readonly fix: string,
  ) {
    super(`${what} ${fix}`);
  }
}
