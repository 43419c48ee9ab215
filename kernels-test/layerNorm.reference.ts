import { zeros, type Reference } from './allclose';

export const EPS = 1e-6;

export type Inputs = { x: Reference; gamma: Reference; beta: Reference };

/** Calls `visit` with each row's offset, mean and 1/σ. */
function eachRow({ x, gamma }: Inputs, visit: (at: number, mean: number, rstd: number) => void): void {
  const width = gamma.data.length;
  for (let at = 0; at < x.data.length; at += width) {
    const row = x.data.subarray(at, at + width);
    const mean = row.reduce((sum, value) => sum + value, 0) / width;
    const variance = row.reduce((sum, value) => sum + (value - mean) ** 2, 0) / width;
    visit(at, mean, 1 / Math.sqrt(variance + EPS));
  }
}

export function forward(inputs: Inputs): { y: Reference } {
  const { x, gamma, beta } = inputs;
  const y = zeros(x.shape);
  eachRow(inputs, (at, mean, rstd) => {
    gamma.data.forEach((scale, i) => {
      y.data[at + i] = ((x.data[at + i] as number) - mean) * rstd * scale + (beta.data[i] as number);
    });
  });
  return { y };
}

export function backward(inputs: Inputs, { y: dy }: Readonly<Record<string, Reference>>): Inputs {
  const { x, gamma } = inputs;
  const dx = zeros(x.shape);
  const dGamma = zeros(gamma.shape);
  const dBeta = zeros(gamma.shape);
  const width = gamma.data.length;
  eachRow(inputs, (at, mean, rstd) => {
    const normal = Array.from(gamma.data, (_, i) => ((x.data[at + i] as number) - mean) * rstd);
    const upstream = normal.map((_, i) => dy?.data[at + i] as number);
    const scaled = upstream.map((g, i) => g * (gamma.data[i] as number));
    const meanG = scaled.reduce((sum, g) => sum + g, 0) / width;
    const meanGX = scaled.reduce((sum, g, i) => sum + g * (normal[i] as number), 0) / width;
    normal.forEach((value, i) => {
      dx.data[at + i] = rstd * ((scaled[i] as number) - meanG - value * meanGX);
      dGamma.data[i] = (dGamma.data[i] as number) + (upstream[i] as number) * value;
      dBeta.data[i] = (dBeta.data[i] as number) + (upstream[i] as number);
    });
  });
  return { x: dx, gamma: dGamma, beta: dBeta };
}
