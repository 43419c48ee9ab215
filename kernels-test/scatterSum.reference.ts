import type { Shape } from '../src/tensor/shape';
import { random, type Reference } from './allclose';
import type { Places } from './stridedCopy.reference';

/** x with `source` added at the places that a gather of x would read. */
export function scattered(x: Reference, source: Reference, { from }: Places): Reference {
  const data = x.data.slice();
  for (const [at, place] of from.entries()) if (place >= 0) data[place] = (data[place] ?? 0) + (source.data[at] ?? NaN);
  return { shape: x.shape, data };
}

/** What flows back to the source. */
export function scatteredBack(shape: Shape, { from }: Places, dy: Reference): Reference {
  return { shape, data: Float64Array.from(from, (place) => (place < 0 ? 0 : (dy.data[place] ?? NaN))) };
}

/** Numbers of rows, half of them one and the same, as padding makes them. */
export function padding(count: number, below: number): Uint32Array {
  const { data } = random([count], 9);
  return Uint32Array.from(data, (r, i) => (i % 2 ? Math.floor(((r + 1) / 2) * below) : 1 % below));
}
