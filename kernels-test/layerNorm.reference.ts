import { zeros, type Reference } from './allclose';

export const EPS = 1e-6;

export type Inputs = { x: Reference; gamma: Reference; beta: Reference };

/** Calls `visit` with each row's offset, mean and 1/σ. */
function eachRow({ x, gamma }: Inputs, eps: number, visit: (at: number, mean: number, rstd: number) => void): void {
  const width = gamma.data.length;
  for (let at = 0; at < x.data.length; at += width) {
    const row = x.data.subarray(at, at + width);
    const mean = row.reduce((sum, value) => sum + value, 0) / width;
    const variance = row.reduce((sum, value) => sum + (value - mean) ** 2, 0) / width;
    visit(at, mean, 1 / Math.sqrt(variance + eps));
  }
}

export function forward(inputs: Inputs, eps = EPS): { y: Reference } {
  const { x, gamma, beta } = inputs;
  const y = zeros(x.shape);
  eachRow(inputs, eps, (at, mean, rstd) => {
    gamma.data.forEach((scale, i) => {
      y.data[at + i] = ((x.data[at + i] as number) - mean) * rstd * scale + (beta.data[i] as number);
    });
  });
  return { y };
}

export function backward(inputs: Inputs, { y: dy }: Readonly<Record<string, Reference>>, eps = EPS): Inputs {
  const { x, gamma } = inputs;
  const dx = zeros(x.shape);
  const dGamma = zeros(gamma.shape);
  const dBeta = zeros(gamma.shape);
  const width = gamma.data.length;
  eachRow(inputs, eps, (at, mean, rstd) => {
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

type RmsInputs = { x: Reference; gamma: Reference };

/** RMSNorm: x / √(mean(x²) + ε) · γ. */
export const rms = {
  forward({ x, gamma }: RmsInputs): { y: Reference } {
    const y = zeros(x.shape);
    eachRmsRow({ x, gamma }, (at, rstd) => {
      gamma.data.forEach((scale, i) => (y.data[at + i] = (x.data[at + i] as number) * rstd * scale));
    });
    return { y };
  },
  backward({ x, gamma }: RmsInputs, { y: dy }: Readonly<Record<string, Reference>>): RmsInputs {
    const [dx, dGamma] = [zeros(x.shape), zeros(gamma.shape)];
    const width = gamma.data.length;
    eachRmsRow({ x, gamma }, (at, rstd) => {
      const normal = Array.from(gamma.data, (_, i) => (x.data[at + i] as number) * rstd);
      const g = normal.map((_, i) => (dy?.data[at + i] as number) * (gamma.data[i] as number));
      const meanGX = g.reduce((sum, value, i) => sum + value * (normal[i] as number), 0) / width;
      normal.forEach((value, i) => {
        dx.data[at + i] = rstd * ((g[i] as number) - value * meanGX);
        dGamma.data[i] = (dGamma.data[i] as number) + (dy?.data[at + i] as number) * value;
      });
    });
    return { x: dx, gamma: dGamma };
  },
};

function eachRmsRow({ x, gamma }: RmsInputs, visit: (at: number, rstd: number) => void): void {
  const width = gamma.data.length;
  for (let at = 0; at < x.data.length; at += width) {
    const squares = x.data.subarray(at, at + width).reduce((sum, value) => sum + value * value, 0);
    visit(at, 1 / Math.sqrt(squares / width + EPS));
  }
}
