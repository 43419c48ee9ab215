import source from '../../shaders/philox/step.wgsl';
import { assertLive, type DebugMode, type GpuEngine } from '../gpu/gpuEngine';
import { EngineError } from '../gpu/errors';
import type { Program } from '../gpu/program';
import { Recording } from '../gpu/recording';
import { kernelsOf } from '../gpu/shader';
import { overlap, Slice, Value, type Storage } from '../gpu/storage';
import { Debugging, ProgramDebugger, type ByTraits, type DebugTarget } from './debugging';
import { TensorProgram } from './tensorProgram';
import type { Recorder, TensorDispatch } from './recorder';
import { assertShape, formatShape, type Shape } from './shape';
import { arrayOf, byteSize, storedBytes, Tensor, type DType, type HostData, type Precision } from './tensor';
import { Tape, type Backward } from './tape';

const kernels = kernelsOf('philox/step', source, ['philoxStep']);

/** @throws EngineError `bad-program` unless an option is a whole number from 0 to a largest one */
function wholeNumber(option: string, value: number, largest: number): number {
  if (Number.isInteger(value) && value >= 0 && value <= largest) return value;
  throw new EngineError('bad-program', `${option} is ${value}.`, `Give a whole number from 0 to ${largest}.`);
}

/** The recording of a graph, by which tensors find it. */
class GraphRecording extends Recording {
  constructor(readonly graph: Graph) {
    super(graph.engine);
  }

  override compileFor(output: Value): Promise<Program> {
    this.graph.settle();
    return super.compileFor(output);
  }
}

/** Dispatches that are put off. */
export interface Deferred {
  /** What they read and write: nothing else is appended that does so before them. */
  readonly touched: readonly Tensor[];
  /** Appends them. */
  readonly record: () => void;
}

/**
 * The program that operands belong to. Inputs, and what is computed from them, belong to one; parameters and other lasting
 * tensors to none.
 *
 * @param operation names the operation in messages
 * @throws EngineError `bad-program` where operands belong to two programs, or none to any; `disposed`
 */
export function graphOf(operation: string, ...operands: readonly (Tensor<DType> | undefined)[]): Graph {
  let first: Tensor<DType> | undefined;
  for (const operand of operands) {
    if (operand !== undefined && !(operand instanceof Tensor)) throw noTensor(operation, operand);
    if (operand?.storage instanceof Slice) assertLive(operand.storage, operation);
    if (!operand?.recording) continue;
    first ??= operand;
    if (operand.recording === first.recording) continue;
    throw new EngineError(
      'bad-program',
      `${operation}: '${first.label}' and '${operand.label}' belong to two programs.`,
      'Record an operation on tensors of one; what one program computes reaches another as an input.',
    );
  }
  const { recording } = first ?? {};
  if (recording instanceof GraphRecording) return recording.graph;
  if (!operands.some(Boolean)) throw noTensor(operation, undefined);
  throw new EngineError(
    'bad-program',
    `${operation}: none of its operands belongs to a program.`,
    'Say which program it is for: give it program.use(tensor).',
  );
}

/** For callers whose types are not checked: what was given where a tensor belongs. */
function noTensor(operation: string, given: unknown): EngineError {
  const shown =
    typeof given === 'object' && given !== null ? `an object { ${Object.keys(given).join(', ')} }` : String(given);
  const fix = 'Give a tensor; options come after all operands, with undefined for an operand that is left out.';
  return new EngineError('bad-program', `${operation}: an operand is ${shown}, no tensor.`, fix);
}

/** How a recording computes. */
export interface GraphOptions {
  /** In what products and attention compute; f32 by default. */
  readonly precision?: Precision;
  /**
   * Whether the program trains: what only training does, such as dropout, is left out where it does not. By default it does;
   * then a program that has such an operation must also go back.
   */
  readonly training?: boolean;
  /** Whether gradients of parameters are added to what the `grad` of each holds before a run. */
  readonly addToParameters?: boolean;
  /**
   * Looks at every number as soon as it is written: `run` then throws at the first that is not finite. It is slow. With
   * `compareKernels()` of `palimpsest/debug`, also at the first that differs from what reference kernels make; slower.
   */
  readonly debug?: DebugMode;
  /** Of what is drawn at random, such as dropout: an integer from 0 to 2⁵³ − 1; 0 by default. */
  readonly seed?: number;
  /** The step that the first run draws for, counted from 0: a training that goes on after n runs gives n. */
  readonly firstStep?: number;
}

