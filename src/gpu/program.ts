import type { RecordedDispatch } from './dispatch';
import { assertLive, type GpuEngine } from './gpuEngine';
import { EngineError } from './errors';
import type { ProgramStatistics } from './memoryPlan';
import type { DeviceBuffer } from './pool';
import type { Slice, Value } from './storage';
import { MOST_PASSES, PassTimer, type PassTime } from './timing';

/** A dispatch made ready. */
export interface Step {
  readonly dispatch: RecordedDispatch;
  readonly pipeline: GPUComputePipeline;
  readonly bindGroup: GPUBindGroup;
  readonly workgroups: readonly [number, number, number];
}

/** What a program is made of. */
export interface ProgramParts {
  readonly steps: readonly Step[];
  /** Where values lie. */
  readonly slices: ReadonlyMap<Value, Slice>;
  readonly outputs: ReadonlySet<Value>;
  /** The inputs' memory, and what the host has written to it. */
  readonly inputs: { readonly buffer: DeviceBuffer; readonly mirror: Uint8Array };
  /** What it owns. */
  readonly buffers: readonly DeviceBuffer[];
  /** What it works on without owning it. */
  readonly lasting: ReadonlySet<DeviceBuffer>;
  readonly statistics: ProgramStatistics;
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
  private disposed = false;
  private inputsChanged = true;
  private dispatchesASubmit = CAREFUL;
  private timedRuns = 0;
  /** Seconds of the shortest run so far that was timed. */
  private shortest = Infinity;
  readonly hostTimes: HostTimes = { inputs: 0, encode: 0, submit: 0 };

  constructor(
    private readonly engine: GpuEngine,
    private readonly parts: ProgramParts,
  ) {}

  get statistics(): ProgramStatistics {
    return this.parts.statistics;
  }

