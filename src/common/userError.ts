/** A mistake or a mishap on the user's side: shown as one message, without a stack trace. */
export class UserError extends Error {
  override readonly name = 'UserError';
  /** 2 for a wrong call, 1 for anything else that failed. */
  readonly exitCode: 1 | 2;

  constructor(message: string, options: { usage?: boolean } = {}) {
    super(message);
    this.exitCode = options.usage ? 2 : 1;
  }
}
