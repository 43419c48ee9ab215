import type { KernelChoices } from './autotune';
import { traitsOf, type DeviceTraits } from './deviceTraits';
import { inSubgroupsOf } from './subgroupSize';
import { EngineError } from './errors';
import type { ParamValues } from './expression';
import { BufferPool, type DeviceBuffer } from './pool';
import type { Kernel, SpecializedKernel } from './shader';
import { Slice } from './storage';

/** What looks at programs: see `compareKernels` of `palimpsest/debug`. */
export interface DebugTool {
  /** What it looks for, in words. */
  readonly looksFor: string;
}

/** Whether a program's numbers are looked at: for what is not finite, or for what a tool says. */
export type DebugMode = boolean | DebugTool;

/** What an engine may be told when it is opened or borrows a device. */
export interface EngineOptions {
  /** Bytes of GPU memory that may be in use at once. */
  readonly budget?: number;
  /** Forces the reference kernel wherever there is a faster one. */
  readonly plain?: boolean;
  /** Whether kernels are chosen as for a software adapter or as for a GPU; by default what the adapter is. */
  readonly software?: boolean;
  /** What the adapter says of itself, where a lent device does not carry it as `adapterInfo`. */
  readonly info?: GPUAdapterInfo;
  /** Looks at all numbers of all its programs: see `CompileOptions.debug`. It is slow. */
  readonly debug?: DebugMode;
  /** Asks the adapter for no optional feature and for no more than WebGPU's default limits. */
  readonly baseline?: boolean;
  /** Asks for GPU timestamps, where the adapter has them: for what measures, not for what trains. */
  readonly timestamps?: boolean;
  /** How to wait for a promise of WebGPU's, where the platform has a better way than to await it. */
  readonly wait?: Wait;
}

/** Where an engine comes from: whether it ends the device, and the engine that it plans for, whose kernels are its own. */
interface EngineOrigin {
  readonly ownsDevice?: boolean;
  readonly planFor?: GpuEngine;
}

/** How an engine waits for a promise of WebGPU: it gives what the promise does. */
export type Wait = <T>(promise: Promise<T>) => Promise<T>;

/** A kernel as WebGPU has compiled it. */
export interface CompiledKernel {
  readonly specialized: SpecializedKernel;
  readonly layout: GPUBindGroupLayout;
  readonly pipeline: Promise<GPUComputePipeline>;
}

/** A device with what programs need of it: the pool, the compiled kernels, the errors that WebGPU reports late. */
export class GpuEngine {
  readonly info: GPUAdapterInfo;
  readonly pool: BufferPool;
  readonly traits: DeviceTraits;
  readonly wait: Wait;
  /** Which of several kernels is taken where all give the same bits; without, the first: see `choicesOf`. */
  choices: KernelChoices | undefined;
  /** Whether memory is only counted, and nothing runs: see `Engine.planning`. */
  readonly isPlanning: boolean;
  /** What of its programs is looked at, number by number. */
  readonly debug: DebugMode;
  readonly #kernels: Map<Kernel, Map<string, CompiledKernel>>;
  readonly #errorChecks = new Set<Promise<void>>();
  readonly #ownsDevice: boolean;
  #failure: EngineError | undefined;
  #disposed = false;

  constructor(
    readonly device: GPUDevice,
    { ownsDevice = false, planFor, ...options }: EngineOptions & EngineOrigin = {},
  ) {
    const info = options.info ?? device.adapterInfo;
    this.info = info;
    this.#ownsDevice = ownsDevice;
    this.isPlanning = planFor !== undefined;
    this.debug = options.debug ?? planFor?.debug ?? false;
    this.wait = options.wait ?? ((promise) => promise);
    this.pool = new BufferPool(device, options.budget ?? Infinity, this.isPlanning);
    this.choices = planFor?.choices;
    this.#kernels = planFor ? planFor.#kernels : new Map<Kernel, Map<string, CompiledKernel>>();
    this.traits = planFor?.traits ?? traitsOf(device, info, options);
    const self = new WeakRef(this); // a device that an app keeps for long keeps no engine that it is done with
    void device.lost.then((lost) => {
      const engine = self.deref();
      if (engine) engine.#lose(lost);
    });
  }

