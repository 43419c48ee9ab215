import type { Shape } from '../tensor/shape';
import type { BufferPlace } from '../gpu/lentBuffer';
import type { PictureSource } from '../gpu/pictures';
import type { StridedArray } from '../tensor/stridedArray';
import type { ArrayOf, DType, Tensor } from '../tensor/tensor';

/** An input of a program: what the host may give it before each run. */
export interface Input<D extends DType = DType, S extends Shape = Shape> {
  readonly dtype: D;
  readonly shape: S;
  /** What it holds until it is given; without it, the first run must give it. */
  readonly initial?: ArrayOf[D] | StridedArray;
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

/**
 * What an input may be given: a typed array in row-major order, an ndarray, a buffer of the app's or a place in one, and
 * where it is f32 [C, H, W], a picture: a texture, or what a browser can copy into one.
 */
export type InputValue<D extends DType = DType> =
  ArrayOf[D] | StridedArray | GPUBuffer | BufferPlace | (D extends 'f32' ? GPUTexture | PictureSource : never);

/** What a run is given. An input that is left out holds what it held before. */
export type ValuesOf<I extends Inputs> = {
  readonly [K in keyof I]?: I[K] extends Input<infer D>
    ? InputValue<D>
    : I[K] extends Input<infer D> | undefined
      ? InputValue<D> | undefined
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