/** Where the random numbers of one draw lie: see docs/randomness.md. */
export interface Draw {
  /** The low and the high 32 bits of the seed. */
  readonly key: readonly [number, number];
  /** Which draw of the program it is. */
  readonly index: number;
  /** Shape [1]: the step that a run draws for; each run takes the next. */
  readonly step: Tensor<'u32'>;
}

/** A program being written in terms of tensors: operations append dispatches to it, and to its tape what goes back. */
export class Graph implements Recorder {
  readonly #recording: Recording;
  readonly #tape: Tape;
  readonly #constants = new Map<string, Tensor<DType, readonly []>>();
  readonly #debugging: Debugging | undefined;
  #deferred: Deferred | undefined;
  #isCompiled = false;
  readonly #seed: number;
  readonly #firstStep: number;
  #drawStep: Tensor<'u32'> | undefined;
  #draws = 0;
  /** As it was said, where it was. */
  readonly #training: boolean | undefined;
  /** What only training does, and was recorded where nothing was said. */
  #trainingOnly: string | undefined;
  #hasGoneBack = false;

  /** The type of what products and attention read and write, but for what they add to the residual stream. */
  readonly precision: Precision;
  /** Whether gradients of parameters are added to what the `grad` of each holds before a run. */
  readonly addToParameters: boolean;

