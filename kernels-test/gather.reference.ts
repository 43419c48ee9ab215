import type { Shape } from '../src/tensor/shape';
import { indicesOf, placesOf, type Places } from './stridedCopy.reference';

/** Whole numbers from 0 below `below`, by a fixed recipe: many come several times. */
export function drawn(count: number, below: number, seed = 1): Uint32Array {
  return Uint32Array.from({ length: count }, (_, i) => (((i + seed) * 2654435761) >>> 7) % below);
}

/** Where the elements of a gather come from: −1 where the place is not there. */
export function gathered(shape: Shape, axis: number, indices: { shape: Shape; data: Uint32Array }): Places {
  const view = placesOf(shape);
  const from = indicesOf(indices.shape).map((index, at) => {
    const place = indices.data[at] ?? NaN;
    return place < (shape[axis] ?? 0) ? view.get(...index.with(axis, place)) : -1;
  });
  return { shape: indices.shape, from };
}

/** Where the elements of chosen rows come from. */
export function selected(shape: Shape, axis: number, rows: Uint32Array): Places {
  const out = shape.with(axis, rows.length);
  const data = Uint32Array.from(indicesOf(out), (index) => rows[index[axis] ?? 0] ?? NaN);
  return gathered(shape, axis, { shape: out, data });
}
