import { sizeOf, type Shape } from '../src/tensor/shape';
import type { Reference, References } from './allclose';

/** A reduction of numbers to one, in float64, and its slope with respect to each of them. */
export interface ReductionReference {
  readonly value: (values: readonly number[]) => number;
  readonly slopes: (values: readonly number[]) => number[];
}

const total = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0);
const meanOf = (values: readonly number[]): number => total(values) / values.length;
const productOf = (values: readonly number[]): number => values.reduce((product, value) => product * value, 1);
const even = (values: readonly number[], chosen: number): number[] => {
  const ties = values.filter((value) => value === chosen).length;
  return values.map((value) => (value === chosen ? 1 / ties : 0));
};
const largest = (values: readonly number[]): number => values.reduce((most, value) => Math.max(most, value), -Infinity);
const smallest = (values: readonly number[]): number =>
  values.reduce((least, value) => Math.min(least, value), Infinity);

const varianceOf = (values: readonly number[], correction: number): number => {
  const mean = meanOf(values);
  return total(values.map((value) => (value - mean) ** 2)) / (values.length - correction);
};

const logSumOf = (values: readonly number[]): number => {
  const most = largest(values);
  return most + Math.log(total(values.map((value) => Math.exp(value - most))));
};

const norm2 = (values: readonly number[]): number => Math.sqrt(total(values.map((value) => value ** 2)));

/** Slopes by one number that all terms share. */
const slopesBy =
  (shared: (values: readonly number[]) => number, slope: (value: number, at: number) => number) =>
  (values: readonly number[]): number[] => {
    const at = shared(values);
    return values.map((value) => slope(value, at));
  };

export const reductionReferences = {
  sum: { value: total, slopes: (values) => values.map(() => 1) },
  mean: { value: meanOf, slopes: (values) => values.map(() => 1 / values.length) },
  max: { value: largest, slopes: (values) => even(values, largest(values)) },
  min: { value: smallest, slopes: (values) => even(values, smallest(values)) },
  prod: { value: productOf, slopes: (values) => values.map((_, i) => productOf(values.toSpliced(i, 1))) },
  logSumExp: { value: logSumOf, slopes: slopesBy(logSumOf, (value, at) => Math.exp(value - at)) },
  norm: { value: norm2, slopes: slopesBy(norm2, (value, at) => value / at) },
} satisfies Record<string, ReductionReference>;

export function varianceReference(correction: number): ReductionReference {
  return {
    value: (values) => varianceOf(values, correction),
    slopes: (values) => slopesBy(meanOf, (value, mean) => (2 * (value - mean)) / (values.length - correction))(values),
  };
}

export function stdReference(correction: number): ReductionReference {
  const { value: square, slopes } = varianceReference(correction);
  const value = (values: readonly number[]): number => Math.sqrt(square(values));
  return {
    value,
    slopes: (values) => {
      const twice = 2 * value(values);
      return slopes(values).map((slope) => slope / twice);
    },
  };
}

/** Of each output, in their order, the indices of its terms in theirs. */
export function groupsOf(shape: Shape, axes: readonly number[]): number[][] {
  const taken = axes.map((axis) => (axis + shape.length) % shape.length).sort((a, b) => a - b);
  const kept = [...shape.keys()].filter((axis) => !taken.includes(axis));
  const offsets = (chosen: readonly number[]): number[] => {
    let all = [0];
    for (const axis of chosen) {
      const step = sizeOf(shape.slice(axis + 1));
      all = all.flatMap((offset) => Array.from({ length: shape[axis] as number }, (_, place) => offset + place * step));
    }
    return all;
  };
  const terms = offsets(taken);
  return offsets(kept).map((offset) => terms.map((term) => offset + term));
}

export type Inputs = { x: Reference };

export interface Case {
  readonly reference: ReductionReference;
  readonly axes: readonly number[];
  /** Of what comes out. */
  readonly shape: Shape;
}

export function forward({ reference, axes, shape }: Case, { x }: Inputs): { y: Reference } {
  const groups = groupsOf(x.shape, axes);
  return {
    y: { shape, data: Float64Array.from(groups, (group) => reference.value(group.map((i) => x.data[i] as number))) },
  };
}

export function backward({ reference, axes }: Case, { x }: Inputs, { y: dy }: References): Inputs {
  const data = new Float64Array(x.data.length);
  for (const [output, group] of groupsOf(x.shape, axes).entries()) {
    const slopes = reference.slopes(group.map((i) => x.data[i] as number));
    group.forEach((i, term) => (data[i] = (slopes[term] as number) * (dy?.data[output] as number)));
  }
  return { x: { shape: x.shape, data } };
}
