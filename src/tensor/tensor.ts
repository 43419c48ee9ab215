import type { GpuEngine } from '../gpu/gpuEngine';
import { EngineError } from '../gpu/errors';
import { Slice, Value, type Storage, type ValueOwner } from '../gpu/storage';
import { fromHalf, toHalf } from './half';
import { assertShape, formatShape, sizeOf, type Shape } from './shape';
import { isStridedArray, packInto, type StridedArray } from './stridedArray';

/**
 * u8 elements lie four to a 32-bit word, f16 two, the first in the lowest bytes. The host writes and reads f16 as f32: a
 * `Float32Array`.
 */
export type DType = 'f32' | 'f16' | 'i32' | 'u32' | 'u8';

/** In what activations, their gradients and weights are stored where products read them. Sums are f32 either way. */
export type Precision = 'f32' | 'f16';

/** The types of what can be trained: what operations take unless they say otherwise. */
export type Float = 'f32' | 'f16';

/** The host's array of the elements of each type. */
export interface ArrayOf {
  f32: Float32Array;
  f16: Float32Array;
  i32: Int32Array;
  u32: Uint32Array;
  u8: Uint8Array;
}

/** Elements as the host gives them. */
export type TensorData = Float32Array | Int32Array | Uint32Array | Uint8Array;

/** The same, or elements with strides, such as an ndarray. */
export type HostData = TensorData | StridedArray;

const BYTES = { f32: 4, f16: 2, i32: 4, u32: 4, u8: 1 } as const;
const VIEWS: { readonly [D in DType]: (buffer: ArrayBuffer, size: number) => ArrayOf[D] } = {
  f32: (buffer, size) => new Float32Array(buffer, 0, size),
  f16: (buffer, size) => fromHalf(new Uint16Array(buffer, 0, size)),
  i32: (buffer, size) => new Int32Array(buffer, 0, size),
  u32: (buffer, size) => new Uint32Array(buffer, 0, size),
  u8: (buffer, size) => new Uint8Array(buffer, 0, size),
};

/** What a tensor takes in memory: whole words; of no elements, what a binding of four numbers at once needs at least. */
export function byteSize(shape: Shape, dtype: DType): number {
  return Math.ceil((sizeOf(shape) * BYTES[dtype]) / 4) * 4 || 16;
}

/** Elements as the GPU holds them, for the host. */
export function typedArray<D extends DType>(dtype: D, buffer: ArrayBuffer, size: number): ArrayOf[D] {
  return VIEWS[dtype](buffer, size);
}

/** What the host gives for each type. */
const ARRAYS = { f32: Float32Array, f16: Float32Array, i32: Int32Array, u32: Uint32Array, u8: Uint8Array } as const;

/** Numbers in the host's array of a type. */
export function arrayOf(dtype: DType, values: readonly number[]): TensorData {
  return ARRAYS[dtype].from(values);
}

/**
 * Elements of the host's in row-major order, as an array of the tensor's type.
 *
 * @param data such an array, which is returned itself; or a strided one of the same shape, whose data is such an array, or of
 *   float64, or a plain one where the tensor holds floating-point numbers
 * @throws EngineError `bad-shape` that names the tensor, where elements are of another number, shape or type
 */
export function denseArray(label: string, shape: Shape, dtype: DType, data: HostData): TensorData {
  const wanted = ARRAYS[dtype];
  const fail = (what: string, fix: string): never => {
    throw new EngineError('bad-shape', `'${label}' ${what}.`, fix);
  };
  const fits = (array: ArrayLike<number>): boolean =>
    array instanceof wanted ||
    (dtype === 'u8' && array instanceof Uint8ClampedArray) ||
    (wanted === Float32Array && (array instanceof Float64Array || Array.isArray(array)));
  if (isStridedArray(data)) {
    if (!fits(data.data)) {
      fail(`holds ${dtype}, which an ndarray of ${className(data.data)} does not`, `Make it of a ${wanted.name}.`);
    }
    if (formatShape(data.shape) !== formatShape(shape)) {
      fail(`has shape ${formatShape(shape)}, the ndarray ${formatShape(data.shape)}`, 'Give one of the same shape.');
    }
    return packInto(data, new wanted(sizeOf(shape)));
  }
  if (!(data instanceof wanted)) {
    fail(`holds ${dtype}, which a ${className(data)} is not`, `Give it a ${wanted.name}.`);
  }
  if (data.length !== sizeOf(shape)) {
    fail(`${formatShape(shape)} holds ${sizeOf(shape)} elements, not ${data.length}`, 'Give data of the same size.');
  }
  return data;
}

function className(value: unknown): string {
  return Object.prototype.toString.call(value).slice(8, -1);
}

