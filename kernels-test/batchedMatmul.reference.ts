import type { MatmulLayout } from '../src/ops/matmulPlan';
import { sizeOf, type Shape } from '../src/tensor/shape';
import { zeros, type Reference, type References } from './allclose';
import * as matrices from './matmul.reference';

export type Inputs = { a: Reference; b: Reference };

/** At least a matrix, as torch.matmul takes vectors. */
function asMatrices({ a, b }: Inputs): Inputs {
  return {
    a: a.shape.length > 1 ? a : { ...a, shape: [1, ...a.shape] },
    b: b.shape.length > 1 ? b : { ...b, shape: [...b.shape, 1] },
  };
}

/** For each matrix of the result, which one of an operand it is made of. */
export function placesOf(stack: Shape, shape: Shape): number[] {
  let places = [0];
  shape.forEach((extent, axis) => {
    const own = stack[axis - shape.length + stack.length] ?? 1;
    places = places.flatMap((place) => Array.from({ length: extent }, (_, i) => place * own + (own > 1 ? i : 0)));
  });
  return places;
}

function stacksOf({ a, b }: Inputs): { shape: number[]; pairs: { a: number; b: number }[] } {
  const [ofA, ofB] = [a.shape.slice(0, -2), b.shape.slice(0, -2)];
  const rank = Math.max(ofA.length, ofB.length);
  const shape = Array.from({ length: rank }, (_, axis) => {
    const [x, y] = [ofA[axis - rank + ofA.length] ?? 1, ofB[axis - rank + ofB.length] ?? 1];
    return x === 1 ? y : x;
  });
  const placesB = placesOf(ofB, shape);
  return { shape, pairs: placesOf(ofA, shape).map((place, i) => ({ a: place, b: placesB[i] as number })) };
}

function matrixOf({ shape, data }: Reference, index: number): Reference {
  const own = shape.slice(-2);
  return { shape: own, data: data.subarray(index * sizeOf(own), (index + 1) * sizeOf(own)) };
}

function add(onto: Reference, index: number, { data }: Reference, scale: number): void {
  data.forEach((value, i) => {
    onto.data[index * data.length + i] = (onto.data[index * data.length + i] as number) + scale * value;
  });
}

/** scale · op(A)·op(B) of stacks, matrix by matrix. */
export function forward(layout: MatmulLayout, inputs: Inputs, scale = 1): { c: Reference } {
  const given = asMatrices(inputs);
  const { shape, pairs } = stacksOf(given);
  const m = given.a.shape.at(layout === 'tn' ? -1 : -2) as number;
  const n = given.b.shape.at(layout === 'nt' ? -2 : -1) as number;
  const c = zeros([...shape, m, n]);
  for (const [i, at] of pairs.entries()) {
    add(c, i, matrices.forward(layout, { a: matrixOf(given.a, at.a), b: matrixOf(given.b, at.b) }).c, scale);
  }
  const own = [...(inputs.a.shape.length > 1 ? [m] : []), ...(inputs.b.shape.length > 1 ? [n] : [])];
  return { c: { shape: [...shape, ...own], data: c.data } };
}

export function backward(layout: MatmulLayout, inputs: Inputs, { c }: References, scale = 1): Inputs {
  const given = asMatrices(inputs);
  const { shape, pairs } = stacksOf(given);
  const m = given.a.shape.at(layout === 'tn' ? -1 : -2) as number;
  const n = given.b.shape.at(layout === 'nt' ? -2 : -1) as number;
  const dC = { shape: [...shape, m, n], data: (c as Reference).data };
  const gradients = { a: zeros(inputs.a.shape), b: zeros(inputs.b.shape) };
  for (const [i, at] of pairs.entries()) {
    const operands = { a: matrixOf(given.a, at.a), b: matrixOf(given.b, at.b) };
    const { a, b } = matrices.backward(layout, operands, { c: matrixOf(dC, i) });
    add(gradients.a, at.a, a, scale);
    add(gradients.b, at.b, b, scale);
  }
  return gradients;
}
