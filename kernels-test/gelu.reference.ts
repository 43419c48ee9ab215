import type { Reference, References } from './allclose';

/** φ(x), the density of the normal distribution. */
export function normalDensity(x: number): number {
  return Math.exp((-x * x) / 2) / Math.sqrt(2 * Math.PI);
}

/** Φ(x), the normal distribution function, to about 1e-15: Marsaglia's series near 0, Laplace's continued fraction outside. */
export function normalCdf(x: number): number {
  const z = Math.abs(x);
  if (z < 2) {
    let term = z;
    let sum = z;
    for (let i = 3; i < 100; i += 2) {
      term *= (z * z) / i;
      sum += term;
    }
    return 0.5 + Math.sign(x) * sum * normalDensity(z);
  }
  let fraction = z;
  for (let i = 300; i > 0; i--) fraction = z + i / fraction;
  const tail = normalDensity(z) / fraction;
  return x < 0 ? tail : 1 - tail;
}

export function gelu(x: number): number {
  return x * normalCdf(x);
}

export function geluGradient(x: number): number {
  return normalCdf(x) + x * normalDensity(x);
}

export type Inputs = { x: Reference };

export function forward({ x }: Inputs): { y: Reference } {
  return { y: { shape: x.shape, data: x.data.map(gelu) } };
}

export function backward({ x }: Inputs, { y: dy }: References): Inputs {
  return { x: { shape: x.shape, data: x.data.map((at, i) => geluGradient(at) * (dy?.data[i] as number)) } };
}
