import source from '../../shaders/optimizer.wgsl';
import { EngineError } from '../gpu/errors';
import type { GpuEngine } from '../gpu/gpuEngine';
import { workgroupRow } from '../gpu/recording';
import { kernelsOf } from '../gpu/shader';
import { Slice } from '../gpu/storage';
import type { Module } from '../nn/module';
import { Parameters, SEGMENT_BYTES, type Arena } from '../nn/parameters';
import { graphOf, type Graph } from '../tensor/graph';
import type { Parameter } from '../tensor/parameter';
import { readState, type NamedState, type StateEntry, type Stateful } from '../tensor/state';
import { createTensor, disposeTensor, readTensor, Tensor, type LastingTensor, type Scalar } from '../tensor/tensor';
import { gradientNorm } from './gradientNorm';
import type { LossScaling } from './lossScaling';
import type { Schedule } from './schedule';

const kernels = kernelsOf('optimizer', source, ['learningRateStep', 'clearGradient']);

/** How a parameter is treated. */
export interface ParameterGroup {
  /** What share of the learning rate it takes. */
  readonly scale: number;
  readonly decayed: boolean;
}

/** What every optimizer may be told. */
export interface OptimizerOptions {
  /** For `minimize`: the same at every step, or a schedule, which advances on the GPU. */
  readonly learningRate?: number | Schedule;
  /** For `minimize`: the largest norm of the whole gradient; by default it is not clipped. */
  readonly clipNorm?: number;
}

/** How parameters are decayed. */
export interface DecayOptions {
  /** By default all of the learning rate, and decay where the parameter has more than one dimension. */
  readonly group?: (parameter: Parameter) => ParameterGroup;
}

/** The state of an arena: a tensor of its size for each moment. */
export interface ArenaState<M extends string = string> {
  readonly arena: Arena;
  readonly moments: Readonly<Record<M, LastingTensor>>;
}

const SCALING = 'lossScaling';
const STEP = 'step';

/**
 * Whether the published recipes decay a parameter: not biases and other parameters of one dimension; class and mask
 * token, of three, are decayed.
 */
export function isDecayed({ shape }: Pick<Parameter, 'shape'>): boolean {
  return shape.length > 1;
}

/** How parameters are treated unless it is said otherwise. */
export function byDimensions(parameter: Parameter): ParameterGroup {
  return { scale: 1, decayed: isDecayed(parameter) };
}

/** All of a buffer of an arena. */
export function whole({ size }: Arena, buffer: Arena['values']): Tensor {
  return new Tensor([size / 4], 'f32', new Slice(buffer, 0, size));
}

/** The bindings that are there where an arena has copies in f16. */
export function halvesOf({ halves, size }: Arena): { readonly halves?: Tensor } {
  return halves ? { halves: new Tensor([size / 4], 'f16', new Slice(halves, 0, size / 2)) } : {};
}

/** Share of the learning rate, and decay, of each 64 elements of an arena: [count / 64, 2]. */
export function segmentTable(
  engine: GpuEngine,
  { members, size }: Arena,
  weightDecay: number,
  { group = byDimensions }: DecayOptions,
): LastingTensor {
  const table = new Float32Array((size / SEGMENT_BYTES) * 2);
  for (const member of members) {
    const { offset, size: bytes } = member.storage;
    const { scale, decayed } = group(member);
    const decay = decayed ? weightDecay : 0;
    for (let at = offset; at < offset + bytes; at += SEGMENT_BYTES) table.set([scale, decay], (at / SEGMENT_BYTES) * 2);
  }
  return createTensor(engine, 'optimizer segments', [size / SEGMENT_BYTES, 2], 'f32', table);
}

/** What numbers an option takes. */
interface Range {
  readonly least: number;
  /** It is below this, where there is such a bound. */
  readonly below?: number;
}

/** @throws EngineError `bad-program` for an option that is there, but no number of the range */
export function assertOption(label: string, option: string, value: unknown, { least, below = Infinity }: Range): void {
  if (value === undefined || (typeof value === 'number' && value >= least && value < below)) return;
  const given = typeof value === 'number' ? value : typeof value;
  const fix = `Give a finite number from ${least}${below === Infinity ? '' : `, below ${below}`}.`;
  throw new EngineError('bad-program', `${label}: ${option} is ${given}.`, fix);
}

