import type { Engine } from '../gpu/engine';
import { EngineError } from '../gpu/errors';
import { mebibytes, type DeviceBuffer } from '../gpu/pool';
import { Slice } from '../gpu/storage';
import { Parameter } from '../tensor/parameter';
import { formatShape, sizeOf, type Shape } from '../tensor/shape';
import { byteSize, Tensor } from '../tensor/tensor';
import type { Initializer, RandomSource } from './initializers';

/** A parameter before it has memory. */
export interface ParameterSpec {
  /** As published checkpoints name it. */
  readonly name: string;
  readonly shape: Shape;
  readonly initialize: Initializer;
  /** Fixed tables are part of a checkpoint, but take no gradient. */
  readonly fixed?: boolean;
}

/** Every tensor of an arena starts at a multiple of this many bytes: what a binding's offset must be a multiple of. */
export const SEGMENT_BYTES = 256;

/** Flat memory of trained parameters, their gradients and, at the same places, whatever an optimizer keeps. */
export interface Arena {
  readonly values: DeviceBuffer;
  readonly gradients: DeviceBuffer;
  /** In bytes; a multiple of 256. */
  readonly size: number;
  readonly members: readonly Parameter[];
}

/**
 * A model's parameters by name. Trained ones lie in flat arenas no larger than a binding may be, so that the optimizer
 * takes each arena in one dispatch; a frozen model has no gradients.
 */
export class Parameters {
  readonly arenas: readonly Arena[];
  private readonly tensors = new Map<string, Tensor>();
  private readonly buffers: DeviceBuffer[] = [];

  /**
   * @param label names the model in messages
   * @throws EngineError `out-of-memory`, `limit-exceeded`
   */
  constructor(
    private readonly engine: Engine,
    readonly label: string,
    private readonly specs: readonly ParameterSpec[],
    options: { readonly frozen?: boolean } = {},
  ) {
    const trained = options.frozen ? [] : specs.filter(({ fixed }) => !fixed);
    const plain = options.frozen ? specs : specs.filter(({ fixed }) => fixed);
    this.arenas = this.chunks(trained).map((chunk) => this.makeArena(chunk));
    for (const chunk of this.chunks(plain)) {
      const buffer = this.allocate(chunkBytes(chunk), label);
      eachPlace(chunk, ({ name, shape }, offset) => {
        this.tensors.set(name, new Tensor(shape, 'f32', new Slice(buffer, offset, byteSize(shape, 'f32'))));
      });
    }
  }

  private chunks(specs: readonly ParameterSpec[]): ParameterSpec[][] {
    const limit = this.engine.device.limits.maxStorageBufferBindingSize;
    const chunks: ParameterSpec[][] = [];
    let room = 0;
    for (const spec of specs) {
      const bytes = segmentBytes(spec);
      if (bytes > limit) {
        throw new EngineError(
          'limit-exceeded',
          `Parameter '${spec.name}' ${formatShape(spec.shape)} takes ${mebibytes(bytes)}; this device binds ${mebibytes(limit)}.`,
          'Use a narrower model.',
        );
      }
      if (bytes > room) {
        chunks.push([]);
        room = limit;
      }
      chunks.at(-1)?.push(spec);
      room -= bytes;
    }
    return chunks;
  }

  private allocate(bytes: number, what: string): DeviceBuffer {
    const buffer = this.engine.allocate(bytes, `${this.label} ${what}`);
    this.buffers.push(buffer);
    return buffer;
  }

  private makeArena(specs: readonly ParameterSpec[]): Arena {
    const size = chunkBytes(specs);
    const values = this.allocate(size, 'parameters');
    const gradients = this.allocate(size, 'gradients');
    const members: Parameter[] = [];
    eachPlace(specs, ({ name, shape }, offset) => {
      const bytes = byteSize(shape, 'f32');
      const gradient = new Tensor(shape, 'f32', new Slice(gradients, offset, bytes));
      const parameter = new Parameter(name, shape, new Slice(values, offset, bytes), gradient);
      this.tensors.set(name, parameter);
      members.push(parameter);
    });
    return { values, gradients, size, members };
  }

  /** Every name with its tensor, in the order of the model. */
  get entries(): readonly (readonly [name: string, tensor: Tensor])[] {
    return this.specs.map(({ name }) => [name, this.get(name)]);
  }

  /** @throws EngineError `bad-program` where the model has no such parameter */
  get(name: string): Tensor {
    const tensor = this.tensors.get(name);
    if (!tensor) throw new EngineError('bad-program', `${this.label} has no parameter '${name}'.`, 'Name one of its own.');
    return tensor;
  }

  /** Sets a parameter's elements. */
  write(name: string, data: Float32Array): void {
    const tensor = this.get(name);
    if (data.length !== tensor.size) {
      throw new EngineError(
        'bad-shape',
        `Parameter '${name}' ${formatShape(tensor.shape)} holds ${tensor.size} elements, not ${data.length}.`,
        'Use a checkpoint of a model of this size.',
      );
    }
    this.engine.write(tensor.storage as Slice, data);
  }

  /** Draws every parameter anew, each from a source of its own. */
  initialize(source: (index: number) => RandomSource): void {
    for (const [index, { name, shape, initialize }] of this.specs.entries()) {
      this.write(name, initialize(shape, source(index)));
    }
  }

  /** Reads every parameter, by name. */
  async read(): Promise<Map<string, Float32Array>> {
    const values = new Map<string, Float32Array>();
    for (const [name, { storage }] of this.entries) {
      values.set(name, new Float32Array(await this.engine.read(storage as Slice)));
    }
    return values;
  }

  dispose(): void {
    for (const buffer of this.buffers) this.engine.pool.release(buffer);
  }
}

function segmentBytes({ shape }: ParameterSpec): number {
  return Math.ceil((sizeOf(shape) * 4) / SEGMENT_BYTES) * SEGMENT_BYTES;
}

function chunkBytes(specs: readonly ParameterSpec[]): number {
  return specs.reduce((bytes, spec) => bytes + segmentBytes(spec), 0);
}

function eachPlace(specs: readonly ParameterSpec[], visit: (spec: ParameterSpec, offset: number) => void): void {
  let offset = 0;
  for (const spec of specs) {
    visit(spec, offset);
    offset += segmentBytes(spec);
  }
}
