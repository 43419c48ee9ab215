import { sizeOf } from '../src/tensor/shape';
import type { Reference, References } from '../kernels-test/allclose';

/*
 * References of large cases. All of one in float64 takes a host many seconds, so some of its elements are computed, each
 * exactly as the whole reference would: rows that do not depend on the others.
 */

/** Some elements of a tensor: `data[i]` is the element at `at[i]`. */
export interface Sampled extends Reference {
  readonly at?: Uint32Array;
}

/** Rows (indices of the first axis) that are checked of `count`: all where they are few, else `most` at random, and the last. */
export function sampleRows(count: number, most: number): Uint32Array {
  if (count <= most) return Uint32Array.from({ length: count }, (_, row) => row);
  const rows = new Set([count - 1]);
  // Which rows does not matter, only that they lie in many tiles and everywhere in one.
  for (let state = 12345; rows.size < most;) {
    state = (Math.imul(state, 747796405) + 1) >>> 0;
    rows.add((state >>> 8) % count);
  }
  return Uint32Array.from(rows).sort();
}

/** The given rows of a tensor, as a smaller one. */
export function takeRows({ shape, data }: Reference, rows: Uint32Array): Reference {
  const width = sizeOf(shape.slice(1));
  const taken = new Float64Array(rows.length * width);
  rows.forEach((row, i) => taken.set(data.subarray(row * width, (row + 1) * width), i * width));
  return { shape: [rows.length, ...shape.slice(1)], data: taken };
}

/** The given columns of a matrix, as a narrower one. */
export function takeColumns({ shape: [height = 1, width = 1], data }: Reference, columns: Uint32Array): Reference {
  const taken = new Float64Array(height * columns.length);
  for (let row = 0; row < height; row++) {
    columns.forEach((column, i) => (taken[row * columns.length + i] = data[row * width + column] as number));
  }
  return { shape: [height, columns.length], data: taken };
}

/** Says of which rows of a larger tensor a reference holds the values. */
export function asRows(reference: Reference, rows: Uint32Array): Sampled {
  const width = reference.data.length / rows.length;
  return {
    ...reference,
    at: Uint32Array.from(reference.data, (_, i) => (rows[Math.floor(i / width)] as number) * width + (i % width)),
  };
}

/** Says of which columns of a matrix of `width` columns a reference holds the values. */
export function asColumns(reference: Reference, columns: Uint32Array, width: number): Sampled {
  const count = columns.length;
  return {
    ...reference,
    at: Uint32Array.from(reference.data, (_, i) => Math.floor(i / count) * width + (columns[i % count] as number)),
  };
}

/** Of a whole result, the elements that a reference holds. */
export function elementsOf(result: ArrayLike<number>, { at }: Sampled): ArrayLike<number> {
  return at ? Float64Array.from(at, (index) => result[index] ?? NaN) : result;
}

/** The given rows of each tensor. */
export function rowsOf<T extends Readonly<Record<string, Reference>>>(references: T, rows: Uint32Array): T {
  return Object.fromEntries(
    Object.entries(references).map(([name, reference]) => [name, takeRows(reference, rows)]),
  ) as T;
}

/** Says of each reference of which rows it holds the values. */
export function asRowsOf(references: References, rows: Uint32Array): References {
  return Object.fromEntries(Object.entries(references).map(([name, reference]) => [name, asRows(reference, rows)]));
}
