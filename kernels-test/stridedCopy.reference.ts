import ndarray, { type NdArray } from 'ndarray';
import { sizeOf, type Shape } from '../src/tensor/shape';
import type { Reference } from './allclose';

/** Elements named by their places: what moves them says where each one came from, or that none did (−1). */
export interface Places {
  readonly shape: Shape;
  readonly from: readonly number[];
}

/** A view of the places of a dense array, which ndarray then permutes, cuts and flips. */
export function placesOf(shape: Shape): NdArray<number[]> {
  return ndarray(
    Array.from({ length: sizeOf(shape) }, (_, place) => place),
    [...shape],
  );
}

/** The places of a view, in its order. */
export function listed(view: NdArray<number[]>): Places {
  const { shape } = view;
  return { shape: [...shape], from: indicesOf(shape).map((index) => view.get(...index)) };
}

/** All indices of a shape, the last axis fastest. */
export function indicesOf(shape: Shape): number[][] {
  return shape.reduce<number[][]>(
    (indices, extent) => indices.flatMap((index) => Array.from({ length: extent }, (_, i) => [...index, i])),
    [[]],
  );
}

/** Places in an array around which something lies. */
export function padded(shape: Shape, around: readonly (readonly [before: number, after: number])[]): Places {
  const view = placesOf(shape);
  const out = shape.map((extent, axis) => extent + (around[axis]?.[0] ?? 0) + (around[axis]?.[1] ?? 0));
  const from = indicesOf(out).map((index) => {
    const inside = index.map((i, axis) => i - (around[axis]?.[0] ?? 0));
    return inside.every((i, axis) => i >= 0 && i < (shape[axis] ?? 0)) ? view.get(...inside) : -1;
  });
  return { shape: out, from };
}

/** Places in an array whose indices are taken modulo its extents, axes counted from the last: stretched and repeated. */
export function tiled(shape: Shape, out: Shape): Places {
  const view = placesOf(shape);
  const added = out.length - shape.length;
  return {
    shape: out,
    from: indicesOf(out).map((index) => view.get(...shape.map((n, k) => (index[k + added] ?? 0) % n))),
  };
}

export function moved({ data }: Reference, { shape, from }: Places, value = 0): Reference {
  return { shape, data: Float64Array.from(from, (place) => (place < 0 ? value : (data[place] as number))) };
}

/** What flows back: every element gets what flows back to the places that it went to. */
export function movedBack(shape: Shape, { from }: Places, dy: Reference | undefined): Reference {
  const data = new Float64Array(sizeOf(shape));
  for (const [to, place] of from.entries()) if (place >= 0) data[place] = (data[place] ?? 0) + (dy?.data[to] ?? NaN);
  return { shape, data };
}