  constructor(
    readonly engine: GpuEngine,
    {
      precision = 'f32',
      training,
      addToParameters = false,
      debug = engine.debug,
      seed = 0,
      firstStep = 0,
    }: GraphOptions = {},
  ) {
    this.precision = precision;
    this.#training = training;
    this.addToParameters = addToParameters;
    this.#seed = wholeNumber('seed', seed, Number.MAX_SAFE_INTEGER);
    this.#firstStep = wholeNumber('firstStep', firstStep, 2 ** 32 - 1);
    this.#recording = new GraphRecording(this);
    if (debug) {
      const append = (dispatch: TensorDispatch): void => this.#append(dispatch);
      const target: DebugTarget = { recording: this.#recording, traits: engine.traits, append };
      this.#debugging = debug instanceof ProgramDebugger ? debug.begin(target) : new Debugging(target);
    }
    this.#tape = new Tape(this, addToParameters);
  }

  /** Whether the program trains: what only training does, such as dropout, asks. @param operation names it in messages */
  trains(operation: string): boolean {
    if (this.#training === undefined) this.#trainingOnly ??= operation;
    return this.#training ?? true;
  }

  /** A lasting tensor as an operand of this program, for operations on lasting tensors alone. */
  use<D extends DType, S extends Shape>(tensor: Tensor<D, S>): Tensor<D, S> {
    return tensor.usedIn(this.#recording);
  }

  /** What a product reads of an operand: its copy in f16, where the graph computes so and there is one. */
  operand(tensor: Tensor): Tensor {
    return (this.precision === 'f16' && tensor.half) || tensor;
  }

  /** A tensor that dispatches of this graph will write. */
  empty<const S extends Shape>(label: string, shape: S): Tensor<'f32', S>;
  empty<const S extends Shape, D extends DType>(
    label: string,
    shape: S,
    dtype: D,
    requiresGrad?: boolean,
  ): Tensor<D, S>;
  empty(label: string, shape: Shape, dtype: DType = 'f32', requiresGrad = false): Tensor<DType> {
    assertShape(label, shape);
    return new Tensor(shape, dtype, this.#recording.value(byteSize(shape, dtype), label), requiresGrad);
  }

  /** A tensor that the host writes between runs; `data` is what it holds until then. */
  input<const S extends Shape>(label: string, shape: S): Tensor<'f32', S>;
  input<const S extends Shape, D extends DType>(
    label: string,
    shape: S,
    dtype: D,
    data?: HostData,
    requiresGrad?: boolean,
  ): Tensor<D, S>;
  input(label: string, shape: Shape, dtype: DType = 'f32', data?: HostData, requiresGrad = false): Tensor<DType> {
    assertShape(label, shape);
    const bytes = byteSize(shape, dtype);
    const initial = data && storedBytes(label, shape, dtype, data).slice(); // whoever gave it may change it
    const input = new Tensor(shape, dtype, this.#recording.input(bytes, label, initial), requiresGrad);
    this.#debugging?.look(input, 'an input');
    return input;
  }

  /** A number as a tensor, made once for all that use it. */
  constant<D extends 'f32' | 'i32' | 'u32'>(value: number, dtype: D): Tensor<D, readonly []>;
  constant(value: number, dtype: DType): Tensor<DType, readonly []>;
  constant(value: number, dtype: DType): Tensor<DType, readonly []> {
    const key = `${Object.is(value, -0) ? '-0' : value} ${dtype}`;
    const known = this.#constants.get(key) ?? this.input(key, [], dtype, arrayOf(dtype, [value]));
    this.#constants.set(key, known);
    return known;
  }

  /** Appends a kernel. */
  dispatch(dispatch: TensorDispatch): void {
    if (this.#isCompiled) {
      const fix = 'Record all of a program before it is compiled.';
      throw new EngineError('bad-program', `Kernel '${dispatch.kernel.name}': its program is compiled already.`, fix);
    }
    if (this.#deferred && touches(dispatch, this.#deferred)) this.settle();
    if (this.#debugging) this.#debugging.dispatch(dispatch);
    else this.#append(dispatch);
  }

  /**
   * Puts dispatches off until another touches what they touch, or the program is made: in the place of those that were put
   * off before, which are a part of them. Where the program is debugged, they are appended at once.
   */
  defer(deferred: Deferred): void {
    if (this.#debugging) deferred.record();
    else this.#deferred = deferred;
  }

  /** Appends what was put off. */
  settle(): void {
    const deferred = this.#deferred;
    this.#deferred = undefined;
    deferred?.record();
  }

  /**
   * Appends what `record` appends, which may choose kernels by the traits of the device. Where the program is debugged, it is
   * called again with those of the reference kernels, and what both write is compared: it only dispatches.
   *
   * @param operation names it in messages
   */
  byTraits(operation: string, record: ByTraits): void {
    if (this.#debugging) this.#debugging.byTraits(operation, record);
    else record(this.engine.traits);
  }

  #append(dispatch: TensorDispatch): void {
    const { kernel, params = {} } = dispatch;
    const { bindings: declared } = this.engine.kernel(kernel, params).specialized;
    const bindings: Record<string, Storage> = {};
    for (const [name, tensor] of Object.entries(dispatch.bindings)) {
      assertElement(kernel.name, name, declared.find((binding) => binding.name === name)?.element, tensor);
      bindings[name] = tensor.storage;
    }
    this.#recording.dispatch({ ...dispatch, bindings });
  }

  /** Puts on the tape how gradients of `outputs` become gradients of what they were made from. */
  record(name: string, outputs: readonly Tensor[], backward: Backward): void {
    if (outputs.some((output) => output.requiresGrad)) this.#tape.record({ name, outputs, backward });
  }

  /**
   * Saves memory for work (Chen et al. 2016): of all that `make` makes, only the tensor that it returns is kept; on the
   * way back the rest is computed again, by the same kernels from the same values, so with the same bits. Gradients reach
   * whatever it works on. Checkpoints may lie in one another.
   *
   * @param make is called once now and once in `backward`, and must record the same both times
   * @throws EngineError `bad-program` in `backward`, where something outside depends on what was made inside
   */
  checkpoint(name: string, make: () => Tensor): Tensor {
    const first = this.#draws;
    let isAgain = false;
    return this.#tape.checkpoint(name, () => {
      const after = this.#draws;
      if (isAgain) this.#draws = first; // what is made again is made of the same numbers
      try {
        return make();
      } finally {
        if (isAgain) this.#draws = after;
        isAgain = true;
      }
    });
  }

  /** The place of random numbers that nothing else of this program draws; each run draws others. */
  draw(): Draw {
    this.#drawStep ??= this.#takeStep();
    return { key: [this.#seed >>> 0, Math.floor(this.#seed / 2 ** 32)], index: this.#draws++, step: this.#drawStep };
  }

  /** Appends the count of a run. */
  #takeStep(): Tensor<'u32'> {
    const initial = Uint32Array.of(this.#firstStep);
    const counter = new Tensor([1], 'u32', this.#recording.state('run counter', new Uint8Array(initial.buffer)));
    const step = this.empty('step', [1], 'u32');
    this.dispatch({ kernel: kernels.philoxStep, bindings: { counter, step }, workgroups: [1] });
    return step;
  }

  /**
   * Appends the dispatches of the gradients of `loss`. Parameters receive theirs in their `grad`.
   *
   * @param gradient of what comes after, with respect to `loss`; one where `loss` is a scalar
   * @throws EngineError `bad-program` where `loss` depends on nothing that takes gradients
   */
  backward(loss: Tensor, gradient?: Tensor): void {
    this.#tape.run(loss, gradient ?? this.#one(loss));
    this.#hasGoneBack = true;
  }

  #one(loss: Tensor): Tensor {
    if (loss.size !== 1) {
      throw new EngineError(
        'bad-program',
        `backward: '${loss.label}' ${formatShape(loss.shape)} is not a scalar.`,
        'Reduce it to one element, or give the gradient with respect to it.',
      );
    }
    return this.input('one', loss.shape, 'f32', Float32Array.of(1));
  }

  /** The gradient that `backward` found for an input of this graph, or a parameter. */
  gradientOf(tensor: Tensor): Tensor {
    return this.#tape.gradientOf(tensor);
  }

  /** Whether `backward` found a gradient for a tensor. */
  hasGradient(tensor: Tensor): boolean {
    return this.#tape.hasGradient(tensor);
  }

  /** Declares tensors that are read after runs. */
  output(...tensors: readonly Tensor<DType>[]): void {
    for (const { storage } of tensors) if (storage instanceof Value) this.#recording.output(storage);
  }

  /** What a program of this graph takes, known before it is compiled. */
  get statistics(): Program['statistics'] {
    this.settle();
    return this.#recording.statistics;
  }

  /**
   * Ends the recording, and makes the program of it.
   *
   * @throws EngineError (a rejection) `bad-program` where it has what only training does, but neither goes back nor says that it trains
   */
  async compile(): Promise<TensorProgram> {
    if (this.#trainingOnly !== undefined && !this.#hasGoneBack) {
      throw new EngineError(
        'bad-program',
        `${this.#trainingOnly}: this program has no backward, and does not say whether it trains.`,
        'Compile it with { training: false } to use a model, or with { training: true }.',
      );
    }
    this.settle();
    this.#isCompiled = true;
    return new TensorProgram(this.engine, await this.#recording.compile(), this.#debugging);
  }
}

function touches({ bindings }: TensorDispatch, { touched }: Deferred): boolean {
  return Object.values(bindings).some((bound) => touched.some(({ storage }) => overlap(storage, bound.storage)));
}

/** A kernel that binds u32 may look at the bits of anything. */
function assertElement(
  kernel: string,
  binding: string,
  element: string | undefined,
  { label, dtype }: Tensor<DType>,
): void {
  if (element === dtype || element === 'u32' || !/^(f32|f16|i32)$/.test(element ?? '')) return;
  throw new EngineError(
    'bad-dispatch',
    `Kernel '${kernel}': '${binding}' is made of ${element ?? ''}, but '${label}' holds ${dtype}.`,
    dtype === 'f16'
      ? 'This operation computes in f32: give it a tensor of f32.'
      : `Give it a tensor of ${element ?? ''}.`,
  );
}
