import type { Engine } from '../gpu/engine';
import { EngineError } from '../gpu/errors';
import { Slice, Value, type Storage, type ValueOwner } from '../gpu/storage';
import { fromHalf, toHalf } from './half';
import { formatShape, sizeOf, type Shape } from './shape';

/**
 * u8 elements lie four to a 32-bit word, f16 two, the first in the lowest bytes. The host writes and reads f16 as f32: a
 * `Float32Array`.
 */
export type DType = 'f32' | 'f16' | 'i32' | 'u32' | 'u8';

/** In what activations, their gradients and weights are stored where products read them. Sums are f32 either way. */
export type Precision = 'f32' | 'f16';

export type TensorData = Float32Array | Int32Array | Uint32Array | Uint8Array;

const BYTES = { f32: 4, f16: 2, i32: 4, u32: 4, u8: 1 } as const;
const ARRAYS = { f32: Float32Array, i32: Int32Array, u32: Uint32Array, u8: Uint8Array } as const;

export function byteSize(shape: Shape, dtype: DType): number {
  return Math.ceil((sizeOf(shape) * BYTES[dtype]) / 4) * 4;
}

/** Elements as the GPU holds them, for the host. */
export function typedArray(dtype: DType, buffer: ArrayBuffer, size: number): TensorData {
  if (dtype === 'f16') return fromHalf(new Uint16Array(buffer, 0, size));
  return new ARRAYS[dtype](buffer, 0, size);
}

/** Elements of the host's as the GPU holds them. */
export function storedBytes(dtype: DType, data: TensorData): Uint8Array {
  const stored = dtype === 'f16' ? toHalf(data) : data;
  return new Uint8Array(stored.buffer, stored.byteOffset, stored.byteLength);
}

/**
 * A dense array in row-major order: in memory that outlives programs (`engine` tensors, parameters), or inside one
 * program. A tensor is immutable in TypeScript; its elements live on the GPU.
 */
export class Tensor {
  /** Of a lasting tensor: the recording that it is used in, where that is said. */
  protected user?: ValueOwner;

  constructor(
    readonly shape: Shape,
    readonly dtype: DType,
    /** Undefined where a subclass says where its memory is. */
    private readonly memory: Storage | undefined,
    private readonly differentiable = false,
    private readonly copy?: Tensor,
  ) {}

  get storage(): Storage {
    return this.memory as Storage;
  }

  /** Whether gradients flow through it. */
  get requiresGrad(): boolean {
    return this.differentiable;
  }

  /** The same elements in f16, for products to read. Whoever writes the one sees to the other. */
  get half(): Tensor | undefined {
    return this.copy;
  }

  /** The recording that it is part of; undefined for a lasting tensor, which belongs to none. */
  get recording(): ValueOwner | undefined {
    return this.storage instanceof Value ? this.storage.recording : this.user;
  }

  /** The same tensor, said to be used in a recording: see `Graph.use`. */
  usedIn(recording: ValueOwner): Tensor {
    return new Tensor(this.shape, this.dtype, this.storage, this.requiresGrad, this.half).usedBy(recording);
  }

  /** Itself, fresh from its constructor. */
  protected usedBy(user: ValueOwner | undefined): this {
    if (user) this.user = user;
    return this;
  }

  get size(): number {
    return sizeOf(this.shape);
  }

  get label(): string {
    return this.storage.label;
  }

  /**
   * The same elements under another shape, sharing memory and gradient.
   *
   * @throws EngineError `bad-shape` where the sizes differ
   */
  reshape(shape: Shape): Tensor {
    this.assertSameSize(shape);
    const half = this.half?.reshape(shape);
    return new Tensor(shape, this.dtype, this.storage, this.requiresGrad, half).usedBy(this.user);
  }

  protected assertSameSize(shape: Shape): void {
    if (sizeOf(shape) === this.size) return;
    throw new EngineError(
      'bad-shape',
      `'${this.label}' ${formatShape(this.shape)} can't be ${formatShape(shape)}: the sizes differ.`,
      'Keep the number of elements.',
    );
  }

  /** Cut off from the tape: no gradient flows back from here. */
  detach(): Tensor {
    return new Tensor(this.shape, this.dtype, this.storage, false, this.half).usedBy(this.user);
  }
}

/** Makes a tensor in memory that outlives programs. It lives until `disposeTensor` or `engine.dispose()`. */
export function createTensor(engine: Engine, label: string, shape: Shape, dtype: DType, data?: TensorData): Tensor {
  if (data && data.length !== sizeOf(shape)) {
    throw new EngineError(
      'bad-shape',
      `'${label}' ${formatShape(shape)} holds ${sizeOf(shape)} elements, not ${data.length}.`,
      'Give data of the same size.',
    );
  }
  const bytes = byteSize(shape, dtype);
  return new Tensor(shape, dtype, new Slice(engine.allocate(bytes, label, data && storedBytes(dtype, data)), 0, bytes));
}

export function disposeTensor(engine: Engine, tensor: Tensor): void {
  if (tensor.storage instanceof Slice) engine.pool.release(tensor.storage.buffer);
}

/**
 * Reads a tensor's elements. One that lives in memory of its own is copied out; one that is part of a recording is
 * computed for this one time, by a short program of all that it depends on.
 */
export async function readTensor(engine: Engine, tensor: Tensor): Promise<TensorData> {
  const { storage } = tensor;
  const bytes = await (storage instanceof Value ? storage.recording.evaluate(storage) : engine.read(storage));
  return typedArray(tensor.dtype, bytes, tensor.size);
}