/** @throws EngineError `bad-program` */
function assertLearningRate(label: string, rate: number | Schedule | undefined): void {
  if (typeof rate !== 'object') return assertOption(label, 'learningRate', rate, { least: 0 });
  for (const name of ['peak', 'minimum', 'warmupSteps', 'steps'] as const) {
    const { [name]: value = NaN } = rate; // what a schedule lacks is no number either
    assertOption(label, `learningRate.${name}`, value, { least: 0 });
  }
  const { decay = 'cosine' } = rate;
  if (decay === 'cosine' || (decay > 0 && decay <= 1)) return;
  const what = `${label}: learningRate.decay is ${String(decay)}.`;
  throw new EngineError('bad-program', what, "Give 'cosine', or a share of the steps, above 0 and up to 1.");
}

/** The uniforms of a learning rate, and which rule it follows: `learningRate` of the shader. */
export function scheduleOf(learningRate: number | Schedule): {
  readonly DECAY: number;
  readonly uniforms: Readonly<Record<'peak' | 'minimum' | 'warmup' | 'steps' | 'share', number>>;
} {
  if (typeof learningRate === 'number') {
    return { DECAY: 0, uniforms: { peak: learningRate, minimum: 0, warmup: 0, steps: 0, share: 1 } };
  }
  const { peak, minimum, warmupSteps: warmup, steps, decay = 'cosine' } = learningRate;
  const share = decay === 'cosine' ? 1 : decay;
  return { DECAY: decay === 'cosine' ? 1 : 2, uniforms: { peak, minimum, warmup, steps, share } };
}

/** What an optimizer is made of, beside its options. */
interface OptimizerParts<M extends string> {
  /** Names it in messages. */
  readonly label: string;
  /** What it keeps, a number a parameter's element each: the names under which they are saved. */
  readonly moments: readonly M[];
  /** Of the gradients; owned, and saved with the moments. */
  readonly scaling?: LossScaling | undefined;
}

/** An optimizer over a model's arenas: a dispatch an arena. Frozen parameters take no memory and are not moved. */
export abstract class Optimizer<M extends string = string> implements Stateful {
  protected readonly engine: GpuEngine;
  protected readonly parameters: Parameters;
  protected readonly states: readonly ArenaState<M>[];
  /** Steps that `minimize` did: [1]. */
  readonly step: LastingTensor<'u32'> | undefined;
  readonly scaling: LossScaling | undefined;

  readonly #parts: OptimizerParts<M>;
  readonly #common: OptimizerOptions;

  /**
   * @param model that is trained; it has memory
   * @throws EngineError `bad-program` where the model has no memory, or an option is out of its range; `out-of-memory`
   */
  protected constructor(model: Module | Parameters, parts: OptimizerParts<M>, common: OptimizerOptions) {
    this.#parts = parts;
    this.#common = common;
    assertLearningRate(parts.label, common.learningRate);
    assertOption(parts.label, 'clipNorm', common.clipNorm, { least: 0 });
    this.parameters = Parameters.of(model);
    this.scaling = parts.scaling;
    const { engine, arenas } = this.parameters;
    const { label, moments } = parts;
    this.engine = engine;
    this.step = common.learningRate === undefined ? undefined : createTensor(engine, `${label} step`, [1], 'u32');
    this.states = arenas.map((arena) => {
      const made = moments.map((name) => [name, createTensor(engine, `${label} ${name}`, [arena.size / 4], 'f32')]);
      return { arena, moments: Object.fromEntries(made) as Record<M, LastingTensor> }; // a tensor a name, just made
    });
  }

  /**
   * Appends a step that makes a loss smaller: the gradients, their clipping where that is asked for, the update. Each run of
   * the program is a step; it is counted on the GPU. To a parameter that the loss does not depend on, the gradient is 0.
   *
   * @throws EngineError `bad-program` where the loss depends on nothing that is trained, another loss of the program has given a
   *   parameter a gradient already, or the optimizer has no learning rate
   */
  minimize(loss: Scalar): void {
    const program = graphOf('minimize', loss);
    this.#assertNoGradients(program);
    program.backward(loss, this.scaling?.scale);
    if (!program.addToParameters) this.#clearUnreached(program);
    this.record(program, this.recordHyper(program), this.#recordNorm(program));
  }

  /** What another loss left would be added to. */
  #assertNoGradients(program: Graph): void {
    for (const { members } of this.parameters.arenas) {
      const taken = members.find((member) => program.hasGradient(member));
      if (!taken) continue;
      throw new EngineError(
        'bad-program',
        `minimize: another loss of this program has given '${taken.label}' a gradient already.`,
        'Minimize this loss before that one, detach what that one is made of, or add the two up.',
      );
    }
  }

