import type { Reference, References } from './allclose';

/** A function of two numbers in float64, its slopes, and where it is tried. */
export interface BinaryReference {
  readonly value: (a: number, b: number) => number;
  readonly slopes: readonly [(a: number, b: number) => number, (a: number, b: number) => number];
  /** From 0.5 to 2.5, where it needs positive numbers; else from −1 to 1. */
  readonly isPositive?: boolean;
}

const larger = (a: number, b: number): number => (a > b ? 1 : a === b ? 0.5 : 0);

export const binaryReferences = {
  sub: { value: (a, b) => a - b, slopes: [() => 1, () => -1] },
  mul: { value: (a, b) => a * b, slopes: [(_, b) => b, (a) => a] },
  div: { value: (a, b) => a / b, slopes: [(_, b) => 1 / b, (a, b) => -a / (b * b)], isPositive: true },
  pow: {
    value: (a, b) => a ** b,
    slopes: [(a, b) => b * a ** (b - 1), (a, b) => a ** b * Math.log(a)],
    isPositive: true,
  },
  maximum: { value: Math.max, slopes: [larger, (a, b) => larger(b, a)] },
  minimum: { value: Math.min, slopes: [(a, b) => larger(b, a), larger] },
  addBroadcast: { value: (a, b) => a + b, slopes: [() => 1, () => 1] },
} satisfies Record<string, BinaryReference>;

export type Inputs = { a: Reference; b: Reference };

/** Every element of the result: its place in both operands. */
function places(a: Reference, b: Reference): { shape: number[]; pairs: { a: number; b: number }[] } {
  const rank = Math.max(a.shape.length, b.shape.length);
  const extent = ({ shape }: Reference, axis: number): number => shape[axis - rank + shape.length] ?? 1;
  const shape = Array.from({ length: rank }, (_, axis) => Math.max(extent(a, axis), extent(b, axis)));
  const count = shape.reduce((size, each) => size * each, 1);
  const placeIn = (operand: Reference, index: number): number => {
    let rest = index;
    let place = 0;
    let step = 1;
    for (let axis = rank - 1; axis >= 0; axis--) {
      const size = shape[axis] as number;
      const own = extent(operand, axis);
      if (own > 1) place += (rest % size) * step;
      rest = Math.floor(rest / size);
      step *= own;
    }
    return place;
  };
  return { shape, pairs: Array.from({ length: count }, (_, i) => ({ a: placeIn(a, i), b: placeIn(b, i) })) };
}

export function forward({ value }: BinaryReference, { a, b }: Inputs): { y: Reference } {
  const { shape, pairs } = places(a, b);
  const data = Float64Array.from(pairs, (at) => value(a.data[at.a] as number, b.data[at.b] as number));
  return { y: { shape, data } };
}

export function backward({ slopes }: BinaryReference, { a, b }: Inputs, { y: dy }: References): Inputs {
  const gradients = { a: new Float64Array(a.data.length), b: new Float64Array(b.data.length) };
  for (const [i, at] of places(a, b).pairs.entries()) {
    const [x, z] = [a.data[at.a] as number, b.data[at.b] as number];
    const upstream = dy?.data[i] as number;
    gradients.a[at.a] = (gradients.a[at.a] as number) + upstream * slopes[0](x, z);
    gradients.b[at.b] = (gradients.b[at.b] as number) + upstream * slopes[1](x, z);
  }
  return { a: { shape: a.shape, data: gradients.a }, b: { shape: b.shape, data: gradients.b } };
}
