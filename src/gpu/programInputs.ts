import { EngineError } from './errors';
import type { GpuEngine } from './gpuEngine';
import type { DeviceBuffer } from './pool';
import type { Slice, Value } from './storage';

/** Inputs that lie in buffers of the app's. */
export type Lent = ReadonlyMap<Value, GPUBufferBinding>;

/** Commands that write an input where it lies. */
export type Fill = (encoder: GPUCommandEncoder, into: GPUBufferBinding) => void;

/** The inputs of a program: their memory, what the host has written to it, and what lies elsewhere. */
export class ProgramInputs {
  readonly lent = new Map<Value, GPUBufferBinding>();
  /** What commands of the next run write. */
  readonly #fills = new Map<Value, Fill>();
  /** Whose memory was written by commands, so that the mirror does not say what it holds. */
  readonly #filled = new Set<Value>();
  /** Written by the host since the last upload. */
  readonly #changed = new Set<Value>();
  #isFresh = true;

  readonly #engine: GpuEngine;
  readonly #buffer: DeviceBuffer;
  readonly #mirror: Uint8Array;
  readonly #slices: ReadonlyMap<Value, Slice>;

  /**
   * @param mirror what the host has written to `buffer`, or is to
   * @param slices where inputs lie in `buffer`, among others
   */
  constructor(engine: GpuEngine, buffer: DeviceBuffer, mirror: Uint8Array, slices: ReadonlyMap<Value, Slice>) {
    this.#engine = engine;
    this.#buffer = buffer;
    this.#mirror = mirror;
    this.#slices = slices;
  }

  /** Sets what an input holds from the next upload on. */
  write(input: Value, data: ArrayBufferView): void {
    const slice = this.#place(input);
    if (Math.max(4, Math.ceil(data.byteLength / 4) * 4) !== input.size) {
      throw new EngineError(
        'bad-shape',
        `Input '${input.label}' holds ${input.size} bytes, not ${data.byteLength}.`,
        'Write all of it.',
      );
    }
    this.#mirror.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), slice.offset);
    this.#changed.add(input);
    this.#forget(input);
  }

  /** Lets an input be read elsewhere. @returns whether it was read in another place until now */
  lend(input: Value, place: GPUBufferBinding): boolean {
    this.#place(input);
    const before = this.lent.get(input);
    this.#changed.delete(input);
    this.#forget(input);
    this.lent.set(input, place);
    return before?.buffer !== place.buffer || before.offset !== place.offset;
  }

  /** Lets commands of the next run write an input. */
  fill(input: Value, fill: Fill): void {
    this.#place(input);
    this.#changed.delete(input);
    this.#forget(input);
    this.#fills.set(input, fill);
  }

  #forget(input: Value): void {
    this.lent.delete(input);
    this.#fills.delete(input);
    this.#filled.delete(input);
  }

  /** Hands what the host wrote to the queue. */
  upload(): void {
    if (this.#isFresh || (this.#changed.size > 0 && this.#filled.size === 0))
      this.#uploadRange(0, this.#mirror.byteLength);
    else {
      for (const input of this.#changed) {
        const { offset, size } = this.#place(input);
        this.#uploadRange(offset, size);
      }
    }
    this.#isFresh = false;
    this.#changed.clear();
  }

  #uploadRange(offset: number, size: number): void {
    const data = this.#mirror as Uint8Array<ArrayBuffer>; // made as such
    this.#engine.device.queue.writeBuffer(this.#buffer.gpu, offset, data, offset, size);
  }

  /** Writes into commands what fills inputs. */
  encodeFills(encoder: GPUCommandEncoder): void {
    for (const [input, fill] of this.#fills) {
      const { buffer, offset, size } = this.#place(input);
      fill(encoder, { buffer: buffer.gpu, offset, size });
      this.#filled.add(input);
    }
    this.#fills.clear();
  }

  /** @throws EngineError `bad-program` where commands have to write an input first: a pass has no place for them */
  assertNoFills(): void {
    const [input] = this.#fills.keys();
    if (!input) return;
    throw new EngineError(
      'bad-program',
      `Input '${input.label}' is copied or converted, which a compute pass can't do.`,
      "Give encode the command encoder, or a buffer with usage STORAGE whose offset is a multiple of the device's alignment.",
    );
  }

  /** @throws EngineError `bad-program` where it is no input */
  #place(input: Value): Slice {
    const slice = this.#slices.get(input);
    if (slice?.buffer === this.#buffer) return slice;
    throw new EngineError('bad-program', `'${input.label}' is no input of this program.`, 'Declare it with input().');
  }
}