/** Elements of the host's as the GPU holds them. @throws EngineError as `denseArray` */
export function storedBytes(label: string, shape: Shape, dtype: DType, data: HostData): Uint8Array {
  const dense = denseArray(label, shape, dtype, data);
  if (dense.length === 0) return new Uint8Array(byteSize(shape, dtype));
  const stored = dtype === 'f16' ? toHalf(dense) : dense;
  return new Uint8Array(stored.buffer, stored.byteOffset, stored.byteLength);
}

/**
 * A dense array in row-major order: in memory that outlives programs (`engine` tensors, parameters), or inside one
 * program. A tensor is immutable in TypeScript; its elements live on the GPU.
 */
export class Tensor<D extends DType = Float, S extends Shape = Shape> {
  /** Of a lasting tensor: the recording that it is used in, where that is said. */
  protected user?: ValueOwner;

  readonly #memory: Storage | undefined;
  readonly #differentiable: boolean;
  readonly #copy: Tensor<'f16'> | undefined;

  constructor(
    readonly shape: S,
    readonly dtype: D,
    /** Undefined where a subclass says where its memory is. */
    memory: Storage | undefined,
    differentiable = false,
    copy?: Tensor<'f16'>,
  ) {
    this.#memory = memory;
    this.#differentiable = differentiable;
    this.#copy = copy;
  }

  get storage(): Storage {
    return this.#memory as Storage;
  }

  /** Whether gradients flow through it. */
  get requiresGrad(): boolean {
    return this.#differentiable;
  }

  /** The same elements in f16, for products to read. Whoever writes the one sees to the other. */
  get half(): Tensor<'f16'> | undefined {
    return this.#copy;
  }

  /** The recording that it is part of; undefined for a lasting tensor, which belongs to none. */
  get recording(): ValueOwner | undefined {
    return this.storage instanceof Value ? this.storage.recording : this.user;
  }

  /** The same tensor, said to be used in a recording: see `Graph.use`. */
  usedIn(recording: ValueOwner): Tensor<D, S> {
    return new Tensor<D, S>(this.shape, this.dtype, this.storage, this.requiresGrad, this.half).usedBy(recording);
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
  reshape<const T extends Shape>(shape: T): Tensor<D, T> {
    this.assertSameSize(shape);
    const half = this.half?.reshape(shape);
    return new Tensor<D, T>(shape, this.dtype, this.storage, this.requiresGrad, half).usedBy(this.user);
  }

  /** Refuses another number of elements. @throws EngineError `bad-shape` */
  protected assertSameSize(shape: Shape): void {
    assertShape(this.label, shape);
    if (sizeOf(shape) === this.size) return;
    throw new EngineError(
      'bad-shape',
      `'${this.label}' ${formatShape(this.shape)} can't be ${formatShape(shape)}: the sizes differ.`,
      'Keep the number of elements.',
    );
  }

  /** Cut off from the tape: no gradient flows back from here. */
  detach(): Tensor<D, S> {
    return new Tensor<D, S>(this.shape, this.dtype, this.storage, false, this.half).usedBy(this.user);
  }
}

/** Whether gradients flow through a tensor: then it is of a floating-point type. */
export function takesGradients(tensor: Tensor<DType>): tensor is Tensor {
  return tensor.requiresGrad;
}

/** A tensor in memory of its own, which outlives programs. */
export class LastingTensor<D extends DType = Float, S extends Shape = Shape> extends Tensor<D, S> {
  readonly #slice: Slice;

  constructor(shape: S, dtype: D, slice: Slice) {
    super(shape, dtype, slice);
    this.#slice = slice;
  }

  override get storage(): Slice {
    return this.#slice;
  }
}

/** A number on the GPU. */
export type Scalar<D extends DType = Float> = Tensor<D, readonly []>;

/** Makes a tensor in memory that outlives programs. It lives until `disposeTensor` or `engine.dispose()`. */
export function createTensor<D extends DType, const S extends Shape>(
  engine: GpuEngine,
  label: string,
  shape: S,
  dtype: D,
  data?: HostData,
): LastingTensor<D, S> {
  assertShape(label, shape);
  const bytes = byteSize(shape, dtype);
  const buffer = engine.allocate(bytes, label, data && storedBytes(label, shape, dtype, data));
  return new LastingTensor<D, S>(shape, dtype, new Slice(buffer, 0, bytes));
}

/** Gives the memory of a tensor of `createTensor` back. The tensor is not used after. */
export function disposeTensor(engine: GpuEngine, { storage }: LastingTensor<DType>): void {
  engine.pool.release(storage.buffer);
}

/**
 * Reads a tensor's elements. One that lives in memory of its own is copied out; one that is part of a recording is
 * computed for this one time, by a short program of all that it depends on.
 */
export async function readTensor<D extends DType>(engine: GpuEngine, tensor: Tensor<D>): Promise<ArrayOf[D]> {
  const { storage } = tensor;
  const bytes = await (storage instanceof Value ? storage.recording.evaluate(storage) : engine.read(storage));
  return typedArray(tensor.dtype, bytes, tensor.size);
}
