import { compileProgram } from './compile';
import type { Dispatch, RecordedDispatch, RecordedWork } from './dispatch';
import { assertLive, type GpuEngine } from './gpuEngine';
import { EngineError } from './errors';
import { planMemory } from './memoryPlan';
import { mebibytes } from './pool';
import type { Program } from './program';
import { overlap, sameBuffer, Slice, Value, type Storage, type ValueOwner } from './storage';

export type { Dispatch } from './dispatch';

const MAX_WORKGROUPS = 65535;

/**
 * Workgroups for `count` workgroups in a row: x, and y where there are more than one dimension holds. The kernel finds
 * its workgroup as `id.x + id.y * groups.x` and checks it against the real count.
 */
export function workgroupRow(count: number): [number, number] {
  const y = Math.max(1, Math.ceil(count / MAX_WORKGROUPS));
  return [Math.ceil(count / y), y];
}

/** Bytes in whole 32-bit words, one at least. */
function wordBytes(size: number): number {
  return Math.ceil(Math.max(size, 4) / 4) * 4;
}

/**
 * Work written down but not run: dispatches in order, the values they make, the inputs they wait for. `compile` turns it
 * into a program.
 */
export class Recording implements RecordedWork, ValueOwner {
  readonly dispatches: RecordedDispatch[] = [];
  readonly inputs: Value[] = [];
  readonly states: Value[] = [];
  readonly outputs = new Set<Value>();
  readonly #written = new Set<Value>();

  constructor(readonly engine: GpuEngine) {}

  /** Memory for `size` bytes that a dispatch of this recording will write. */
  value(size: number, label: string): Value {
    this.#assertBindable(size, label);
    return new Value(this, wordBytes(size), label);
  }

  /** Memory that the host writes between runs; `initial` is what it holds before the first write. */
  input(size: number, label: string, initial?: Uint8Array): Value {
    this.#assertBindable(size, label);
    const value = new Value(this, wordBytes(size), label, initial ?? new Uint8Array(wordBytes(size)));
    this.inputs.push(value);
    this.#written.add(value);
    return value;
  }

  /** Memory of the program's own that dispatches write, and that holds from run to run; `initial` is what it holds at first. */
  state(label: string, initial: Uint8Array): Value {
    const value = new Value(this, wordBytes(initial.byteLength), label, initial, true);
    this.states.push(value);
    this.#written.add(value);
    return value;
  }

  /** Whether there is something in a piece of memory at this point: what a dispatch wrote, or what was there before. */
  holds(storage: Storage): boolean {
    return storage instanceof Slice || this.#written.has(storage);
  }

  #assertBindable(size: number, label: string): void {
    const limit = this.engine.device.limits.maxStorageBufferBindingSize;
    if (size > limit) {
      throw new EngineError(
        'limit-exceeded',
        `'${label}' needs ${mebibytes(size)}; this device binds at most ${mebibytes(limit)}.`,
        'Use a smaller batch (with gradient accumulation) or model.',
      );
    }
  }

  /** Declares that `value` is read back: it keeps its place until the end of the run. */
  output(value: Value): void {
    this.#assertOwn(value, 'output');
    this.outputs.add(value);
  }

  /**
   * Appends a dispatch, done in the way that the engine's choices say.
   *
   * @throws EngineError `bad-dispatch` where a binding or uniform is missing, unknown, of another recording, too large,
   *   not yet written, or both read and written; `limit-exceeded` for too many workgroups; `disposed`
   */
  dispatch(given: Dispatch): void {
    const dispatch = this.engine.choices?.decide(given) ?? given;
    const { kernel, bindings, uniforms = {}, workgroups } = dispatch;
    const params = dispatch.params ?? {};
    const { specialized } = this.engine.kernel(kernel, params);
    const fail = (what: string, fix: string): never => {
      throw new EngineError('bad-dispatch', `Kernel '${kernel.name}': ${what}.`, fix);
    };
    for (const count of workgroups) {
      if (count === undefined) continue;
      if (!Number.isInteger(count) || count < 0)
        fail(`a work size of ${workgroups.join('×')}`, 'Give whole numbers from 0.');
      if (count > MAX_WORKGROUPS) {
        throw new EngineError(
          'limit-exceeded',
          `Kernel '${kernel.name}': ${workgroups.join('×')} workgroups; a dimension holds at most ${MAX_WORKGROUPS}.`,
          'Use workgroupRow, or a smaller batch.',
        );
      }
    }
    const reads: Storage[] = [];
    const writes: Storage[] = [];
    const known = new Set<string>();
    const limit = this.engine.device.limits.maxStorageBufferBindingSize;
    for (const { name, access } of specialized.bindings) {
      if (access === 'uniform') continue;
      known.add(name);
      const storage =
        bindings[name] ??
        fail(`nothing is bound to '${name}'`, `Bind ${specialized.bindings.map((b) => b.name).join(', ')}.`);
      this.#assertOwn(storage, `${kernel.name}.${name}`);
      if (storage.size > limit) {
        fail(
          `'${storage.label}' has ${storage.size} bytes for '${name}'; this device binds at most ${limit}`,
          'Bind it in chunks.',
        );
      }
      if (access === 'read' && storage instanceof Value && !this.#written.has(storage)) {
        fail(`'${name}' reads '${storage.label}', which nothing has written yet`, 'Record what makes it first.');
      }
      if (access === 'read_write' && storage instanceof Value && storage.initial && !storage.isState) {
        fail(`'${name}' writes the input '${storage.label}'`, 'Write to a value of its own.');
      }
      (access === 'read' ? reads : writes).push(storage);
    }
    for (const name of Object.keys(bindings)) {
      if (!known.has(name)) fail(`it has no binding '${name}'`, `It has ${[...known].join(', ')}.`);
    }
    for (const [index, written] of writes.entries()) {
      const clash =
        reads.find((read) => sameBuffer(read, written)) ??
        writes.slice(index + 1).find((other) => overlap(other, written));
      if (clash)
        fail(`'${clash.label}' and '${written.label}' share memory that it writes`, 'Bind it once, or copy it.');
    }
    for (const { name } of specialized.uniforms) {
      if (uniforms[name] === undefined) fail(`uniform '${name}' has no value`, 'Give every field of its struct.');
    }
    for (const name of Object.keys(uniforms)) {
      if (!specialized.uniforms.some((field) => field.name === name))
        fail(`it has no uniform '${name}'`, 'Leave it out.');
    }
    for (const storage of writes) if (storage instanceof Value) this.#written.add(storage);
    this.dispatches.push({ ...dispatch, params, reads, writes });
  }

  #assertOwn(storage: Storage, where: string): void {
    if (storage instanceof Slice) assertLive(storage);
    else if (storage.recording !== this) {
      throw new EngineError(
        'bad-dispatch',
        `${where}: '${storage.label}' belongs to another program.`,
        'Record both in one.',
      );
    }
  }

  /** What a program of it would take. */
  get statistics(): Program['statistics'] {
    return planMemory(this.engine, this, this.outputs, true).statistics;
  }

  /** Places the values, compiles the kernels (all at once) and returns what can be run. */
  compile(): Promise<Program> {
    return compileProgram(this.engine, this, this.outputs);
  }

  /** A program of only what `output` depends on: other memory that outlives programs is left as it is. */
  compileFor(output: Value): Promise<Program> {
    return compileProgram(this.engine, this, new Set([output]), { effects: false });
  }

  async evaluate(value: Value): Promise<ArrayBuffer> {
    const program = await this.compileFor(value);
    try {
      program.run();
      return await program.read(value);
    } finally {
      program.dispose();
    }
  }
}
