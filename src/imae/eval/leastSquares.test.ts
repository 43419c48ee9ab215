import { describe, expect, it } from 'vitest';
import { integer, RandomStream } from '../../data/philox';
import * as purposes from '../../data/purposes';
import { LeastSquares, squaredErrors } from './leastSquares';

const stream = (step: number): RandomStream => RandomStream.at(3, purposes.evaluation, step);
const normals = (count: number, step: number): Float32Array => {
  const draws = stream(step);
  return Float32Array.from({ length: count }, () => draws.normal());
};
const mean = (values: Float64Array): number => values.reduce((sum, value) => sum + value, 0) / values.length;

/** y = A·x + b, exactly enough in f32: whole numbers of a few bits. */
function affine(rows: number, p: number, q: number): { x: Float32Array; y: Float32Array } {
  const draws = stream(1);
  const x = Float32Array.from({ length: rows * p }, () => integer(draws, 17) - 8);
  const a = Array.from({ length: q * p }, () => integer(draws, 9) - 4);
  const y = Float32Array.from({ length: rows * q }, (_, at) => {
    const [row, k] = [Math.floor(at / q), at % q];
    let sum = k - 1;
    for (let i = 0; i < p; i++) sum += (a[k * p + i] ?? 0) * (x[row * p + i] ?? 0);
    return sum;
  });
  return { x, y };
}

describe('least squares', () => {
  it.each([
    [200, 1, 1],
    [300, 3, 17],
    [401, 17, 3],
    [700, 65, 33],
  ])('of %i rows, %i inputs and %i outputs find an affine map, the closer the smaller the ridge', (rows, p, q) => {
    const { x, y } = affine(rows, p, q);
    const squares = new LeastSquares(p, [q]);
    // In two parts, and one of them no whole chunk.
    const cut = 150;
    squares.add(x.subarray(0, cut * p), [y.subarray(0, cut * q)]);
    squares.add(x.subarray(cut * p), [y.subarray(cut * q)]);
    const errors = [1e-2, 1e-4, 1e-6, 1e-10].map((ridge) =>
      mean(squaredErrors(squares.solve(ridge)[0] as never, x, y)),
    );
    for (const [at, error] of errors.slice(1).entries()) expect(error).toBeLessThan((errors[at] ?? 0) / 100);
    expect(errors.at(-1)).toBeLessThan(1e-12 * mean(Float64Array.from(y, (value) => value * value)));
  });

  it('leave the noise that there is, and no more than their freedom takes of it', () => {
    const [rows, p, sigma] = [4000, 12, 0.5];
    const x = normals(rows * p, 2);
    const noise = normals(rows, 3);
    const y = Float32Array.from({ length: rows }, (_, row) => (x[row * p] ?? 0) + sigma * (noise[row] ?? 0));
    const squares = new LeastSquares(p, [1]);
    squares.add(x, [y]);
    const [map] = squares.solve();
    // E[residual²] on the rows themselves is σ²(1 − (p + 1)/n); its deviation is σ²·√(2/n), of which 4 are allowed.
    const expected = sigma ** 2 * (1 - (p + 1) / rows);
    expect(Math.abs(mean(squaredErrors(map as never, x, y)) - expected)).toBeLessThan(
      4 * sigma ** 2 * Math.sqrt(2 / rows),
    );
  });

  it('serve several outputs with one set of inputs, as each by itself', () => {
    const { x, y } = affine(90, 5, 3);
    const other = normals(90 * 2, 4);
    const both = new LeastSquares(5, [3, 2]);
    both.add(x, [y, other]);
    const alone = new LeastSquares(5, [2]);
    alone.add(x, [other]);
    expect(both.solve()[1]).toEqual(alone.solve()[0]);
  });

  it('refuse inputs that depend on each other without a ridge', () => {
    const squares = new LeastSquares(2, [1]);
    squares.add(new Float32Array([1, 1, 2, 2, 3, 3, 5, 5]), [new Float32Array([1, 2, 3, 5])]);
    expect(() => squares.solve(0)).toThrow(RangeError);
    expect(
      mean(squaredErrors(squares.solve()[0] as never, new Float32Array([4, 4]), new Float32Array([4]))),
    ).toBeLessThan(1e-9);
  });
});
