/** `palimpsest/ndarray`: arrays of npm's `ndarray` from what programs give. */
import ndarray from 'ndarray';

/** Elements that an output may hold. */
export type Elements = Float32Array | Int32Array | Uint32Array | Uint16Array | Uint8Array;

/** An array of the package `ndarray`, by its structure: strided elements of a shape. */
export interface Ndarray<D extends Elements = Float32Array> {
  readonly data: D;
  readonly shape: number[];
  readonly stride: number[];
  readonly offset: number;
  readonly dimension: number;
  readonly size: number;
  readonly order: number[];
  get(...index: number[]): number;
  set(...indexAndValue: number[]): number;
  index(...index: number[]): number;
  lo(...from: number[]): Ndarray<D>;
  hi(...to: number[]): Ndarray<D>;
  step(...steps: number[]): Ndarray<D>;
  transpose(...axes: number[]): Ndarray<D>;
  pick(...index: (number | null)[]): Ndarray<D>;
}

/**
 * An ndarray over `data`, whose memory it shares. It lies in a sub-path of its own, since the package `ndarray` compiles code
 * when it is used, which a page's content security policy may forbid.
 *
 * @param data elements in row-major order: `await program.outputs.y.data()`
 * @param shape `program.outputs.y.shape`
 * @throws RangeError where they do not fit each other
 */
export function toNdarray<D extends Elements>(data: D, shape: readonly number[]): Ndarray<D> {
  const size = shape.reduce((product, extent) => product * extent, 1);
  if (size !== data.length) {
    throw new RangeError(
      `toNdarray: ${data.length} elements are none of the shape [${shape.join(', ')}], which has ${size}.`,
    );
  }
  return ndarray(data, [...shape]);
}