  /** Sets what an input holds from the next run on. */
  write(input: Value, data: ArrayBufferView): void {
    this.assertUsable();
    const slice = this.parts.slices.get(input);
    if (slice?.buffer !== this.parts.inputs.buffer) {
      throw new EngineError('bad-program', `'${input.label}' is no input of this program.`, 'Declare it with input().');
    }
    if (Math.max(4, Math.ceil(data.byteLength / 4) * 4) !== input.size) {
      throw new EngineError(
        'bad-shape',
        `Input '${input.label}' holds ${input.size} bytes, not ${data.byteLength}.`,
        'Write all of it.',
      );
    }
    this.parts.inputs.mirror.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), slice.offset);
    this.inputsChanged = true;
  }

  /**
   * Submits one run. It returns at once; errors are thrown at the next read or `engine.settle()`.
   *
   * @throws EngineError `disposed` where the program, the engine or a buffer that it works on was disposed
   */
  run(): void {
    this.assertRunnable();
    const { queue } = this.engine.device;
    let since = performance.now();
    const count = (part: keyof HostTimes): void => {
      const now = performance.now();
      this.hostTimes[part] += (now - since) / 1000;
      since = now;
    };
    this.engine.guarded('a program', () => {
      this.writeInputs();
      count('inputs');
      for (let from = 0; from < this.parts.steps.length; from += this.dispatchesASubmit) {
        const commands = this.encode(this.parts.steps.slice(from, from + this.dispatchesASubmit));
        count('encode');
        queue.submit([commands]);
        count('submit');
      }
    });
    if (this.timedRuns++ < TIMED_RUNS) this.timeRun();
  }

  private writeInputs(): void {
    if (!this.inputsChanged) return;
    this.engine.device.queue.writeBuffer(
      this.parts.inputs.buffer.gpu,
      0,
      this.parts.inputs.mirror as Uint8Array<ArrayBuffer>,
    );
    this.inputsChanged = false;
  }

  private encode(steps: readonly Step[]): GPUCommandBuffer {
    const encoder = this.engine.device.createCommandEncoder();
    encodePass(encoder, steps);
    return encoder.finish();
  }

  /**
   * One run, timed: from the begin of its first dispatch to the end of its last on the GPU's clock, or, where the engine
   * has no timestamps, until the host hears that it is done. What was submitted before is waited for.
   *
   * @returns seconds
   * @throws EngineError as `run`, and what went wrong in the run
   */
  async runTimed(): Promise<number> {
    const times = await this.timePasses([this.parts.steps]);
    return (times.at(-1)?.end ?? 0) - (times[0]?.begin ?? 0);
  }

  /**
   * One run in which every dispatch is a pass of its own, so that each can be timed: it computes the same bits, and takes
   * a little longer than `run`.
   *
   * @throws EngineError as `runTimed`
   */
  async profile(): Promise<readonly TimedDispatch[]> {
    const times = await this.timePasses(this.parts.steps.map((step) => [step]));
    return this.parts.steps.map(({ dispatch }, index) => ({ dispatch, ...(times[index] as PassTime) }));
  }

  private async timePasses(passes: readonly (readonly Step[])[]): Promise<PassTime[]> {
    this.assertRunnable();
    await this.engine.settle();
    this.assertRunnable(); // it may have been disposed meanwhile
    this.engine.guarded('a program', () => this.writeInputs());
    const times: PassTime[] = [];
    const origin = performance.now();
    for (let from = 0; from < passes.length; from += this.engine.hasTimestamps ? MOST_PASSES : 1) {
      const begin = (performance.now() - origin) / 1000;
      if (this.engine.hasTimestamps) {
        for (const time of await this.submitTimed(passes.slice(from, from + MOST_PASSES))) {
          times.push({ begin: begin + time.begin, end: begin + time.end });
        }
      } else {
        this.engine.guarded('a program', () => this.engine.device.queue.submit([this.encode(passes[from] ?? [])]));
        await this.engine.settle();
        times.push({ begin, end: (performance.now() - origin) / 1000 });
      }
    }
    return times;
  }

  private async submitTimed(passes: readonly (readonly Step[])[]): Promise<readonly PassTime[]> {
    const { engine } = this;
    const timer = engine.guarded('timing a program', () => new PassTimer(engine, passes.length));
    try {
      engine.guarded('a program', () => {
        const encoder = engine.device.createCommandEncoder();
        for (const [index, steps] of passes.entries()) encodePass(encoder, steps, timer.writes(index));
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
  private timeRun(): void {
    const start = performance.now();
    this.engine.device.queue.onSubmittedWorkDone().then(
      () => {
        this.shortest = Math.min(this.shortest, (performance.now() - start) / 1000);
        const submits = Math.max(1, Math.ceil(this.shortest / LONGEST_SUBMIT));
        this.dispatchesASubmit = Math.ceil(this.parts.steps.length / submits);
      },
      () => undefined, // the device is gone; its loss is reported by itself
    );
  }

  /** Reads an output of the latest run. */
  read(output: Value): Promise<ArrayBuffer> {
    this.assertUsable();
    const slice = this.parts.slices.get(output);
    if (!slice || !this.parts.outputs.has(output)) {
      throw new EngineError(
        'bad-program',
        `'${output.label}' is an intermediate: its memory was reused.`,
        'Declare it with output() before compiling.',
      );
    }
    return this.engine.read(slice);
  }

  private assertUsable(): void {
    if (this.disposed) throw new EngineError('disposed', 'This program was disposed.', 'Compile it again.');
  }

  private assertRunnable(): void {
    this.assertUsable();
    for (const buffer of this.parts.lasting) assertLive({ buffer });
  }

  dispose(): void {
    this.disposed = true;
    for (const buffer of this.parts.buffers) this.engine.pool.release(buffer);
  }
}

function encodePass(
  encoder: GPUCommandEncoder,
  steps: readonly Step[],
  timestampWrites?: GPUComputePassTimestampWrites,
): void {
  const pass = encoder.beginComputePass(timestampWrites && { timestampWrites });
  for (const { pipeline, bindGroup, workgroups } of steps) {
    pass.setPipeline(pipeline);
    pass.setBindGroup(0, bindGroup);
    pass.dispatchWorkgroups(...workgroups);
  }
  pass.end();
}
