import { EngineError } from '../gpu/errors';
import type { Shape } from '../tensor/shape';
import { Tensor, type ArrayOf, type DType, type Float } from '../tensor/tensor';

/** Where outputs come from: a program. */
export interface OutputSource {
  /** Reads a tensor after the latest run. */
  read<D extends DType>(tensor: Tensor<D>): Promise<ArrayOf[D]>;
  /** The buffer of a tensor's own. */
  bufferOf(tensor: Tensor<DType>): GPUBuffer;
  /** Draws a tensor over all of a texture. */
  draw(tensor: Tensor<DType>, texture: GPUTexture, encoder?: GPUCommandEncoder): void;
}

/** What a program leaves after a run. */
export class Output<D extends DType = Float, S extends Shape = Shape> {
  readonly #source: OutputSource;
  readonly #tensor: Tensor<D, S>;

  constructor(source: OutputSource, tensor: Tensor<D, S>) {
    this.#source = source;
    this.#tensor = tensor;
  }

  get shape(): S {
    return this.#tensor.shape;
  }

  get dtype(): D {
    return this.#tensor.dtype;
  }

  /** Number of elements. */
  get size(): number {
    return this.#tensor.size;
  }

  /**
   * Its elements after the latest run, in row-major order.
   *
   * @throws EngineError `bad-program` before the first run, what went wrong in the run, `disposed`
   */
  data(): Promise<ArrayOf[D]> {
    return this.#source.read(this.#tensor);
  }

  /**
   * Its memory on the GPU, which holds nothing else: elements in row-major order. Usage: STORAGE, VERTEX, COPY_SRC, COPY_DST.
   * It stays the same until the program is disposed of.
   *
   * @throws EngineError `bad-program` where it is an input or a lasting tensor, `disposed`
   */
  get buffer(): GPUBuffer {
    return this.#source.bufferOf(this.#tensor);
  }

  /**
   * Draws it over all of a texture, or of a canvas's current one: f32 [C, H, W] with C = 1 (grey), 3 or 4, values from 0 to 1
   * in a `unorm` format. An element covers as many pixels as it takes.
   *
   * @param texture with usage RENDER_ATTACHMENT, of any format that can be drawn into as floats
   * @param encoder commands of the app's; without it, they are submitted at once
   * @throws EngineError `bad-shape` where it is no picture, `bad-program` where the texture can't be drawn into, or as `buffer`
   */
  drawInto(texture: GPUTexture, encoder?: GPUCommandEncoder): void {
    this.#source.draw(this.#tensor, texture, encoder);
  }

  /** The one number that it is. @throws EngineError `bad-shape` where it has several, and as `data` */
  async item(this: Output<D, readonly []>): Promise<number> {
    if (this.size !== 1) {
      throw new EngineError('bad-shape', `item: '${this.#tensor.label}' has ${this.size} elements.`, 'Read its data.');
    }
    const [value] = await this.data();
    return value as number;
  }
}

/** What a program's body returned, with outputs in the place of tensors: in arrays and objects, as deep as they lie. */
export type OutputsOf<O> =
  O extends Tensor<infer D, infer S>
    ? Output<D, S>
    : O extends Tensor<DType> | undefined
      ? OutputsOf<NonNullable<O>> | undefined
      : O extends object
        ? { readonly [K in keyof O]: OutputsOf<O[K]> }
        : O;

/**
 * All tensors of what a body returned.
 *
 * @throws EngineError `bad-program` where it holds what has a class of its own, such as a promise, or itself
 */
export function tensorsIn(value: unknown, around: readonly unknown[] = []): Tensor<DType>[] {
  if (isTensor(value)) return [value];
  if (!isNested(value)) return [];
  if (around.includes(value)) throw notReturnable('an object that holds itself');
  return Object.values(value).flatMap((part) => tensorsIn(part, [...around, value]));
}

/** The same with outputs in the place of tensors. */
export function outputsOf<O>(value: O, source: OutputSource): OutputsOf<O> {
  const mapped = (each: unknown): unknown => {
    if (isTensor(each)) return new Output(source, each);
    if (Array.isArray(each)) return each.map(mapped);
    return isNested(each) ? Object.fromEntries(Object.entries(each).map(([key, part]) => [key, mapped(part)])) : each;
  };
  return mapped(value) as OutputsOf<O>; // the type says what `mapped` does, element by element
}

function isTensor(value: unknown): value is Tensor<DType> {
  return value instanceof Tensor;
}

/** Whether it is an array or a plain object. @throws EngineError `bad-program` for objects of another class */
function isNested(value: unknown): value is object {
  if (typeof value !== 'object' || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  if (Array.isArray(value) || prototype === Object.prototype) return true;
  throw notReturnable(`a ${Object.prototype.toString.call(value).slice(8, -1)}`);
}

function notReturnable(what: string): EngineError {
  const fix = 'Return tensors, numbers and texts in arrays and plain objects.';
  return new EngineError('bad-program', `The body of a program returned ${what}.`, fix);
}
