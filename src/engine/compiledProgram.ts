import { EngineError } from '../gpu/errors';
import { Pictures, pictureSize } from '../gpu/pictures';
import type { GpuEngine } from '../gpu/gpuEngine';
import type { ProgramStatistics } from '../gpu/memoryPlan';
import type { HostTimes, TimedDispatch } from '../gpu/program';
import type { TensorProgram } from '../tensor/tensorProgram';
import { isStridedArray } from '../tensor/stridedArray';
import { arrayOf, denseArray, type DType, type Tensor } from '../tensor/tensor';
import type { InputValue, Inputs, ValuesOf } from './inputs';
import { outputsOf, type OutputsOf } from './outputs';

/** Runs that may be under way on the GPU, unless a program is told otherwise: one that it works on, one that waits. */
const RUNS_AHEAD = 2;
/** Runs that are waited for one by one at first, so that a program learns how long one takes, and sizes its submits. */
const SINGLE_RUNS = 3;

/** A program that is ready to run: see `Engine.compile`. */
export class CompiledProgram<I extends Inputs = Inputs, O = unknown> {
  readonly #underWay: Promise<void>[] = [];
  #runs = 0;
  #pictures: Pictures | undefined;
  /** Inputs that nobody gave a value yet. */
  readonly #missing: Set<string>;

  /** What the body returned, to be read after a run. */
  readonly outputs: OutputsOf<O>;

  readonly #engine: GpuEngine;
  readonly #program: TensorProgram;
  readonly #inputs: ReadonlyMap<string, { readonly tensor: Tensor<DType>; readonly isGiven: boolean }>;
  readonly #runsAhead: number;

