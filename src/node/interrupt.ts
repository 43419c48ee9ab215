import { constants } from 'node:os';
import { errorCode } from './failure';

type Signal = 'SIGINT' | 'SIGTERM' | 'SIGHUP' | 'SIGPIPE';

/** Its number: Windows has no name for it. */
const SIGPIPE = 13;

const CAUGHT = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/**
 * Turns Ctrl-C, SIGTERM, a closed terminal or a closed pipe of the output into a wish to stop after the step under way; a
 * second Ctrl-C ends the process at once. It listens until the process ends.
 */
export class Interrupt {
  private signal: Signal | undefined;

  /** @param note tells the user that it was heard */
  constructor(private readonly note: (label: string, text: string) => void) {
    for (const signal of CAUGHT) process.on(signal, () => this.request(signal));
    process.stdout.on('error', (error: Error) => {
      // Nobody reads on: `| head` has seen enough, or the terminal is gone. What else it may be, tools/run.js throws.
      if (errorCode(error) === 'EPIPE' || errorCode(error) === 'EIO') this.request('SIGPIPE');
    });
  }

  get requested(): boolean {
    return this.signal !== undefined;
  }

  /** What a shell expects of a process that a signal ended: 128 and the signal's number, 130 for Ctrl-C. */
  get exitCode(): number {
    return this.signal === undefined ? 0 : 128 + (this.signal === 'SIGPIPE' ? SIGPIPE : constants.signals[this.signal]);
  }

  private request(signal: Signal): void {
    if (this.signal !== undefined) {
      // Every line to a closed pipe fails anew.
      if (signal === 'SIGINT') process.exit(this.exitCode);
      return;
    }
    this.signal = signal;
    if (signal !== 'SIGPIPE') this.note('stopping', 'after this step, saving (Ctrl-C again: at once, without saving)');
  }
}
