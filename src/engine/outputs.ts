import { EngineError } from '../gpu/errors';
import type { Shape } from '../tensor/shape';
import { Tensor, type ArrayOf, type DType, type Float } from '../tensor/tensor';

/** Reads a tensor after the latest run. */
type Read = <D extends DType>(tensor: Tensor<D>) => Promise<ArrayOf[D]>;

/** What a program leaves after a run. */
export class Output<D extends DType = Float, S extends Shape = Shape> {
  constructor(
    private readonly read: Read,
    private readonly tensor: Tensor<D, S>,
  ) {}

  get shape(): S {
    return this.tensor.shape;
  }

  get dtype(): D {
    return this.tensor.dtype;
  }

  /** Number of elements. */
  get size(): number {
    return this.tensor.size;
  }

  /**
   * Its elements after the latest run, in row-major order.
   *
   * @throws EngineError `bad-program` before the first run, what went wrong in the run, `disposed`
   */
  data(): Promise<ArrayOf[D]> {
    return this.read(this.tensor);
  }

  /** The one number that it is. @throws EngineError as `data` */
  async item(this: Output<D, readonly []>): Promise<number> {
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
export function outputsOf<O>(value: O, read: Read): OutputsOf<O> {
  const mapped = (each: unknown): unknown => {
    if (isTensor(each)) return new Output(read, each);
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
