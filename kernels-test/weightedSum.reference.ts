import type { Reference, References } from './allclose';
import { scalar } from './reduce.reference';

/** Terms by name, and their weights by the same names. */
export type Weights = Readonly<Record<string, readonly number[]>>;

export function forward(inputs: References, weights: Weights): { total: Reference } {
  let total = 0;
  for (const [term, { data }] of Object.entries(inputs)) {
    data.forEach((value, i) => (total += value * (weights[term]?.[i] ?? NaN)));
  }
  return { total: scalar(total) };
}

export function backward(inputs: References, weights: Weights, { total: dTotal }: References): References {
  return Object.fromEntries(
    Object.entries(inputs).map(([term, { shape, data }]) => [
      term,
      { shape, data: data.map((_, i) => (dTotal?.data[0] as number) * (weights[term]?.[i] ?? NaN)) },
    ]),
  );
}
