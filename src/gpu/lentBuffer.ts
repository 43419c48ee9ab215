import { EngineError } from './errors';
import type { Program } from './program';
import type { Value } from './storage';

/** A place in a buffer of the app's. */
export interface BufferPlace {
  readonly buffer: GPUBuffer;
  /** In bytes; 0 by default. A multiple of the device's `minStorageBufferOffsetAlignment` is read where it lies. */
  readonly offset?: number;
}

/**
 * Lets an input of a program be read from a buffer of the app's: where it lies, if its usage and offset allow it, else by a
 * copy on the GPU before the next run.
 *
 * @returns does it; everything is checked before
 * @throws EngineError `bad-shape` where the buffer is too short, `bad-program` where its usage allows neither, or where it is
 *   the program's own
 */
export function lendBuffer(program: Program, input: Value, { buffer, offset = 0 }: BufferPlace): () => void {
  const { label, size } = input;
  const fail = (code: 'bad-shape' | 'bad-program', what: string, fix: string): never => {
    throw new EngineError(code, `Input '${label}': ${what}.`, fix);
  };
  const name = `the buffer '${buffer.label || 'without a label'}'`;
  if (program.owns(buffer)) {
    fail('bad-program', `${name} is an output of the same program`, 'Copy it to a buffer of your own first.');
  }
  if (!Number.isInteger(offset) || offset < 0 || offset % 4 !== 0) {
    fail('bad-shape', `an offset of ${offset} bytes`, 'Give a multiple of 4, 0 or more.');
  }
  if (offset + size > buffer.size) {
    const from = offset > 0 ? ` from byte ${offset} on` : '';
    fail('bad-shape', `it needs ${size} bytes; ${name} has ${buffer.size - offset}${from}`, 'Give a larger buffer.');
  }
  if (buffer.usage & GPUBufferUsage.STORAGE && offset % program.bindingAlignment === 0) {
    return () => program.lend(input, { buffer, offset, size });
  }
  if (buffer.usage & GPUBufferUsage.COPY_SRC) {
    return () =>
      program.fill(input, (encoder, into) =>
        encoder.copyBufferToBuffer(buffer, offset, into.buffer, into.offset ?? 0, size),
      );
  }
  return fail('bad-program', `${name} has neither usage STORAGE nor COPY_SRC`, 'Make it with GPUBufferUsage.STORAGE.');
}
