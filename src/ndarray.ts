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
  /** The element at an index. */
  get(...index: number[]): number;
  /** Sets the element at an index: the last number is the value. */
  set(...indexAndValue: number[]): number;
  /** Where in `data` the element at an index lies. */
  index(...index: number[]): number;
  /** A view that begins at an index. */
  lo(...from: number[]): Ndarray<D>;
  /** A view of these extents. */
  hi(...to: number[]): Ndarray<D>;
  /** A view of every n-th element, a step for each axis; a negative one turns the axis round. */
  step(...steps: number[]): Ndarray<D>;
  /** A view with the axes in another order. */
  transpose(...axes: number[]): Ndarray<D>;
  /** A view at a place of some axes, which it lacks; null keeps an axis. */
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
