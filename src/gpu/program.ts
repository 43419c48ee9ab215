import type { RecordedDispatch } from './dispatch';
import { assertLive, type GpuEngine } from './gpuEngine';
import { EngineError } from './errors';
import type { ProgramStatistics } from './memoryPlan';
import type { DeviceBuffer } from './pool';
import type { Fill, Lent, ProgramInputs } from './programInputs';
import type { Slice, Value } from './storage';
import { MOST_PASSES, PassTimer, type PassTime } from './timing';

/** A dispatch made ready. */
export interface Step {
  readonly dispatch: RecordedDispatch;
  readonly pipeline: GPUComputePipeline;
  /** What it binds; `lent` says which values lie in memory of the app's. */
  readonly bindGroup: (lent: Lent) => GPUBindGroup;
  readonly workgroups: readonly [number, number, number];
}

/** What a program is made of. */
export interface ProgramParts {
  readonly steps: readonly Step[];
  /** Where values lie. */
  readonly slices: ReadonlyMap<Value, Slice>;
  readonly outputs: ReadonlySet<Value>;
  readonly inputs: ProgramInputs;
  /** What it owns. */
  readonly buffers: readonly DeviceBuffer[];
  /** What it works on without owning it. */
  readonly lasting: ReadonlySet<DeviceBuffer>;
  readonly statistics: ProgramStatistics;
}

/** Steps that make a pass: the first, and the one after the last. */
interface PassRange {
  readonly from: number;
  readonly to: number;
}

/** A dispatch of a program, and when it ran. */
export interface TimedDispatch extends PassTime {
  readonly dispatch: RecordedDispatch;
}

/** Seconds that the host spent in all runs so far. */
export interface HostTimes {
  /** Handing over inputs that were written. */
  inputs: number;
  encode: number;
  submit: number;
}

/**
 * A submit that takes longer than this is split: a browser draws no frame while one runs, and drivers take one of some
 * seconds for hung and end the device.
 */
const LONGEST_SUBMIT = 0.05;
/** Dispatches a submit as long as it is not known how long they take: drivers compile in the first run, too. */
const CAREFUL = 32;
const TIMED_RUNS = 3;

/**
 * Recorded work made ready: memory placed, kernels compiled, bind groups made. A run is one pass and one submit, or a few
 * where it takes long.
 */
export class Program {
  #disposed = false;
  /** Of each step, as inputs lie now. */
  #bindGroups: GPUBindGroup[];
  #dispatchesASubmit = CAREFUL;
  #timedRuns = 0;
  /** Seconds of the shortest run so far that was timed. */
  #shortest = Infinity;
  readonly hostTimes: HostTimes = { inputs: 0, encode: 0, submit: 0 };

  readonly #engine: GpuEngine;
  readonly #parts: ProgramParts;

  constructor(engine: GpuEngine, parts: ProgramParts) {
    this.#engine = engine;
    this.#parts = parts;
    this.#bindGroups = parts.steps.map(({ bindGroup }) => bindGroup(parts.inputs.lent));
  }

  get statistics(): ProgramStatistics {
    return this.#parts.statistics;
  }

  /** Sets what an input holds from the next run on. */
  write(input: Value, data: ArrayBufferView): void {
    this.#assertUsable();
    const wasLent = this.#parts.inputs.lent.has(input);
    this.#parts.inputs.write(input, data);
    if (wasLent) this.#rebind(input);
  }

