import type { Reference, References } from './allclose';
import { normalCdf } from './gelu.reference';

/** A function and its slope in float64, and where it is tried: from `low` to `high`. */
export interface UnaryReference {
  readonly value: (x: number) => number;
  readonly slope: (x: number) => number;
  readonly low: number;
  readonly high: number;
}

const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));

/** By its power series near 0, where 2·Φ(√2·x) − 1 would cancel. */
function erf(x: number): number {
  if (Math.abs(x) > 1) return 2 * normalCdf(Math.SQRT2 * x) - 1;
  let term = x;
  let sum = x;
  for (let n = 1; n < 30; n++) {
    term *= -(x * x) / n;
    sum += term / (2 * n + 1);
  }
  return (2 / Math.sqrt(Math.PI)) * sum;
}

export const unaryReferences = {
  neg: { value: (x) => -x, slope: () => -1, low: -3, high: 3 },
  abs: { value: Math.abs, slope: Math.sign, low: -3, high: 3 },
  square: { value: (x) => x * x, slope: (x) => 2 * x, low: -3, high: 3 },
  sqrt: { value: Math.sqrt, slope: (x) => 0.5 / Math.sqrt(x), low: 0.1, high: 9 },
  rsqrt: { value: (x) => 1 / Math.sqrt(x), slope: (x) => -0.5 * x ** -1.5, low: 0.1, high: 9 },
  reciprocal: { value: (x) => 1 / x, slope: (x) => -1 / (x * x), low: 0.2, high: 5 },
  exp: { value: Math.exp, slope: Math.exp, low: -5, high: 3 },
  log: { value: Math.log, slope: (x) => 1 / x, low: 0.1, high: 9 },
  sin: { value: Math.sin, slope: Math.cos, low: -99, high: 99 },
  cos: { value: Math.cos, slope: (x) => -Math.sin(x), low: -99, high: 99 },
  tanh: { value: Math.tanh, slope: (x) => Math.cosh(x) ** -2, low: -3, high: 3 },
  sigmoid: { value: sigmoid, slope: (x) => sigmoid(x) * sigmoid(-x), low: -6, high: 6 },
  relu: { value: (x) => Math.max(x, 0), slope: (x) => (x > 0 ? 1 : 0), low: -3, high: 3 },
  silu: { value: (x) => x * sigmoid(x), slope: (x) => sigmoid(x) * (1 + x * sigmoid(-x)), low: -6, high: 6 },
  softplus: { value: (x) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x))), slope: sigmoid, low: -6, high: 6 },
  erf: { value: erf, slope: (x) => (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x), low: -3, high: 3 },
} satisfies Record<string, UnaryReference>;

export type Inputs = { x: Reference };

export function forward({ value }: UnaryReference, { x }: Inputs): { y: Reference } {
  return { y: { shape: x.shape, data: x.data.map(value) } };
}

export function backward({ slope }: UnaryReference, { x }: Inputs, { y: dy }: References): Inputs {
  return { x: { shape: x.shape, data: x.data.map((at, i) => slope(at) * (dy?.data[i] as number)) } };
}
