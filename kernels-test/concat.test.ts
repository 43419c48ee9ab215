import { concat } from '../src/ops/concat';
import { operationTest, random, zeros, type Reference } from './allclose';
import * as reference from './concat.reference';
import { suite } from './suite';

// Rows of two parts, and the shape of a row.
const SHAPES = [
  [[1, 1], []],
  [[3, 1], [3]],
  [[2, 5], [4]],
  [
    [17, 3],
    [3, 65],
  ],
  [
    [2, 2],
    [3, 32, 32],
  ],
] as const;

type Inputs = { a: Reference; b: Reference };

const tests = SHAPES.map(([[rowsA, rowsB], inner]) =>
  operationTest<Inputs>({
    name: `${rowsA} + ${rowsB} of ${inner.join('×') || 'one'}`,
    inputs: { a: random([rowsA, ...inner], 1), b: random([rowsB, ...inner], 2) },
    // A part that comes twice gets both gradients.
    operation: ({ a, b }) => ({ y: concat([a, b, a]) }),
    forward: ({ a, b }) => ({ y: reference.concat([a, b, a]) }),
    backward: ({ a, b }, dOutputs) => {
      const [first = zeros([0]), dB = zeros([0]), last] = reference.split(dOutputs['y'] ?? zeros([0]), [a, b, a]);
      return { a: { shape: a.shape, data: first.data.map((value, i) => value + (last?.data[i] as number)) }, b: dB };
    },
  }),
);

export default suite('concat', tests);
