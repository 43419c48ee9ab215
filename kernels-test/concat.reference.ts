import { sizeOf } from '../src/tensor/shape';
import type { Reference } from './allclose';

export function concat(parts: readonly Reference[]): Reference {
  const [, ...inner] = parts[0]?.shape ?? [];
  const data = Float64Array.from(parts.flatMap((part) => Array.from(part.data)));
  return { shape: [parts.reduce((rows, part) => rows + (part.shape[0] ?? 0), 0), ...inner], data };
}

/** The pieces of `whole` that lie where `parts` were put. */
export function split(whole: Reference, parts: readonly Reference[]): Reference[] {
  let offset = 0;
  return parts.map(({ shape, data }) => {
    const piece = { shape, data: whole.data.slice(offset, offset + data.length) };
    offset += data.length;
    return piece;
  });
}

/** Along any axis: the rows of all axes before it are put together one by one. */
export function concatAlong(parts: readonly Reference[], axis: number): Reference {
  const shape = [...(parts[0]?.shape ?? [])];
  const outer = sizeOf(shape.slice(0, axis));
  const rowOf = ({ data }: Reference, row: number): number[] => {
    const width = data.length / outer;
    return Array.from(data.subarray(row * width, (row + 1) * width));
  };
  const rows = Array.from({ length: outer }, (_, row) => parts.flatMap((part) => rowOf(part, row)));
  shape[axis] = parts.reduce((sum, part) => sum + (part.shape[axis] ?? 0), 0);
  return { shape, data: Float64Array.from(rows.flat()) };
}

/** The pieces of `whole` that lie where `parts` were put along an axis. */
export function splitAlong(whole: Reference, parts: readonly Reference[], axis: number): Reference[] {
  const outer = sizeOf(whole.shape.slice(0, axis));
  const stride = whole.data.length / outer;
  let before = 0;
  return parts.map(({ shape }) => {
    const width = sizeOf(shape.slice(axis));
    const at = before;
    before += width;
    const rows = Array.from({ length: outer }, (_, row) =>
      Array.from(whole.data.subarray(row * stride + at, row * stride + at + width)),
    );
    return { shape, data: Float64Array.from(rows.flat()) };
  });
}
