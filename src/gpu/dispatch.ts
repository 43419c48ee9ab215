import type { TunableDispatch } from './autotune';
import type { ParamValues } from './expression';
import type { Storage, Value } from './storage';

/** One run of a kernel: everything it is given, by name. */
export interface Dispatch extends TunableDispatch {
  readonly bindings: Readonly<Record<string, Storage>>;
}

/** A dispatch that was checked, with its storage split by what the kernel does to it. */
export interface RecordedDispatch extends Dispatch {
  readonly params: ParamValues;
  readonly reads: readonly Storage[];
  readonly writes: readonly Storage[];
}

/** A recording, as whoever makes a program of it sees it. */
export interface RecordedWork {
  readonly dispatches: readonly RecordedDispatch[];
  readonly inputs: readonly Value[];
  /** What holds from run to run. */
  readonly states: readonly Value[];
}
