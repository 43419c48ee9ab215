import type { Reference, References } from './allclose';

export type Inputs = { x: Reference };

/** Applies `map` to each row. */
function mapRows({ shape, data }: Reference, map: (row: Float64Array, at: number) => Float64Array): Reference {
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
