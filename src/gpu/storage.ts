import type { DeviceBuffer } from './pool';

/** A piece of a buffer that outlives programs: parameters, optimizer state, data. */
export class Slice {
  /** What it is, where that says more than what the whole buffer is. */
  readonly #name: string | undefined;

  constructor(
    readonly buffer: DeviceBuffer,
    /** In bytes; a multiple of 256. */
    readonly offset: number,
    /** In bytes; a multiple of 4. */
    readonly size: number,
    name?: string,
  ) {
    this.#name = name;
  }

  get label(): string {
    return this.#name ?? this.buffer.label;
  }
}

/** What values are part of: a recording. */
export interface ValueOwner {
  /** The bytes of one of its values, computed for this one time by a short program of all that it depends on. */
  evaluate(value: Value): Promise<ArrayBuffer>;
}

/** A piece of memory inside a program. It has no place until the program is compiled. */
export class Value {
  constructor(
    readonly recording: ValueOwner,
    /** In bytes; a multiple of 4. */
    readonly size: number,
    readonly label: string,
    /** What an input holds until it is written, or a state before the first run; absent for what dispatches produce. */
    readonly initial?: Uint8Array,
    /** Whether it is a state: memory that dispatches write, and that holds from run to run. */
    readonly isState = false,
  ) {}
}

/** Where the elements of a tensor lie. */
export type Storage = Slice | Value;

/** WebGPU sees a buffer as one thing in a dispatch: reading one part of it and writing another is refused. */
export function sameBuffer(a: Storage, b: Storage): boolean {
  return a === b || (a instanceof Slice && b instanceof Slice && a.buffer === b.buffer);
}

/** Whether two pieces have bytes in common. */
export function overlap(a: Storage, b: Storage): boolean {
  if (!(a instanceof Slice && b instanceof Slice)) return a === b;
  return a.buffer === b.buffer && a.offset < b.offset + b.size && b.offset < a.offset + a.size;
}
