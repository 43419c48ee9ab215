import type { GpuEngine } from '../gpu/gpuEngine';
import { EngineError } from '../gpu/errors';
import { mebibytes, type DeviceBuffer } from '../gpu/pool';
import { Slice } from '../gpu/storage';
import { addInPlace } from '../tensor/accumulate';
import { Graph } from '../tensor/graph';
import type { Parameter, ParameterOwner } from '../tensor/parameter';
import { formatShape, type Shape } from '../tensor/shape';
import { byteSize, Tensor, type Precision } from '../tensor/tensor';
import type { RandomSource } from './initializers';
import { ModuleBuffer, type Module, type NamedParameter } from './module';

/**
 * Every tensor of an arena starts at a multiple of this many bytes: what a binding's offset must be a multiple of. Where there
 * are copies in f16, of twice as many, so that the copies do as well.
 */
export const SEGMENT_BYTES = 256;

/** Flat memory of trained parameters, their gradients and, at the same places, whatever an optimizer keeps. */
export interface Arena {
  readonly values: DeviceBuffer;
  readonly gradients: DeviceBuffer;
  /** The values in f16, element for element, for products to read: the optimizer writes them with the values. */
  readonly halves?: DeviceBuffer;
  /** In bytes; a multiple of 256. */
  readonly size: number;
  readonly members: readonly Parameter[];
}

/** Of the modules that have memory. */
const allocated = new WeakMap<Module, Parameters>();

/**
 * A model's parameters by name. Trained ones lie in flat arenas no larger than a binding may be, so that the optimizer
 * takes each arena in one dispatch; a frozen model has no gradients.
 */
export class Parameters implements ParameterOwner {
  readonly arenas: readonly Arena[];
  readonly #named: readonly NamedParameter[];
  readonly #byName: ReadonlyMap<string, NamedParameter>;
  readonly #buffers: DeviceBuffer[] = [];
  /** Values that the host may write, each with its copy in f16. */
  readonly #copied: { readonly values: Tensor; readonly halves: Tensor }[] = [];
  readonly #alignment: number;
  #halvesAreOld = false;
  #isDisposed = false;

  readonly #module: Module;
  readonly #options: { readonly frozen?: boolean; readonly precision?: Precision };

