import type { Reference, References } from './allclose';

/** The elements that an operand is stretched to, each by its place in the operand. */
function stretched(own: readonly number[], shape: readonly number[]): number[] {
  const missing = shape.length - own.length;
  return shape.reduce<number[]>(
    (places, size, axis) => {
      const extent = own[axis - missing] ?? 1;
      return places.flatMap((place) => Array.from({ length: size }, (_, i) => place * extent + (extent > 1 ? i : 0)));
    },
    [0],
  );
}

export type Inputs = { a: Reference; b: Reference };

export function forward(condition: Reference, { a, b }: Inputs, shape: readonly number[]): { y: Reference } {
  const [ofA, ofB] = [stretched(a.shape, shape), stretched(b.shape, shape)];
  const data = stretched(condition.shape, shape).map(
    (place, i) => (condition.data[place] ? a.data[ofA[i] as number] : b.data[ofB[i] as number]) as number,
  );
  return { y: { shape, data: Float64Array.from(data) } };
}

export function backward(condition: Reference, { a, b }: Inputs, { y: dy }: References): Inputs {
  const shape = dy?.shape ?? [];
  const truths = stretched(condition.shape, shape).map((place) => Boolean(condition.data[place]));
  const gradient = (own: Reference, isFirst: boolean): Reference => {
    const data = new Float64Array(own.data.length);
    for (const [i, place] of stretched(own.shape, shape).entries()) {
      if (truths[i] === isFirst) data[place] = (data[place] as number) + (dy?.data[i] as number);
    }
    return { shape: own.shape, data };
  };
  return { a: gradient(a, true), b: gradient(b, false) };
}
