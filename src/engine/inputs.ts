import type { Shape } from '../tensor/shape';
import type { ArrayOf, DType, Tensor } from '../tensor/tensor';

/** An input of a program: what the host may give it before each run. */
export interface Input<D extends DType = DType, S extends Shape = Shape> {
  readonly dtype: D;
  readonly shape: S;
  /** What it holds until it is given; without it, the first run must give it. */
  readonly initial?: ArrayOf[D];
  /** Whether gradients flow back to it. */
  readonly requiresGrad?: boolean;
}

/** Inputs by name; one that is undefined is not there. */
export type Inputs = Readonly<Record<string, Input | undefined>>;

/** The tensors that a program reads its inputs as. */
export type TensorsOf<I extends Inputs> = {
  readonly [K in keyof I]: I[K] extends Input<infer D, infer S>
    ? Tensor<D, S>
    : I[K] extends Input<infer D, infer S> | undefined
      ? Tensor<D, S> | undefined
      : never;
};

/** What the host gives a run. An input that is left out holds what it held before. */
export type ValuesOf<I extends Inputs> = {
  readonly [K in keyof I]?: I[K] extends Input<infer D>
    ? ArrayOf[D]
    : I[K] extends Input<infer D> | undefined
      ? ArrayOf[D] | undefined
      : never;
};

/** 32-bit floating-point numbers of a shape; of none, one number. */
export function f32<const S extends Shape>(...shape: S): Input<'f32', S> {
  return { dtype: 'f32', shape };
}

/** 32-bit unsigned integers of a shape. */
export function u32<const S extends Shape>(...shape: S): Input<'u32', S> {
  return { dtype: 'u32', shape };
}

/** 32-bit integers of a shape. */
export function i32<const S extends Shape>(...shape: S): Input<'i32', S> {
  return { dtype: 'i32', shape };
}

/** Bytes of a shape. */
export function u8<const S extends Shape>(...shape: S): Input<'u8', S> {
  return { dtype: 'u8', shape };
}