  /**
   * @param label names the model in messages
   * @param module whose parameters they are: they have memory from here on, until `dispose`
   * @param options.frozen nothing is trained
   * @param options.precision f16 keeps a copy of the weights in f16, which products of graphs of that precision read
   * @throws EngineError `out-of-memory`, `limit-exceeded`; `bad-program` where the module has memory already
   */
  constructor(
    readonly engine: GpuEngine,
    readonly label: string,
    module: Module,
    options: { readonly frozen?: boolean; readonly precision?: Precision } = {},
  ) {
    this.#module = module;
    this.#options = options;
    this.#alignment = options.precision === 'f16' ? 2 * SEGMENT_BYTES : SEGMENT_BYTES;
    this.#named = [...module.namedParameters(), ...module.namedBuffers()];
    this.#byName = new Map(this.#named.map((one) => [one.name, one]));
    const taken = this.#named.find(({ parameter }) => parameter.hasMemory);
    if (taken) {
      const what = `Parameter '${taken.name}' has memory already.`;
      throw new EngineError(
        'bad-program',
        what,
        'Make a model of its own for each allocation, or dispose of the first.',
      );
    }
    // A parameter of several modules is one: it goes by its first name, and has memory once.
    const seen = new Set<Parameter>();
    const own = this.#named.filter(({ parameter }) => !seen.has(parameter) && seen.add(parameter));
    const isTrained = ({ parameter }: NamedParameter): boolean => parameter.trained && !options.frozen;
    const trained = own.filter(isTrained);
    const plain = own.filter((one) => !isTrained(one));
    this.arenas = this.#chunks(trained).map((chunk) => this.#makeArena(chunk));
    // Apart, since programs write to buffers, and a dispatch may not read what lies in memory that it writes.
    const isBuffer = ({ parameter }: NamedParameter): boolean => parameter instanceof ModuleBuffer;
    const constant = this.#chunks(plain.filter((one) => !isBuffer(one)));
    for (const chunk of [...constant, ...this.#chunks(plain.filter(isBuffer))]) {
      const size = this.#chunkBytes(chunk);
      const buffer = this.#allocate(size, label);
      const halves = options.frozen ? this.#copyOf(buffer, size) : undefined;
      this.#eachPlace(chunk, ({ name, parameter }, offset) => {
        const { shape } = parameter;
        const half = halfAt(halves, shape, offset);
        const values = new Slice(buffer, offset, byteSize(shape, 'f32'));
        parameter.bind(name, { owner: this, values, ...(half ? { half } : {}) });
      });
    }
    allocated.set(module, this);
  }

  /** Those of a module that has memory. @throws EngineError `bad-program` where it has none */
  static of(model: Module | Parameters): Parameters {
    if (model instanceof Parameters) return model;
    const parameters = allocated.get(model);
    if (parameters) return parameters;
    throw new EngineError('bad-program', 'The model has no memory yet.', 'Give it to engine.init first.');
  }

  #chunks(parameters: readonly NamedParameter[]): NamedParameter[][] {
    const limit = this.engine.device.limits.maxStorageBufferBindingSize;
    const chunks: NamedParameter[][] = [];
    let room = 0;
    for (const one of parameters) {
      const bytes = this.#segmentBytes(one);
      if (bytes > limit) {
        throw new EngineError(
          'limit-exceeded',
          `Parameter '${one.name}' ${formatShape(one.parameter.shape)} takes ${mebibytes(bytes)}; this device binds ${mebibytes(limit)}.`,
          'Use a narrower model.',
        );
      }
      if (bytes > room) {
        chunks.push([]);
        room = limit;
      }
      chunks.at(-1)?.push(one);
      room -= bytes;
    }
    return chunks;
  }

  #allocate(bytes: number, what: string): DeviceBuffer {
    try {
      const buffer = this.engine.allocate(bytes, `${this.label} ${what}`);
      this.#buffers.push(buffer);
      return buffer;
    } catch (error) {
      this.dispose(); // the constructor fails: nobody else can let go of what it has so far
      throw error;
    }
  }

  #makeArena(parameters: readonly NamedParameter[]): Arena {
    const size = this.#chunkBytes(parameters);
    const values = this.#allocate(size, 'parameters');
    const gradients = this.#allocate(size, 'gradients');
    const halves = this.#copyOf(values, size);
    const members: Parameter[] = [];
    this.#eachPlace(parameters, ({ name, parameter }, offset) => {
      const { shape } = parameter;
      const bytes = byteSize(shape, 'f32');
      const gradient = new Tensor(shape, 'f32', new Slice(gradients, offset, bytes, `d ${name}`));
      const half = halfAt(halves, shape, offset);
      const place = new Slice(values, offset, bytes);
      parameter.bind(name, { owner: this, values: place, gradient, ...(half ? { half } : {}) });
      members.push(parameter);
    });
    return { values, gradients, ...(halves ? { halves } : {}), size, members };
  }

  /** Memory for the values of a buffer in f16, where there is to be any. */
  #copyOf(values: DeviceBuffer, size: number): DeviceBuffer | undefined {
    if (this.#options.precision !== 'f16') return undefined;
    const halves = this.#allocate(size / 2, 'weights in f16');
    const whole = (buffer: DeviceBuffer, dtype: Precision): Tensor =>
      new Tensor([size / 4], dtype, new Slice(buffer, 0, byteSize([size / 4], dtype)));
    this.#copied.push({ values: whole(values, 'f32'), halves: whole(halves, 'f16') });
    return halves;
  }

  /** Brings the copies in f16 up to date with what the host wrote, by the rounding of the GPU that the optimizer uses as well. */
  async updateHalves(): Promise<void> {
    if (!this.#halvesAreOld || this.#copied.length === 0) return;
    const graph = new Graph(this.engine);
    for (const { values, halves } of this.#copied) addInPlace(graph, halves, values, false);
    const program = await graph.compile();
    program.run();
    program.dispose();
    this.#halvesAreOld = false;
  }

  /** Is told that the host wrote to what a parameter holds, past `write`. */
  async written(): Promise<void> {
    this.#halvesAreOld = true;
    await this.updateHalves();
  }

  /** Every name with its tensor, in the order of the model; buffers come last. */
  get entries(): readonly (readonly [name: string, parameter: Parameter])[] {
    return this.#named.map(({ name, parameter }) => [name, parameter]);
  }

  /** @throws EngineError `bad-program` where the model has no such parameter */
  get(name: string): Parameter {
    const one = this.#byName.get(name);
    if (!one) throw new EngineError('bad-program', `${this.label} has no parameter '${name}'.`, 'Name one of its own.');
    return one.parameter;
  }

  /** Sets a parameter's elements. */
  write(name: string, data: Float32Array): void {
    const tensor = this.get(name);
    if (data.length !== tensor.size) {
      throw new EngineError(
        'bad-shape',
        `Parameter '${name}' ${formatShape(tensor.shape)} holds ${tensor.size} elements, not ${data.length}.`,
        'Give as many as its shape has.',
      );
    }
    this.engine.write(tensor.storage, data);
    this.#halvesAreOld = true;
  }

  /** Draws every parameter anew, each from a source of its own. */
  initialize(source: (index: number) => RandomSource): void {
    for (const [index, { name, parameter }] of this.#named.entries()) {
      this.write(name, parameter.initialize(parameter.shape, source(index)));
    }
  }

  /** Reads every parameter, by name. */
  async read(): Promise<Map<string, Float32Array>> {
    const values = new Map<string, Float32Array>();
    for (const [name, { storage }] of this.entries) {
      values.set(name, new Float32Array(await this.engine.read(storage)));
    }
    return values;
  }

  /** Gives the memory back; the module may be given other memory. */
  dispose(): void {
    if (this.#isDisposed) return;
    this.#isDisposed = true;
    allocated.delete(this.#module);
    for (const { name, parameter } of this.#named) parameter.bind(name, undefined);
    for (const buffer of this.#buffers) this.engine.pool.release(buffer);
  }

  #segmentBytes({ parameter }: NamedParameter): number {
    return Math.ceil((parameter.size * 4) / this.#alignment) * this.#alignment;
  }

  #chunkBytes(parameters: readonly NamedParameter[]): number {
    return parameters.reduce((bytes, one) => bytes + this.#segmentBytes(one), 0);
  }

  #eachPlace(parameters: readonly NamedParameter[], visit: (one: NamedParameter, offset: number) => void): void {
    let offset = 0;
    for (const one of parameters) {
      visit(one, offset);
      offset += this.#segmentBytes(one);
    }
  }
}

/** The copy of a tensor whose values lie at `offset` of their buffer. */
function halfAt(halves: DeviceBuffer | undefined, shape: Shape, offset: number): Tensor<'f16'> | undefined {
  return halves && new Tensor(shape, 'f16', new Slice(halves, offset / 2, byteSize(shape, 'f16')));
}
