import { expect, it } from 'vitest';
import { RandomStream } from '../../data/philox';
import * as purposes from '../../data/purposes';
import { Bootstrap } from './bootstrap';

const COUNT = 400;

it('the interval of a mean is that of the normal law', () => {
  const draws = RandomStream.at(1, purposes.evaluation, 0);
  const values = Float64Array.from({ length: COUNT }, () => draws.normal());
  const { value, low, high } = new Bootstrap(COUNT).mean(values);
  const deviation = Math.sqrt(values.reduce((sum, x) => sum + (x - value) ** 2, 0) / COUNT);
  const half = (1.96 * deviation) / Math.sqrt(COUNT);
  // A quantile of 1,000 resamples is known to some 4 %.
  expect((high - low) / 2).toBeGreaterThan(0.85 * half);
  expect((high - low) / 2).toBeLessThan(1.15 * half);
  expect(low).toBeLessThan(value);
  expect(high).toBeGreaterThan(value);
});

it('a ratio of what is always the same has no width', () => {
  const values = Float64Array.from({ length: COUNT }, (_, at) => 1 + (at % 7));
  const ratio = new Bootstrap(COUNT).of([values, values], ([a = 0, b = 1]) => 1 - a / b);
  expect(ratio).toEqual({ value: 0, low: 0, high: 0 });
});

it('the same seed gives the same interval, another one another', () => {
  const values = Float64Array.from({ length: COUNT }, (_, at) => Math.sqrt(at));
  expect(new Bootstrap(COUNT, 1).mean(values)).toEqual(new Bootstrap(COUNT, 1).mean(values));
  expect(new Bootstrap(COUNT, 1).mean(values)).not.toEqual(new Bootstrap(COUNT, 2).mean(values));
});
