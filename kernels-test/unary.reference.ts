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

const softplus = (x: number): number => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));

/** The nearest whole number, of two the even one. */
function round(x: number): number {
  const below = Math.floor(x);
  const isUp = x - below === 0.5 ? below % 2 !== 0 : x - below > 0.5;
  return isUp ? below + 1 : below;
}

const ROOT = Math.sqrt(8 / Math.PI);
const inner = (x: number): number => ROOT * (x + 0.044715 * x ** 3);

export const leakyRelu = (p: number): UnaryReference => ({
  value: (x) => (x > 0 ? x : p * x),
  slope: (x) => (x > 0 ? 1 : p),
  low: -3,
  high: 3,
});

export const elu = (alpha: number): UnaryReference => ({
  value: (x) => (x > 0 ? x : alpha * Math.expm1(x)),
  slope: (x) => (x > 0 ? 1 : alpha * Math.exp(x)),
  low: -3,
  high: 3,
});

export const clamp = (low: number, high: number): UnaryReference => ({
  value: (x) => Math.min(Math.max(x, low), high),
  slope: (x) => (x >= low && x <= high ? 1 : 0),
  low: -3,
  high: 3,
});

export const geluTanh: UnaryReference = {
  value: (x) => x * sigmoid(inner(x)),
  slope: (x) => sigmoid(inner(x)) + x * sigmoid(inner(x)) * sigmoid(-inner(x)) * ROOT * (1 + 3 * 0.044715 * x * x),
  low: -3,
  high: 3,
};

const flat = (value: (x: number) => number): UnaryReference => ({ value, slope: () => 0, low: -5, high: 5 });

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
  silu: { value: (x) => x * sigmoid(x), slope: (x) => sigmoid(x) * (1 + x * sigmoid(-x)), low: -6, high: 6 },
  softplus: { value: softplus, slope: sigmoid, low: -6, high: 6 },
  erf: { value: erf, slope: (x) => (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x), low: -3, high: 3 },
  expm1: { value: Math.expm1, slope: Math.exp, low: -3, high: 3 },
  log1p: { value: Math.log1p, slope: (x) => 1 / (1 + x), low: -0.9, high: 9 },
  exp2: { value: (x) => 2 ** x, slope: (x) => 2 ** x * Math.LN2, low: -5, high: 5 },
  log2: { value: Math.log2, slope: (x) => 1 / (x * Math.LN2), low: 0.1, high: 9 },
  tan: { value: Math.tan, slope: (x) => Math.cos(x) ** -2, low: -1.4, high: 1.4 },
  sign: flat(Math.sign),
  floor: flat(Math.floor),
  ceil: flat(Math.ceil),
  round: flat(round),
  trunc: flat(Math.trunc),
  mish: {
    value: (x) => x * Math.tanh(softplus(x)),
    slope: (x) => Math.tanh(softplus(x)) + x * sigmoid(x) * Math.cosh(softplus(x)) ** -2,
    low: -6,
    high: 6,
  },
  logSigmoid: { value: (x) => -softplus(-x), slope: (x) => sigmoid(-x), low: -6, high: 6 },
  leakyRelu: leakyRelu(0.01),
  elu: elu(1),
} satisfies Record<string, UnaryReference>;

export type Inputs = { x: Reference };

export function forward({ value }: UnaryReference, { x }: Inputs): { y: Reference } {
  return { y: { shape: x.shape, data: x.data.map(value) } };
}

export function backward({ slope }: UnaryReference, { x }: Inputs, { y: dy }: References): Inputs {
  return { x: { shape: x.shape, data: x.data.map((at, i) => slope(at) * (dy?.data[i] as number)) } };
}