  #lose({ message, reason }: GPUDeviceLostInfo): void {
    if (this.#disposed) return;
    this.#failure = new EngineError(
      'device-lost',
      `The GPU device was lost: ${(message || reason).trim().replace(/\.$/, '')}.`,
      'Resume from the last checkpoint; a smaller batch helps where it ran out of memory or time.',
    );
  }

  /** Whether programs are timed on the GPU's own clock, and not on the host's. */
  get hasTimestamps(): boolean {
    return this.device.features.has('timestamp-query');
  }

  /** Whether kernels may use f16. */
  get hasHalf(): boolean {
    return this.device.features.has('shader-f16');
  }

  /** Throws what failed since the last look: a lost device, a disposed engine, an error WebGPU reported late. */
  throwFailure(): void {
    if (this.#disposed) {
      throw new EngineError('disposed', 'This engine was disposed.', 'Make a new one.');
    }
    const failure = this.#failure;
    if (failure?.code !== 'device-lost') this.#failure = undefined; // a lost device stays lost
    if (failure) throw failure;
  }

  /** Runs `work` with WebGPU's errors caught; they are thrown at the next `settle()`. */
  guarded<T>(what: string, work: () => T): T {
    this.throwFailure();
    const { device } = this;
    device.pushErrorScope('out-of-memory');
    device.pushErrorScope('validation');
    try {
      return work();
    } finally {
      for (const code of ['validation', 'out-of-memory'] as const) {
        const check: Promise<void> = device.popErrorScope().then(
          (error) => {
            this.#errorChecks.delete(check);
            if (!error) return;
            this.#failure ??= new EngineError(
              code,
              `${what}: WebGPU says: ${error.message.trim()}`,
              code === 'validation'
                ? 'A buffer that was given is destroyed or of another device; else it is a defect of a kernel.'
                : 'Use a smaller batch or model.',
            );
          },
          () => void this.#errorChecks.delete(check), // the device is gone; its loss is reported by itself
        );
        this.#errorChecks.add(check);
      }
    }
  }

  /** Waits until everything submitted so far has run, whether or not it went wrong. */
  async submittedWorkDone(): Promise<void> {
    await this.wait(this.device.queue.onSubmittedWorkDone()).catch(() => undefined); // the device is gone; its loss is reported by itself
  }

  /** Waits until everything submitted so far has run, and throws what went wrong in it. */
  async settle(): Promise<void> {
    this.throwFailure();
    await this.wait(this.device.queue.onSubmittedWorkDone());
    await this.wait(Promise.all(this.#errorChecks));
    this.throwFailure();
  }

  /** Pipelines that were compiled so far. */
  get pipelineCount(): number {
    return [...this.#kernels.values()].reduce((count, variants) => count + variants.size, 0);
  }

  /** The compiled form of a kernel; each is compiled once. */
  kernel(kernel: Kernel, params: ParamValues): CompiledKernel {
    let variants = this.#kernels.get(kernel);
    if (!variants) this.#kernels.set(kernel, (variants = new Map<string, CompiledKernel>()));
    const key = JSON.stringify(Object.entries(params).sort(([a], [b]) => (a < b ? -1 : 1)));
    let compiled = variants.get(key);
    if (!compiled) {
      compiled = this.#compileKernel(kernel.name, inSubgroupsOf(this.traits.narrowLanes, kernel.specialize(params)));
      variants.set(key, compiled);
    }
    return compiled;
  }

  #compileKernel(name: string, specialized: SpecializedKernel): CompiledKernel {
    const { device } = this;
    for (const feature of specialized.features) {
      if (device.features.has(feature)) continue;
      throw new EngineError(
        'missing-feature',
        `Kernel '${name}' needs the feature '${feature}'.`,
        'Choose its reference kernel.',
      );
    }
    const storageBuffers = specialized.bindings.filter(({ access }) => access !== 'uniform').length;
    const { maxStorageBuffersPerShaderStage } = device.limits;
    if (storageBuffers > maxStorageBuffersPerShaderStage) {
      throw new EngineError(
        'limit-exceeded',
        `Kernel '${name}' binds ${storageBuffers} storage buffers; this device binds at most ${maxStorageBuffersPerShaderStage}.`,
        'Choose its reference kernel.',
      );
    }
    const types = { read: 'read-only-storage', read_write: 'storage', uniform: 'uniform' } as const;
    return this.guarded(`kernel '${name}'`, () => {
      const layout = device.createBindGroupLayout({
        label: name,
        entries: specialized.bindings.map(({ index, access }) => ({
          binding: index,
          visibility: GPUShaderStage.COMPUTE,
          buffer: { type: types[access] },
        })),
      });
      device.pushErrorScope('validation'); // what is wrong with the module is thrown with its pipeline, by line
      const module = device.createShaderModule({ label: name, code: specialized.code });
      device.popErrorScope().catch(() => undefined);
      const pipeline = device
        .createComputePipelineAsync({
          label: name,
          layout: device.createPipelineLayout({ label: name, bindGroupLayouts: [layout] }),
          compute: { module, entryPoint: 'main' },
        })
        .catch(async (error: unknown) => {
          const { messages } = await module.getCompilationInfo();
          const code = specialized.code.split('\n');
          const lines = messages
            .filter(({ type }) => type === 'error')
            .map(({ lineNum, message }) => `line ${lineNum}, '${code[lineNum - 1]?.trim() ?? ''}': ${message.trim()}`)
            .join('; ');
          throw new EngineError(
            'bad-kernel',
            `Kernel '${name}' does not compile: ${lines || String(error)}`,
            'Mend its .wgsl file.',
          );
        });
      void pipeline.catch(() => undefined); // thrown where the program that uses it is compiled
      return { specialized, layout, pipeline };
    });
  }

  /** Makes a buffer for storage that outlives programs, zeroed or holding `data`. Sizes in bytes. */
  allocate(bytes: number, label: string, data?: ArrayBufferView): DeviceBuffer {
    const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
    return this.guarded(`buffer '${label}'`, () => {
      const buffer = this.pool.allocate(bytes, usage, label);
      if (data) this.write(new Slice(buffer, 0, buffer.size), data);
      return buffer;
    });
  }

  /** Makes a buffer for what a program leaves, which an app may read, copy, or draw vertices from. Size in bytes. */
  allocateOutput(bytes: number, label: string): DeviceBuffer {
    const { STORAGE, COPY_SRC, COPY_DST, VERTEX } = GPUBufferUsage;
    return this.guarded(`buffer '${label}'`, () =>
      this.pool.allocate(bytes, STORAGE | COPY_SRC | COPY_DST | VERTEX, label),
    );
  }

  /** Writes `data` to the start of a slice, in order with submitted work. */
  write(slice: Slice, data: ArrayBufferView): void {
    assertLive(slice);
    if (data.byteLength > slice.size) {
      throw new EngineError(
        'bad-shape',
        `'${slice.label}' has room for ${slice.size} bytes, not ${data.byteLength}.`,
        "Write data of the tensor's own size.",
      );
    }
    if (slice.buffer.isPlanned) return;
    const whole = data.byteLength % 4 === 0 ? data : padToWord(data);
    this.device.queue.writeBuffer(slice.buffer.gpu, slice.offset, whole.buffer, whole.byteOffset, whole.byteLength);
  }

  /** Copies a slice to another of its size, in order with submitted work. */
  copy(from: Slice, to: Slice): void {
    for (const slice of [from, to]) assertLive(slice);
    if (from.buffer.isPlanned || to.buffer.isPlanned) return;
    this.guarded(`copy to '${to.label}'`, () => {
      const encoder = this.device.createCommandEncoder({ label: 'palimpsest' });
      encoder.copyBufferToBuffer(from.buffer.gpu, from.offset, to.buffer.gpu, to.offset, from.size);
      this.device.queue.submit([encoder.finish()]);
    });
  }

  /** Zeroes buffers, in order with submitted work. */
  clear(buffers: readonly DeviceBuffer[]): void {
    this.guarded('clearing memory', () => {
      const encoder = this.device.createCommandEncoder({ label: 'palimpsest' });
      for (const buffer of buffers) {
        assertLive({ buffer });
        encoder.clearBuffer(buffer.gpu);
      }
      this.device.queue.submit([encoder.finish()]);
    });
  }

  /** Reads a slice back, after everything submitted so far. */
  async read(slice: Slice): Promise<ArrayBuffer> {
    assertLive(slice);
    const { gpu: source } = slice.buffer; // before anything is made: it may be planned only
    const staging = this.guarded(`read of '${slice.label}'`, () => {
      const buffer = this.pool.takeStaging(slice.size);
      const encoder = this.device.createCommandEncoder({ label: 'palimpsest' });
      encoder.copyBufferToBuffer(source, slice.offset, buffer.gpu, 0, slice.size);
      this.device.queue.submit([encoder.finish()]);
      return buffer;
    });
    try {
      await this.wait(staging.gpu.mapAsync(GPUMapMode.READ, 0, slice.size));
      await this.wait(Promise.all(this.#errorChecks));
      this.throwFailure();
      const data = staging.gpu.getMappedRange(0, slice.size).slice(0);
      staging.gpu.unmap();
      this.pool.keepStaging(staging);
      return data;
    } catch (error) {
      this.pool.release(staging);
      await Promise.all(this.#errorChecks);
      this.throwFailure(); // what made the map fail says more than the failed map
      throw error;
    }
  }

  /**
   * Makes so many bytes for a moment: a device tells in no other way whether it has them.
   * @throws EngineError `out-of-memory`
   */
  async assertRoom(bytes: number): Promise<void> {
    const { maxBufferSize } = this.device.limits;
    const buffers: DeviceBuffer[] = [];
    try {
      this.guarded('memory for it', () => {
        for (let left = bytes; left > 0; left -= maxBufferSize) {
          buffers.push(
            this.pool.allocate(Math.min(left, maxBufferSize), GPUBufferUsage.STORAGE, 'memory that is tried'),
          );
        }
      });
      await this.settle();
    } finally {
      for (const buffer of buffers) this.pool.release(buffer);
    }
  }

  /** Makes ready for `count` reads of so many bytes to be under way at once: they make no buffers. */
  prepareReads(bytes: number, count: number): void {
    this.guarded('memory for reads', () => {
      const staging = Array.from({ length: count }, () => this.pool.takeStaging(bytes));
      for (const buffer of staging) this.pool.keepStaging(buffer);
    });
  }

  /** Releases every buffer and texture, and the device if it is the engine's own. */
  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    this.pool.dispose();
    if (!this.isPlanning) this.#kernels.clear();
    if (this.#ownsDevice) this.device.destroy();
  }
}

/** @throws EngineError `disposed` that names the buffer, and the operation that uses it where there is one */
export function assertLive({ buffer }: Pick<Slice, 'buffer'>, operation?: string): void {
  if (buffer.released) {
    throw new EngineError(
      'disposed',
      `${operation === undefined ? '' : `${operation}: `}'${buffer.label}' is used after it was disposed.`,
      'Keep it until its programs are done.',
    );
  }
}

function padToWord(data: ArrayBufferView): Uint8Array {
  const padded = new Uint8Array(Math.ceil(data.byteLength / 4) * 4);
  padded.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  return padded;
}
