import { EngineError } from '../gpu/errors';
import type { GpuEngine } from '../gpu/gpuEngine';
import type { ProgramStatistics } from '../gpu/memoryPlan';
import type { HostTimes, TimedDispatch } from '../gpu/program';
import type { TensorProgram } from '../tensor/graph';
import { assertHolds, type DType, type Tensor, type TensorData } from '../tensor/tensor';
import type { Inputs, ValuesOf } from './inputs';
import { outputsOf, type OutputsOf } from './outputs';

/** Runs that may be under way on the GPU: one that it works on, one that waits. */
const MAX_UNDER_WAY = 2;
/** Runs that are waited for one by one at first, so that a program learns how long one takes, and sizes its submits. */
const SINGLE_RUNS = 3;

/** A program that is ready to run: see `Engine.compile`. */
export class CompiledProgram<I extends Inputs = Inputs, O = unknown> {
  private readonly underWay: Promise<void>[] = [];
  private runs = 0;
  /** Inputs that nobody gave a value yet. */
  private readonly missing: Set<string>;

  /** What the body returned, to be read after a run. */
  readonly outputs: OutputsOf<O>;

  /** @param result what the body returned */
  constructor(
    private readonly engine: GpuEngine,
    private readonly program: TensorProgram,
    private readonly inputs: ReadonlyMap<string, { readonly tensor: Tensor<DType>; readonly isGiven: boolean }>,
    result: O,
  ) {
    this.outputs = outputsOf(result, async (tensor) => {
      if (this.runs > 0) return await this.program.read(tensor);
      throw new EngineError('bad-program', `'${tensor.label}': the program did not run yet.`, 'Run it first.');
    });
    this.missing = new Set([...inputs].filter(([, { isGiven }]) => !isGiven).map(([name]) => name));
  }

  get statistics(): ProgramStatistics {
    return this.program.statistics;
  }

  /** Seconds that the host spent in all runs so far. */
  get hostTimes(): Readonly<HostTimes> {
    return this.program.hostTimes;
  }

  /**
   * Submits one run, at once; reading an output then waits for it.
   *
   * @param values as of `write`
   * @returns when another run may be submitted: at most two are under way, if it is waited for; the first three runs are
   *   waited for to their end, which tells how long one takes, and what is wrong with it
   * @throws EngineError (a rejection) as `write`, `bad-program` where an input was never given, `disposed`
   */
  async run(values: ValuesOf<I> = {}): Promise<void> {
    this.prepare(values);
    this.program.run();
    if (this.runs++ < SINGLE_RUNS) return await this.engine.settle();
    this.underWay.push(this.engine.submittedWorkDone());
    while (this.underWay.length > MAX_UNDER_WAY) await this.underWay.shift();
    this.engine.throwFailure();
  }

  /** One run, timed. @returns seconds: see `Program.runTimed` @throws EngineError as `run`, and what went wrong in it */
  async runTimed(values: ValuesOf<I> = {}): Promise<number> {
    this.prepare(values);
    this.runs++;
    return await this.program.runTimed();
  }

  /** One run in which each dispatch is timed by itself: see `Program.profile`. @throws EngineError as `runTimed` */
  async profile(values: ValuesOf<I> = {}): Promise<readonly TimedDispatch[]> {
    this.prepare(values);
    this.runs++;
    return await this.program.profile();
  }

  /**
   * Sets what inputs hold from the next run on.
   *
   * @param values elements in row-major order; inputs that are left out hold what they held
   * @throws EngineError `bad-program` where an input is unknown, `bad-shape` where it has other elements
   */
  write(values: ValuesOf<I>): void {
    const given: { readonly tensor: Tensor<DType>; readonly data: TensorData; readonly name: string }[] = [];
    for (const [name, data] of Object.entries<TensorData | undefined>(values)) {
      if (data === undefined) continue;
      const input = this.inputs.get(name);
      if (!input) {
        const known = [...this.inputs.keys()].join(', ') || 'none';
        throw new EngineError('bad-program', `This program has no input '${name}'.`, `Its inputs: ${known}.`);
      }
      const { label, shape, dtype } = input.tensor;
      assertHolds(label, shape, dtype, data); // all are right, or none is written
      given.push({ name, tensor: input.tensor, data });
    }
    for (const { name, tensor, data } of given) {
      this.program.write(tensor, data);
      this.missing.delete(name);
    }
  }

  /** Writes what a run is given. @throws EngineError as `write`, `bad-program` where an input was never given */
  private prepare(values: ValuesOf<I>): void {
    this.write(values);
    const [missing] = this.missing;
    if (missing === undefined) return;
    throw new EngineError('bad-program', `Input '${missing}' was never given.`, 'Give it to run, with the first run.');
  }

  /** Frees its memory; lasting tensors that it works on stay. Twice is harmless. */
  dispose(): void {
    this.program.dispose();
  }
}
