import { zeros, type Reference } from './allclose';

/** The sum of the rows of x [rows, width]: [width]. */
export function rowsSum({ shape: [, width = 1], data }: Reference): Reference {
  const sum = zeros([width]);
  data.forEach((value, i) => (sum.data[i % width] = (sum.data[i % width] as number) + value));
  return sum;
}