  /** What programs left in the gradients that this one does not write is none of this loss. */
  #clearUnreached(program: Graph): void {
    for (const { members } of this.parameters.arenas) {
      for (const member of members) {
        if (program.hasGradient(member)) continue;
        program.dispatch({
          kernel: kernels.clearGradient,
          uniforms: { count: member.size },
          bindings: { grad: member.grad },
          workgroups: workgroupRow(Math.ceil(member.size / 64)),
        });
      }
    }
  }

  /** What clips the gradients and takes their scale off: as of `gradientNorm`. */
  #recordNorm(program: Graph): Tensor {
    const { clipNorm = 0 } = this.#common;
    const isNeeded = clipNorm > 0 || this.scaling !== undefined;
    if (!isNeeded) return program.input('no clipping', [2], 'f32', Float32Array.of(0, 1));
    return gradientNorm(program, this.parameters.arenas, clipNorm, this.scaling);
  }

  /** Appends the count of a step, and what `record` needs of it: the learning rate [1]. @throws EngineError as `minimize` */
  recordHyper(graph: Graph): Tensor {
    const { step, learningRate } = this.counted();
    const { DECAY, uniforms } = scheduleOf(learningRate);
    const rate = graph.empty('learning rate', [1]);
    graph.dispatch({
      kernel: kernels.learningRateStep,
      params: { DECAY },
      uniforms,
      bindings: { step, rate },
      workgroups: [1],
    });
    return rate;
  }

  /** @throws EngineError `bad-program` where it has no learning rate */
  protected counted(): { readonly step: LastingTensor<'u32'>; readonly learningRate: number | Schedule } {
    const { learningRate } = this.#common;
    if (learningRate !== undefined && this.step) return { step: this.step, learningRate };
    const what = `minimize: ${this.#parts.label} has no learning rate.`;
    throw new EngineError('bad-program', what, 'Give it learningRate.');
  }

  /**
   * Appends one update.
   *
   * @param hyper what `recordHyper` makes, or an input that is given before each run
   * @param norm what `gradientNorm` gives: its factor is applied to the gradients
   */
  abstract record(graph: Graph, hyper: Tensor, norm: Tensor): void;

  namedState(): NamedState {
    const tensors = new Map<string, Tensor<'f32' | 'u32'>>();
    if (this.scaling) tensors.set(SCALING, this.scaling.state as Tensor<'f32'>); // it is made of f32
    if (this.step) tensors.set(STEP, this.step);
    for (const { arena, moments } of this.states) {
      for (const moment of this.#parts.moments) {
        const { buffer } = moments[moment].storage;
        for (const { name, shape, storage } of arena.members) {
          const place = new Slice(buffer, storage.offset, storage.size);
          tensors.set(`${moment}.${name}`, new Tensor(shape, 'f32', place));
        }
      }
    }
    return { engine: this.engine, tensors };
  }

  /** Its state, to be saved; `load` sets it, and training goes on with the same bits: moments by parameter, steps done. */
  stateDict(): Promise<Map<string, StateEntry>> {
    return readState(this);
  }

  /** Its state as numbers alone: `m.NAME` and the like; the steps of `minimize`, the state of the loss scaling. */
  async read(): Promise<Map<string, Float32Array>> {
    const values = new Map<string, Float32Array>();
    for (const [name, tensor] of this.namedState().tensors) {
      values.set(name, Float32Array.from(await readTensor(this.engine, tensor)));
    }
    return values;
  }

  /**
   * Sets what `read` gave.
   *
   * @returns the name of the first that is missing or of another size, and nothing is set; undefined where all were set
   */
  write(values: ReadonlyMap<string, Float32Array>): string | undefined {
    const { tensors } = this.namedState();
    for (const [name, { size }] of tensors) if (values.get(name)?.length !== size) return name;
    for (const [name, { storage, dtype }] of tensors) {
      const data = values.get(name) ?? [];
      if (storage instanceof Slice)
        this.engine.write(storage, dtype === 'u32' ? Uint32Array.from(data) : Float32Array.from(data));
    }
    return undefined;
  }

  /** Gives back what the optimizer keeps. The parameters stay. */
  dispose(): void {
    for (const { moments } of this.states) {
      for (const tensor of Object.values<LastingTensor>(moments)) disposeTensor(this.engine, tensor);
    }
    if (this.step) disposeTensor(this.engine, this.step);
    this.scaling?.dispose();
  }
}
