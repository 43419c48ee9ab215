import type { TensorProgram } from '../tensor/graph';
import type { Shape } from '../tensor/shape';
import { Tensor, type ArrayOf, type DType, type Float } from '../tensor/tensor';

/** What a program leaves after a run. */
export class Output<D extends DType = Float, S extends Shape = Shape> {
  constructor(
    private readonly program: TensorProgram,
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
   * @throws EngineError what went wrong in the run; `disposed`
   */
  data(): Promise<ArrayOf[D]> {
    return this.program.read(this.tensor);
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

/** All tensors of what a body returned. */
export function tensorsIn(value: unknown): Tensor<DType>[] {
  if (isTensor(value)) return [value];
  return isNested(value) ? Object.values(value).flatMap(tensorsIn) : [];
}

/** The same with outputs in the place of tensors. */
export function outputsOf<O>(value: O, program: TensorProgram): OutputsOf<O> {
  const mapped = (each: unknown): unknown => {
    if (isTensor(each)) return new Output(program, each);
    if (Array.isArray(each)) return each.map(mapped);
    return isNested(each) ? Object.fromEntries(Object.entries(each).map(([key, part]) => [key, mapped(part)])) : each;
  };
  return mapped(value) as OutputsOf<O>; // the type says what `mapped` does, element by element
}

function isTensor(value: unknown): value is Tensor<DType> {
  return value instanceof Tensor;
}

/** Arrays and plain objects; what has a class of its own is left as it is. */
function isNested(value: unknown): value is object {
  if (typeof value !== 'object' || value === null) return false;
  return Array.isArray(value) || Object.getPrototypeOf(value) === Object.prototype;
}
