import { constants } from 'node:os';
import { errorCode, reason } from '../node/failure';

type Signal = 'SIGINT' | 'SIGTERM' | 'SIGHUP' | 'SIGPIPE';

/** Its number: Windows has no name for it. */
const SIGPIPE = 13;

/** Milliseconds within which two signals are one. */
const ONE_CTRL_C = 250;

const CAUGHT = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/**
 * Turns Ctrl-C, SIGTERM, a closed terminal or an output that takes no more into a wish to stop after the step under way; a
 * second Ctrl-C ends the process at once. It listens until the process ends.
 */
export class Interrupt {
  private signal: Signal | undefined;
  private heard = 0;

  /** @param note tells the user that it was heard */
  constructor(private readonly note: (label: string, text: string) => void) {
    for (const signal of CAUGHT) process.on(signal, () => this.request(signal));
    process.stdout.on('error', (error: Error) => {
      // `| head` has seen enough, the terminal is gone, or the disk that the output goes to is full.
      if (!this.requested && errorCode(error) !== 'EPIPE') {
        console.error(`The output cannot be written, the run is saved and ends: ${reason(error)}.`);
      }
      this.request('SIGPIPE');
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
      // Every line to a closed pipe fails anew, and some programs send a signal twice for one Ctrl-C.
      if (signal === 'SIGINT' && performance.now() - this.heard > ONE_CTRL_C) process.exit(this.exitCode);
      return;
    }
    this.signal = signal;
    this.heard = performance.now();
    if (signal !== 'SIGPIPE') this.note('stopping', 'after this step, saving (Ctrl-C again: at once, without saving)');
  }
}
