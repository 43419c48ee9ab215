import type { Reference, References } from './allclose';

export type Inputs = { x: Reference };

/** Applies `map` to each row. */
export function mapRows({ shape, data }: Reference, map: (row: Float64Array, at: number) => Float64Array): Reference {
  const width = shape.at(-1) as number;
  const out = data.slice();
  for (let at = 0; at < data.length; at += width) out.set(map(data.subarray(at, at + width), at), at);
  return { shape, data: out };
}

/** x − log Σ exp(x), a row. */
export function logSoftmax(x: Reference): Reference {
  return mapRows(x, (row) => {
    const largest = row.reduce((max, value) => Math.max(max, value), -Infinity);
    const logSum = Math.log(row.reduce((sum, value) => sum + Math.exp(value - largest), 0));
    return row.map((value) => value - largest - logSum);
  });
}

/** Where the elements lie of a tensor whose axis (from 0) was moved to the end. */
function movedPlaces({ shape, data }: Reference, axis: number): Float64Array {
  const width = shape[axis] as number;
  const inner = shape.slice(axis + 1).reduce((size, extent) => size * extent, 1);
  return data.map((_, at) => {
    const [row, i] = [Math.floor(at / width), at % width];
    return (Math.floor(row / inner) * width + i) * inner + (row % inner);
  });
}

/** Rows along an axis. */
export function toRows(x: Reference, axis: number): Reference {
  const width = x.shape[axis] as number;
  return { shape: [x.data.length / width, width], data: movedPlaces(x, axis).map((at) => x.data[at] as number) };
}

/** A function of rows, along another axis than the last. */
export function alongAxis(x: Reference, axis: number, map: (rows: Reference) => Reference): Reference {
  const rows = map(toRows(x, axis)).data;
  const data = new Float64Array(x.data.length);
  movedPlaces(x, axis).forEach((at, i) => (data[at] = rows[i] as number));
  return { shape: x.shape, data };
}

/** The gradient of `logSoftmax`: dy − softmax · Σ dy, a row. */
export function logSoftmaxBackward(x: Reference, dy: Reference): Reference {
  const logs = logSoftmax(x).data;
  return mapRows(dy, (row, at) => {
    const sum = row.reduce((all, value) => all + value, 0);
    return row.map((value, i) => value - Math.exp(logs[at + i] as number) * sum);
  });
}

export function forward({ x }: Inputs): { y: Reference } {
  return { y: { shape: x.shape, data: logSoftmax(x).data.map(Math.exp) } };
}

export function backward(inputs: Inputs, { y: dy }: References): Inputs {
  const x = mapRows(forward(inputs).y, (row, at) => {
    const upstream = row.map((_, i) => dy?.data[at + i] as number);
    const mean = row.reduce((sum, value, i) => sum + value * (upstream[i] as number), 0);
    return row.map((value, i) => value * ((upstream[i] as number) - mean));
  });
  return { x };
}
