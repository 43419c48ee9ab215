import { assertLive, type Engine } from './engine';
import { EngineError } from './errors';
import { placeValues, type Lifetime, type Placement } from './placement';
import type { DeviceBuffer } from './pool';
import type { RecordedDispatch, Recording } from './recording';
import type { UniformField } from './shader';
import { MOST_PASSES, PassTimer, type PassTime } from './timing';
import type { Value } from './storage';
import { overlap, Slice, type Storage } from './storage';

interface Step {
  readonly dispatch: RecordedDispatch;
  readonly pipeline: GPUComputePipeline;
  readonly bindGroup: GPUBindGroup;
  readonly workgroups: readonly [number, number, number];
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

export interface ProgramStatistics {
  readonly dispatches: number;
  /** Bytes of the arenas that hold intermediate values. */
  readonly arenaBytes: number;
  /** Bytes of the largest set of values alive at once: `arenaBytes` can't be less. */
  readonly largestLiveSet: number;
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
    private readonly engine: Engine,
    private readonly steps: readonly Step[],
    private readonly slices: ReadonlyMap<Value, Slice>,
    private readonly outputs: ReadonlySet<Value>,
    private readonly inputs: { readonly buffer: DeviceBuffer; readonly mirror: Uint8Array },
    private readonly buffers: readonly DeviceBuffer[],
    private readonly lasting: ReadonlySet<DeviceBuffer>,
    readonly statistics: ProgramStatistics,
  ) {}

