import { zeros, type Reference, type References } from './allclose';

export const EPS = 1e-6;
export const MOMENTUM = 0.1;

export type Inputs = { x: Reference };

/** Mean, variance (÷ B) and 1/σ of a column: of the batch, or those given. */
interface Column {
  readonly mean: number;
  readonly variance: number;
  readonly rstd: number;
}

function columnsOf({ shape: [rows = 0, width = 0], data }: Reference, running?: Reference): Column[] {
  return Array.from({ length: width }, (_, column) => {
    const values = Array.from({ length: rows }, (__, row) => data[row * width + column] as number);
    const mean = running ? (running.data[column] as number) : values.reduce((sum, value) => sum + value, 0) / rows;
    const variance = running
      ? (running.data[width + column] as number)
      : values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / rows;
    return { mean, variance, rstd: 1 / Math.sqrt(variance + EPS) };
  });
}

/** @param running what to normalise by, as [2, D], in evaluation; absent in training */
export function forward({ x }: Inputs, running?: Reference): { y: Reference } {
  const columns = columnsOf(x, running);
  const data = x.data.map((value, i) => {
    const { mean, rstd } = columns[i % columns.length] as Column;
    return (value - mean) * rstd;
  });
  return { y: { shape: x.shape, data } };
}

export function backward({ x }: Inputs, { y: dy }: References, running?: Reference): Inputs {
  const dx = zeros(x.shape);
  const [rows = 0, width = 0] = x.shape;
  columnsOf(x, running).forEach(({ mean, rstd }, column) => {
    const places = Array.from({ length: rows }, (_, row) => row * width + column);
    const normal = places.map((at) => ((x.data[at] as number) - mean) * rstd);
    const upstream = places.map((at) => dy?.data[at] as number);
    const meanG = running ? 0 : upstream.reduce((sum, g) => sum + g, 0) / rows;
    const meanGX = running ? 0 : upstream.reduce((sum, g, i) => sum + g * (normal[i] as number), 0) / rows;
    places.forEach(
      (at, i) => (dx.data[at] = rstd * ((upstream[i] as number) - meanG - (normal[i] as number) * meanGX)),
    );
  });
  return { x: dx };
}

/** What running statistics [2, D] are after a batch. */
export function moved({ x }: Inputs, running: Reference): Reference {
  const [rows = 0, width = 0] = x.shape;
  const data = running.data.slice();
  columnsOf(x).forEach(({ mean, variance }, column) => {
    data[column] = (1 - MOMENTUM) * (data[column] as number) + MOMENTUM * mean;
    data[width + column] =
      (1 - MOMENTUM) * (data[width + column] as number) + (MOMENTUM * variance * rows) / (rows - 1);
  });
  return { shape: running.shape, data };
}