  /**
   * @param result what the body returned
   * @param runsAhead runs that may be under way
   */
  constructor(
    engine: GpuEngine,
    program: TensorProgram,
    inputs: ReadonlyMap<string, { readonly tensor: Tensor<DType>; readonly isGiven: boolean }>,
    result: O,
    runsAhead = RUNS_AHEAD,
  ) {
    this.#engine = engine;
    this.#program = program;
    this.#inputs = inputs;
    this.#runsAhead = runsAhead;
    this.outputs = outputsOf(result, {
      read: async (tensor) => {
        if (this.#runs > 0) return await this.#program.read(tensor);
        throw new EngineError('bad-program', `'${tensor.label}': the program did not run yet.`, 'Run it first.');
      },
      bufferOf: (tensor) => this.#program.bufferOf(tensor),
      draw: (tensor, texture, encoder) => this.#draw(tensor, texture, encoder),
    });
    this.#missing = new Set([...inputs].filter(([, { isGiven }]) => !isGiven).map(([name]) => name));
  }

  get statistics(): ProgramStatistics {
    return this.#program.statistics;
  }

  /** Seconds that the host spent in all runs so far. */
  get hostTimes(): Readonly<HostTimes> {
    return this.#program.hostTimes;
  }

  /**
   * Submits one run, at once; reading an output then waits for it.
   *
   * @param values as of `write`
   * @returns when another run may be submitted: at most two (`runsAhead`) are under way, if it is waited for; the first three runs are
   *   waited for to their end, which tells how long one takes, and what is wrong with it
   * @throws EngineError (a rejection) as `write`, `bad-program` where an input was never given, `disposed`; `not-finite` and
   *   `wrong-kernel` where the program is debugged
   */
  async run(values: ValuesOf<I> = {}): Promise<void> {
    this.#prepare(values);
    this.#program.run();
    if (this.#program.isDebugged) return await this.#program.assertRight(++this.#runs);
    if (this.#runs++ < SINGLE_RUNS) return await this.#engine.settle();
    this.#underWay.push(this.#engine.submittedWorkDone());
    while (this.#underWay.length > this.#runsAhead) await this.#underWay.shift();
    this.#engine.throwFailure();
  }

  /** One run, timed. @returns seconds: see `Program.runTimed` @throws EngineError as `run`, and what went wrong in it */
  async runTimed(values: ValuesOf<I> = {}): Promise<number> {
    this.#prepare(values);
    this.#runs++;
    return await this.#program.runTimed();
  }

  /** One run in which each dispatch is timed by itself: see `Program.profile`. @throws EngineError as `runTimed` */
  async profile(values: ValuesOf<I> = {}): Promise<readonly TimedDispatch[]> {
    this.#prepare(values);
    this.#runs++;
    return await this.#program.profile();
  }

  /**
   * Writes one run into commands of the app's: no submit, no wait. Inputs are given once a submit, since what the host writes
   * reaches the queue before the commands do.
   *
   * @param target an encoder, or a compute pass, where inputs are typed arrays, or buffers with usage STORAGE only
   * @param values as of `write`
   * @throws EngineError as `write`; `bad-program` where an input was never given, or can't be converted in a pass; `disposed`
   */
  encode(target: GPUCommandEncoder | GPUComputePassEncoder, values: ValuesOf<I> = {}): void {
    this.#prepare(values);
    this.#program.encode(target);
    this.#runs++;
  }

  /**
   * Sets what inputs hold from the next run on.
   *
   * @param values by name; inputs that are left out hold what they held. A buffer of the app's is read where it lies, run by
   *   run, until the input is given something else; a texture is read once
   * @throws EngineError `bad-program` where an input is unknown, `bad-shape` where it has other elements; then nothing is written
   */
  write(values: ValuesOf<I>): void {
    const checked: { readonly name: string; readonly write: () => void }[] = [];
    for (const [name, value] of Object.entries<InputValue | undefined>(values)) {
      if (value === undefined) continue;
      const input = this.#inputs.get(name);
      if (!input) {
        const known = [...this.#inputs.keys()].join(', ') || 'none';
        throw new EngineError('bad-program', `This program has no input '${name}'.`, `Its inputs: ${known}.`);
      }
      checked.push({ name, write: this.#writing(input.tensor, value) });
    }
    for (const { name, write } of checked) {
      write();
      this.#missing.delete(name);
    }
  }

  /** Checks a value for an input. @returns gives it */
  #writing(tensor: Tensor<DType>, value: InputValue): () => void {
    const { label, shape, dtype } = tensor;
    if (!isSource(value)) {
      throw new EngineError(
        'bad-shape',
        `Input '${label}' is given ${describe(value)}.`,
        `Give it a ${arrayOf(dtype, []).constructor.name} of ${tensor.size}, an ndarray, a GPUBuffer or a picture.`,
      );
    }
    if (ArrayBuffer.isView(value) || isStridedArray(value)) {
      const dense = denseArray(label, shape, dtype, value);
      return () => this.#program.write(tensor, dense);
    }
    if ('mapAsync' in value) return this.#program.lending(tensor, { buffer: value });
    if ('buffer' in value) return this.#program.lending(tensor, value);
    const size = pictureSize(`Input '${label}'`, shape, dtype);
    this.#pictures ??= new Pictures(this.#engine);
    return this.#program.showing(tensor, this.#pictures, size, value);
  }

  /** Writes what a run is given. @throws EngineError as `write`, `bad-program` where an input was never given */
  #prepare(values: ValuesOf<I>): void {
    const missing = [...this.#missing].find((name) => values[name] === undefined);
    if (missing === undefined) {
      this.write(values);
      return;
    }
    throw new EngineError('bad-program', `Input '${missing}' was never given.`, 'Give it to run, with the first run.');
  }

  #draw(tensor: Tensor<DType>, texture: GPUTexture, given?: GPUCommandEncoder): void {
    const { device } = this.#engine;
    const size = pictureSize(`Output '${tensor.label}'`, tensor.shape, tensor.dtype);
    const buffer = this.#program.bufferOf(tensor);
    this.#pictures ??= new Pictures(this.#engine);
    const encoder = given ?? device.createCommandEncoder({ label: 'palimpsest' });
    this.#pictures.encodeDraw(encoder, { buffer }, size, texture);
    if (!given) this.#engine.guarded('drawing', () => device.queue.submit([encoder.finish()]));
  }

  /** Frees its memory; lasting tensors that it works on stay. Twice is harmless. */
  dispose(): void {
    this.#pictures?.dispose();
    this.#program.dispose();
  }
}

/** Whether JavaScript gave what may hold an input's value. */
function isSource(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof ArrayBuffer);
}

/** What is no value of an input, in words. */
function describe(value: unknown): string {
  if (Array.isArray(value)) return 'an Array';
  return value instanceof ArrayBuffer ? 'an ArrayBuffer' : String(value);
}
