import { sizeOf } from './shape';

/**
 * Elements of the host's that lie anywhere in an array: an `NdArray` of the package ndarray is one. Element (i, j, …) is
 * `data[offset + i·stride[0] + j·stride[1] + …]`.
 */
export interface StridedArray {
  readonly data: ArrayLike<number>;
  readonly shape: readonly number[];
  readonly stride: readonly number[];
  readonly offset: number;
}

export function isStridedArray(value: object): value is StridedArray {
  return 'data' in value && 'shape' in value && 'stride' in value && 'offset' in value;
}

/** Its elements in row-major order, put into `into`, which has room for them. */
export function packInto<T extends Record<number, number>>({ data, shape, stride, offset }: StridedArray, into: T): T {
  const place = shape.map(() => 0);
  let from = offset;
  for (let to = 0, size = sizeOf(shape); to < size; to++) {
    (into as Record<number, number>)[to] = data[from] as number; // a type of arrays stays that type
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      const [extent, step] = [shape[axis] as number, stride[axis] as number];
      from += step;
      if (++(place[axis] as number) < extent) break;
      from -= extent * step;
      place[axis] = 0;
    }
  }
  return into;
}
