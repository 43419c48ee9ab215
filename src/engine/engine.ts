import { RandomStream } from '../data/philox';
import * as purposes from '../data/purposes';
import { requirements } from '../gpu/adapter';
import { EngineError } from '../gpu/errors';
import { GpuEngine, type EngineOptions } from '../gpu/gpuEngine';
import type { ProgramStatistics } from '../gpu/memoryPlan';
import type { Module } from '../nn/module';
import { Parameters } from '../nn/parameters';
import { Graph, type GraphOptions } from '../tensor/graph';
import type { DType, Precision, Tensor } from '../tensor/tensor';
import { CompiledProgram } from './compiledProgram';
import type { Inputs, TensorsOf } from './inputs';
import { tensorsIn } from './outputs';

/** What a program does, in terms of its inputs: it is run once, while the program is recorded. */
export type Body<I extends Inputs, O> = (inputs: TensorsOf<I>, program: Graph) => O;

/** A program that is written down: what it takes is known, nothing of it is on the GPU. */
export interface RecordedProgram<I extends Inputs, O> {
  readonly statistics: ProgramStatistics;
  /** Places it in memory, and compiles its kernels. @throws EngineError `out-of-memory`, `bad-kernel` */
  compile(): Promise<CompiledProgram<I, O>>;
}

/** What `Engine.compile` and `Engine.record` may be told beside inputs and body. */
export interface CompileOptions extends GraphOptions {
  /** Runs that may be under way on the GPU before `run` waits; 2 by default. */
  readonly runsAhead?: number;
}

/** How `Engine.init` draws the first values of parameters. */
export interface InitOptions {
  readonly seed?: number;
  readonly frozen?: boolean;
  readonly precision?: Precision;
}

/** GPU memory of an engine, in bytes: see `Engine.memory`. */
export interface EngineMemory {
  /** In use now; 0 where everything was disposed of. */
  readonly bytes: number;
  /** The most that was in use at once. */
  readonly peakBytes: number;
  /** What may be in use at once; Infinity where only the device says so. */
  readonly budget: number;
}

/** A device with everything that computing and training on it needs. Engines share nothing; several live side by side. */
export class Engine extends GpuEngine {
  /**
   * Opens a device of its own on `adapter`, with the adapter's largest limits. The engine destroys it at the end.
   *
   * @throws EngineError (a rejection) `no-adapter` where `requestAdapter` found none
   */
  static async open(adapter: GPUAdapter | null | undefined, options: EngineOptions = {}): Promise<Engine> {
    if (!adapter) {
      const what = 'Engine.open: no adapter was given: requestAdapter found none.';
      throw new EngineError('no-adapter', what, 'Look whether WebGPU is there: it needs a GPU driver, and https.');
    }
    const { timestamps = false, baseline = false } = options;
    const clock = timestamps && adapter.features.has('timestamp-query') ? ['timestamp-query' as const] : [];
    const device = await adapter.requestDevice(baseline ? {} : requirements(adapter, { requiredFeatures: clock }));
    return new Engine(device, { ...options, info: adapter.info, ownsDevice: true });
  }

  /**
   * Works on a device that an app lends: its buffers come and go, the device itself is never destroyed.
   *
   * @throws EngineError `no-adapter` where there is none
   */
  static borrow(device: GPUDevice | null | undefined, options: EngineOptions = {}): Engine {
    if (!device) {
      const fix = 'Await adapter.requestDevice(), or openDevice() of palimpsest/node.';
      throw new EngineError('no-adapter', 'Engine.borrow: no device was given.', fix);
    }
    return new Engine(device, options);
  }

  /**
   * Gives a module memory, and its parameters their first values.
   *
   * @param options.seed of the random numbers that they are drawn by; 0 by default
   * @param options.frozen nothing of it is trained
   * @param options.precision f16 keeps a copy of the weights in f16, which products of programs of that precision read
   * @returns the module itself; it keeps its memory until `release`, or the end of the engine
   * @throws EngineError `out-of-memory`, `limit-exceeded`; `bad-program` where it has memory already
   */
  init<M extends Module>(module: M, options: InitOptions = {}): M {
    const { seed = 0, ...rest } = options;
    new Parameters(this, module.constructor.name, module, rest).initialize((index) =>
      RandomStream.at(seed, purposes.init, index),
    );
    return module;
  }

  /** Gives the memory of a module back. @throws EngineError `bad-program` where it has none */
  release(module: Module): void {
    Parameters.of(module).dispose();
  }

  /** What it has in use on the GPU now: buffers and textures. */
  get memory(): EngineMemory {
    const { liveBytes: bytes, peakBytes, budget } = this.pool;
    return { bytes, peakBytes, budget };
  }

  /**
   * An engine that makes nothing: it counts memory against the budget and compiles kernels, those of this engine, so that
   * what something takes is known before it is there. Nothing that is compiled on it runs.
   */
  planning(): Engine {
    const { device, info, wait, pool } = this;
    return new Engine(device, { info, wait, budget: pool.budget, planFor: this });
  }

  /**
   * Writes a program down.
   *
   * @param inputs what the host gives before runs, by name: `{ x: f32(64, 4) }`
   * @param body what is computed of them; tensors that it returns, in whatever arrays and objects, can be read after runs
   * @throws EngineError where an operation does not fit its operands
   */
  record<const I extends Inputs, O>(inputs: I, body: Body<I, O>, options: CompileOptions = {}): RecordedProgram<I, O> {
    const graph = new Graph(this, options);
    const given = new Map<string, { tensor: Tensor<DType>; isGiven: boolean }>();
    for (const [name, input] of Object.entries(inputs)) {
      if (!input) continue;
      const { shape, dtype, initial, requiresGrad } = input;
      const tensor = graph.input(name, shape, dtype, initial, requiresGrad);
      given.set(name, { tensor, isGiven: initial !== undefined });
    }
    const tensors = Object.fromEntries([...given].map(([name, { tensor }]) => [name, tensor]));
    const result = body(tensors as TensorsOf<I>, graph); // made above, one by one, as `inputs` says
    graph.output(...tensorsIn(result));
    return {
      get statistics() {
        return graph.statistics;
      },
      compile: async () => {
        const program = await graph.compile();
        return new CompiledProgram<I, O>(this, program, given, result, options.runsAhead);
      },
    };
  }

  /** Writes a program down and makes it ready: `record`, then `compile`. @throws EngineError as both */
  async compile<const I extends Inputs, O>(
    inputs: I,
    body: Body<I, O>,
    options?: CompileOptions,
  ): Promise<CompiledProgram<I, O>> {
    return await this.record(inputs, body, options).compile();
  }
}
