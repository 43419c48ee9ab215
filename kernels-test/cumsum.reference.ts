import { zeros, type Reference, type References } from './allclose';
import { alongAxis, mapRows } from './softmax.reference';

export type Inputs = { x: Reference };

/** Each element with all before it in its row. */
const sumsSoFar = (rows: Reference): Reference =>
  mapRows(rows, (row) => {
    let sum = 0;
    return row.map((value) => (sum += value));
  });

/** Each element with all behind it in its row. */
const sumsToCome = (rows: Reference): Reference =>
  mapRows(rows, (row) => {
    let sum = 0;
    return row
      .toReversed()
      .map((value) => (sum += value))
      .reverse();
  });

export const forward =
  (axis: number) =>
  ({ x }: Inputs) => ({ y: alongAxis(x, axis, sumsSoFar) });

export const backward =
  (axis: number) =>
  ({ x }: Inputs, { y = zeros(x.shape) }: References) => ({ x: alongAxis(y, axis, sumsToCome) });