  /** Sets what an input holds from the next run on. */
  write(input: Value, data: ArrayBufferView): void {
    const slice = this.slices.get(input);
    if (slice?.buffer !== this.inputs.buffer) {
      throw new EngineError('bad-program', `'${input.label}' is no input of this program.`, 'Declare it with input().');
    }
    if (Math.ceil(data.byteLength / 4) * 4 !== input.size) {
      throw new EngineError(
        'bad-shape',
        `Input '${input.label}' holds ${input.size} bytes, not ${data.byteLength}.`,
        'Write all of it.',
      );
    }
    this.inputs.mirror.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), slice.offset);
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
      for (let from = 0; from < this.steps.length; from += this.dispatchesASubmit) {
        const commands = this.encode(this.steps.slice(from, from + this.dispatchesASubmit));
        count('encode');
        queue.submit([commands]);
        count('submit');
      }
    });
    if (this.timedRuns++ < TIMED_RUNS) this.timeRun();
  }

  private writeInputs(): void {
    if (!this.inputsChanged) return;
    this.engine.device.queue.writeBuffer(this.inputs.buffer.gpu, 0, this.inputs.mirror as Uint8Array<ArrayBuffer>);
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
    const times = await this.timePasses([this.steps]);
    return (times.at(-1)?.end ?? 0) - (times[0]?.begin ?? 0);
  }

  /**
   * One run in which every dispatch is a pass of its own, so that each can be timed: it computes the same bits, and takes
   * a little longer than `run`.
   *
   * @throws EngineError as `runTimed`
   */
  async profile(): Promise<readonly TimedDispatch[]> {
    const times = await this.timePasses(this.steps.map((step) => [step]));
    return this.steps.map(({ dispatch }, index) => ({ dispatch, ...(times[index] as PassTime) }));
  }

  private async timePasses(passes: readonly (readonly Step[])[]): Promise<PassTime[]> {
    this.assertRunnable();
    await this.engine.settle();
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
        this.dispatchesASubmit = Math.ceil(this.steps.length / submits);
      },
      () => undefined, // the device is gone; its loss is reported by itself
    );
  }

  /** Reads an output of the latest run. */
  read(output: Value): Promise<ArrayBuffer> {
    this.assertUsable();
    const slice = this.slices.get(output);
    if (!slice || !this.outputs.has(output)) {
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
    for (const buffer of this.lasting) assertLive({ buffer });
  }

  dispose(): void {
    this.disposed = true;
    for (const buffer of this.buffers) this.engine.pool.release(buffer);
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

/** Drops what no output depends on, nor, where `effects` are wanted, memory that outlives the program. */
function neededDispatches(
  dispatches: readonly RecordedDispatch[],
  outputs: ReadonlySet<Value>,
  effects: boolean,
): RecordedDispatch[] {
  const needed = new Set<Storage>(outputs);
  const isNeeded = (storage: Storage): boolean =>
    storage instanceof Slice ? effects || [...needed].some((other) => overlap(other, storage)) : needed.has(storage);
  const kept: RecordedDispatch[] = [];
  for (const dispatch of [...dispatches].reverse()) {
    if (!dispatch.writes.some(isNeeded)) continue;
    for (const storage of [...dispatch.reads, ...dispatch.writes]) needed.add(storage);
    kept.push(dispatch);
  }
  return kept.reverse();
}

function lifetimes(
  dispatches: readonly RecordedDispatch[],
  outputs: ReadonlySet<Value>,
): { values: Value[]; spans: Lifetime[] } {
  const values: Value[] = [];
  const spans: { size: number; first: number; last: number; conflicts: Set<number> }[] = [];
  const indices = new Map<Value, number>();
  const touch = (storage: Storage, time: number): number | undefined => {
    if (storage instanceof Slice || storage.initial) return undefined;
    let index = indices.get(storage);
    if (index === undefined) {
      index = values.push(storage) - 1;
      indices.set(storage, index);
      spans.push({ size: storage.size, first: time, last: time, conflicts: new Set() });
    }
    const span = spans[index];
    if (span) span.last = outputs.has(storage) ? dispatches.length : time;
    return index;
  };
  for (const [time, { reads, writes }] of dispatches.entries()) {
    const read = reads.map((storage) => touch(storage, time));
    const written = writes.map((storage) => touch(storage, time));
    for (const a of read) {
      for (const b of written) {
        if (a === undefined || b === undefined) continue;
        spans[a]?.conflicts.add(b);
        spans[b]?.conflicts.add(a);
      }
    }
  }
  return { values, spans };
}

/** Lays data out one behind another at aligned offsets. */
class Packing {
  size = 0;
  constructor(private readonly alignment: number) {}

  add(bytes: number): number {
    const offset = this.size;
    this.size += Math.ceil(bytes / this.alignment) * this.alignment;
    return offset;
  }
}

function packUniforms(fields: readonly UniformField[], values: Readonly<Record<string, number>>): Uint8Array {
  const view = new DataView(new ArrayBuffer(Math.ceil(fields.length / 4) * 16));
  for (const [index, { name, type }] of fields.entries()) {
    const value = values[name] ?? 0;
    if (type === 'f32') view.setFloat32(index * 4, value, true);
    else if (type === 'i32') view.setInt32(index * 4, value, true);
    else view.setUint32(index * 4, value, true);
  }
  return new Uint8Array(view.buffer);
}

interface MemoryPlan {
  readonly dispatches: readonly RecordedDispatch[];
  readonly values: readonly Value[];
  readonly alignment: number;
  readonly placement: Placement;
  readonly statistics: ProgramStatistics;
}

/** What a program keeps of a recording, and where its values lie. */
export function planMemory(
  { device: { limits } }: Engine,
  recording: Recording,
  outputs: ReadonlySet<Value>,
  effects: boolean,
): MemoryPlan {
  const dispatches = neededDispatches(recording.dispatches, outputs, effects);
  const { values, spans } = lifetimes(dispatches, outputs);
  const alignment = Math.max(limits.minStorageBufferOffsetAlignment, 256);
  const placement = placeValues(spans, alignment, limits.maxBufferSize);
  const { arenaSizes, largestLiveSet } = placement;
  const arenaBytes = arenaSizes.reduce((sum, size) => sum + size, 0);
  return {
    dispatches,
    values,
    alignment,
    placement,
    statistics: { dispatches: dispatches.length, arenaBytes, largestLiveSet },
  };
}

/**
 * @param options.effects false leaves out what only writes memory that outlives the program
 * @throws EngineError where memory is short or a kernel does not compile
 */
export async function compileProgram(
  engine: Engine,
  recording: Recording,
  outputs: ReadonlySet<Value>,
  { effects = true }: { readonly effects?: boolean } = {},
): Promise<Program> {
  const { device } = engine;
  const { dispatches, values, alignment, placement, statistics } = planMemory(engine, recording, outputs, effects);
  const inputPacking = new Packing(alignment);
  const inputOffsets = recording.inputs.map((input) => inputPacking.add(input.size));
  const uniformPacking = new Packing(device.limits.minUniformBufferOffsetAlignment);
  const uniformOffsets = new Map<string, number>();
  const uniformBlocks: { offset: number; data: Uint8Array }[] = [];
  const compiled = dispatches.map((dispatch) => {
    const kernel = engine.kernel(dispatch.kernel, dispatch.params);
    const { uniforms } = kernel.specialized;
    if (uniforms.length === 0) return { dispatch, kernel };
    const data = packUniforms(uniforms, dispatch.uniforms ?? {});
    const key = String(data);
    let offset = uniformOffsets.get(key);
    if (offset === undefined) {
      offset = uniformPacking.add(data.byteLength);
      uniformOffsets.set(key, offset);
      uniformBlocks.push({ offset, data });
    }
    return { dispatch, kernel, uniform: { offset, size: data.byteLength } };
  });
  const pipelines = await Promise.all(compiled.map(({ kernel }) => kernel.pipeline));

  const buffers: DeviceBuffer[] = [];
  try {
    return engine.guarded('compiling a program', () => {
      const arenas = placement.arenaSizes.map((size, index) => engine.allocate(size, `arena ${index}`));
      buffers.push(...arenas);
      const inputBuffer = engine.allocate(inputPacking.size, 'program inputs');
      buffers.push(inputBuffer);
      const uniformBuffer = engine.pool.allocate(
        uniformPacking.size,
        GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST,
        'program uniforms',
      );
      buffers.push(uniformBuffer);
      for (const { offset, data } of uniformBlocks) {
        device.queue.writeBuffer(uniformBuffer.gpu, offset, data as Uint8Array<ArrayBuffer>);
      }

      const slices = placeSlices(values, placement, arenas);
      const mirror = new Uint8Array(inputPacking.size);
      for (const [index, input] of recording.inputs.entries()) {
        const offset = inputOffsets[index] ?? 0;
        slices.set(input, new Slice(inputBuffer, offset, input.size));
        mirror.set(input.initial ?? [], offset);
      }
      const resource = (storage: Storage): GPUBufferBinding => {
        const slice = storage instanceof Slice ? storage : (slices.get(storage) as Slice);
        return { buffer: slice.buffer.gpu, offset: slice.offset, size: slice.size };
      };
      const steps = compiled.map(({ dispatch, kernel, uniform }, index): Step => {
        const [x, y = 1, z = 1] = dispatch.workgroups;
        const entries = kernel.specialized.bindings.map(({ index: binding, name, access }) => ({
          binding,
          resource:
            access === 'uniform'
              ? { buffer: uniformBuffer.gpu, offset: uniform?.offset ?? 0, size: uniform?.size ?? 16 }
              : resource(dispatch.bindings[name] as Storage),
        }));
        return {
          dispatch,
          pipeline: pipelines[index] as GPUComputePipeline,
          bindGroup: device.createBindGroup({ label: dispatch.kernel.name, layout: kernel.layout, entries }),
          workgroups: [x, y, z],
        };
      });
      return new Program(
        engine,
        steps,
        slices,
        outputs,
        { buffer: inputBuffer, mirror },
        buffers,
        lastingBuffers(dispatches),
        statistics,
      );
    });
  } catch (error) {
    for (const buffer of buffers) engine.pool.release(buffer);
    throw error;
  }
}

/** The buffers that a program works on without owning them. */
function lastingBuffers(dispatches: readonly RecordedDispatch[]): Set<DeviceBuffer> {
  const storages = dispatches.flatMap(({ reads, writes }) => [...reads, ...writes]);
  return new Set(storages.filter((storage) => storage instanceof Slice).map(({ buffer }) => buffer));
}

function placeSlices(
  values: readonly Value[],
  placement: Placement,
  arenas: readonly DeviceBuffer[],
): Map<Value, Slice> {
  const slices = new Map<Value, Slice>();
  for (const [index, value] of values.entries()) {
    const place = placement.places[index];
    const arena = arenas[place?.arena ?? 0];
    if (place && arena) slices.set(value, new Slice(arena, place.offset, value.size));
  }
  return slices;
}
