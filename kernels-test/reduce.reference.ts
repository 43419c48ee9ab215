import type { Shape } from '../src/tensor/shape';
import type { Reference } from './allclose';

export const scalar = (value: number): Reference => ({ shape: [1], data: Float64Array.of(value) });

export const filled = (shape: Shape, size: number, value: number): Reference => ({
  shape,
  data: new Float64Array(size).fill(value),
});

export function sum({ data }: Reference): Reference {
  return scalar(data.reduce((total, value) => total + value, 0));
}

export function mean(x: Reference): Reference {
  return scalar((sum(x).data[0] as number) / x.data.length);
}

/** The gradient of scale · Σ x. */
export function sumBackward(x: Reference, dOut: Reference | undefined, scale: number): Reference {
  return filled(x.shape, x.data.length, scale * (dOut?.data[0] ?? NaN));
}