  /** Lets an input be read where it lies in a buffer of the app's, from the next run on. */
  lend(input: Value, place: GPUBufferBinding): void {
    this.#assertUsable();
    if (this.#parts.inputs.lend(input, place)) this.#rebind(input);
  }

  /** Lets commands of the next run write an input before its first dispatch. */
  fill(input: Value, fill: Fill): void {
    this.#assertUsable();
    const wasLent = this.#parts.inputs.lent.has(input);
    this.#parts.inputs.fill(input, fill);
    if (wasLent) this.#rebind(input);
  }

  /** Whether a buffer is memory of this program. */
  owns(buffer: GPUBuffer): boolean {
    return this.#parts.buffers.some((own) => !own.isPlanned && own.gpu === buffer);
  }

  /** Offsets in buffers that are bound are multiples of so many bytes. */
  get bindingAlignment(): number {
    return this.#engine.device.limits.minStorageBufferOffsetAlignment;
  }

  #rebind(input: Value): void {
    const { steps, inputs } = this.#parts;
    this.#engine.guarded('binding inputs', () => {
      for (const [index, { dispatch, bindGroup }] of steps.entries()) {
        if (dispatch.reads.includes(input)) this.#bindGroups[index] = bindGroup(inputs.lent);
      }
    });
  }

  /**
   * Writes one run into commands of the app's. Whatever was written to inputs is handed to the queue at once: commands that
   * are submitted later see it.
   *
   * @throws EngineError as `run`; `bad-program` where a pass is given, and commands have to write an input first
   */
  encode(target: GPUCommandEncoder | GPUComputePassEncoder): void {
    this.#assertRunnable();
    const { steps, inputs } = this.#parts;
    this.#engine.guarded('a program', () => inputs.upload());
    if ('beginComputePass' in target) {
      inputs.encodeFills(target);
      this.#encodePass(target, 0, steps.length);
      return;
    }
    inputs.assertNoFills();
    target.pushDebugGroup('palimpsest');
    this.#encodeSteps(target, 0, steps.length);
    target.popDebugGroup();
  }

  /**
   * Submits one run. It returns at once; errors are thrown at the next read or `engine.settle()`.
   *
   * @throws EngineError `disposed` where the program, the engine or a buffer that it works on was disposed
   */
  run(): void {
    this.#assertRunnable();
    const { queue } = this.#engine.device;
    let since = performance.now();
    const count = (part: keyof HostTimes): void => {
      const now = performance.now();
      this.hostTimes[part] += (now - since) / 1000;
      since = now;
    };
    this.#engine.guarded('a program', () => {
      this.#parts.inputs.upload();
      count('inputs');
      for (let from = 0; from < this.#parts.steps.length; from += this.#dispatchesASubmit) {
        const commands = this.#commands(from, from + this.#dispatchesASubmit);
        count('encode');
        queue.submit([commands]);
        count('submit');
      }
    });
    if (this.#timedRuns++ < TIMED_RUNS) this.#timeRun();
  }

  /** Commands of the steps from `from` to before `to`; those of the first begin with what fills inputs. */
  #commands(from: number, to: number): GPUCommandBuffer {
    const encoder = this.#engine.device.createCommandEncoder({ label: 'palimpsest' });
    if (from === 0) this.#parts.inputs.encodeFills(encoder);
    this.#encodePass(encoder, from, to);
    return encoder.finish();
  }

  #encodePass(
    encoder: GPUCommandEncoder,
    from: number,
    to: number,
    timestampWrites?: GPUComputePassTimestampWrites,
  ): void {
    const pass = encoder.beginComputePass({ label: 'palimpsest', ...(timestampWrites && { timestampWrites }) });
    this.#encodeSteps(pass, from, to);
    pass.end();
  }

  #encodeSteps(pass: GPUComputePassEncoder, from: number, to: number): void {
    const { steps } = this.#parts;
    for (let index = from; index < Math.min(to, steps.length); index++) {
      const { pipeline, workgroups } = steps[index] as Step;
      if (workgroups.includes(0)) continue; // it has no elements; Dawn warns of such a dispatch
      pass.setPipeline(pipeline);
      pass.setBindGroup(0, this.#bindGroups[index]);
      pass.dispatchWorkgroups(...workgroups);
    }
  }

  /**
   * One run, timed: from the begin of its first dispatch to the end of its last on the GPU's clock, or, where the engine
   * has no timestamps, until the host hears that it is done. What was submitted before is waited for.
   *
   * @returns seconds
   * @throws EngineError as `run`, and what went wrong in the run
   */
  async runTimed(): Promise<number> {
    const times = await this.#timePasses([this.#parts.steps.length]);
    return (times.at(-1)?.end ?? 0) - (times[0]?.begin ?? 0);
  }

  /**
   * One run in which every dispatch is a pass of its own, so that each can be timed: it computes the same bits, and takes
   * a little longer than `run`.
   *
   * @throws EngineError as `runTimed`
   */
  async profile(): Promise<readonly TimedDispatch[]> {
    const times = await this.#timePasses(this.#parts.steps.map(() => 1));
    return this.#parts.steps.map(({ dispatch }, index) => ({ dispatch, ...(times[index] as PassTime) }));
  }

  /** @param counts of the dispatches of each pass */
  async #timePasses(counts: readonly number[]): Promise<PassTime[]> {
    this.#assertRunnable();
    await this.#engine.settle();
    this.#assertRunnable(); // it may have been disposed meanwhile
    this.#engine.guarded('a program', () => this.#parts.inputs.upload());
    let end = 0;
    const passes = counts.map((count): PassRange => ({ from: end, to: (end += count) }));
    const times: PassTime[] = [];
    const origin = performance.now();
    for (let first = 0; first < passes.length; first += this.#engine.hasTimestamps ? MOST_PASSES : 1) {
      const begin = (performance.now() - origin) / 1000;
      if (this.#engine.hasTimestamps) {
        for (const time of await this.#submitTimed(passes.slice(first, first + MOST_PASSES))) {
          times.push({ begin: begin + time.begin, end: begin + time.end });
        }
      } else {
        const { from, to } = passes[first] as PassRange;
        this.#engine.guarded('a program', () => this.#engine.device.queue.submit([this.#commands(from, to)]));
        await this.#engine.settle();
        times.push({ begin, end: (performance.now() - origin) / 1000 });
      }
    }
    return times;
  }

  async #submitTimed(passes: readonly PassRange[]): Promise<readonly PassTime[]> {
    const engine = this.#engine;
    const timer = engine.guarded('timing a program', () => new PassTimer(engine, passes.length));
    try {
      engine.guarded('a program', () => {
        const encoder = engine.device.createCommandEncoder({ label: 'palimpsest' });
        if (passes[0]?.from === 0) this.#parts.inputs.encodeFills(encoder);
        for (const [index, { from, to }] of passes.entries()) this.#encodePass(encoder, from, to, timer.writes(index));
        timer.resolve(encoder);
        engine.device.queue.submit([encoder.finish()]);
      });
      await engine.settle();
      return await timer.read();
    } finally {
      timer.dispose();
    }
  }

  /** Times the run just submitted, what is still under way before it included, and sizes later submits by the shortest. */
  #timeRun(): void {
    const start = performance.now();
    this.#engine.device.queue.onSubmittedWorkDone().then(
      () => {
        this.#shortest = Math.min(this.#shortest, (performance.now() - start) / 1000);
        const submits = Math.max(1, Math.ceil(this.#shortest / LONGEST_SUBMIT));
        this.#dispatchesASubmit = Math.ceil(this.#parts.steps.length / submits);
      },
      () => undefined, // the device is gone; its loss is reported by itself
    );
  }

  /**
   * The buffer of an output, which holds nothing else.
   *
   * @throws EngineError `bad-program` where it has none: it is an input, or an intermediate
   */
  bufferOf(output: Value): GPUBuffer {
    this.#assertUsable();
    const slice = this.#parts.slices.get(output);
    if (slice && this.#parts.outputs.has(output) && !output.initial) return slice.buffer.gpu;
    throw new EngineError(
      'bad-program',
      `'${output.label}' has no buffer of its own.`,
      'Return what an operation makes: an input lies where it was given.',
    );
  }

  /** Reads an output of the latest run. */
  read(output: Value): Promise<ArrayBuffer> {
    this.#assertUsable();
    const slice = this.#parts.slices.get(output);
    if (!slice || !this.#parts.outputs.has(output)) {
      throw new EngineError(
        'bad-program',
        `'${output.label}' is an intermediate: its memory was reused.`,
        'Declare it with output() before compiling.',
      );
    }
    return this.#engine.read(slice);
  }

  /** Sets a state to what it held before the first run. */
  reset(state: Value): void {
    const slice = this.#parts.slices.get(state);
    if (slice && state.initial) this.#engine.write(slice, state.initial);
  }

  #assertUsable(): void {
    if (this.#disposed) throw new EngineError('disposed', 'This program was disposed.', 'Compile it again.');
  }

  #assertRunnable(): void {
    this.#assertUsable();
    for (const buffer of this.#parts.lasting) assertLive({ buffer });
  }

  /** Gives its buffers back. */
  dispose(): void {
    this.#disposed = true;
    for (const buffer of this.#parts.buffers) this.#engine.pool.release(buffer);
  }
}
