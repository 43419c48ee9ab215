import { describe, expect, it } from 'vitest';
import { learningRateAt } from './schedule';

describe('learningRateAt', () => {
  const schedule = { peak: 1e-3, minimum: 1e-5, warmupSteps: 10, steps: 110 };
  const middle = (1e-3 + 1e-5) / 2;

  it.each([
    ['0 at the first step', 0, 0],
    ['half the peak half way up', 5, 5e-4],
    ['one step short of the peak', 9, 9e-4],
    ['the peak after the warm-up', 10, 1e-3],
    ['the middle half way down', 60, middle],
    ['½(1 + cos(π/3)) = ¾ at a third', 10 + 100 / 3, 1e-5 + 0.75 * (1e-3 - 1e-5)],
    ['the minimum at the end', 110, 1e-5],
    ['the minimum after the end', 500, 1e-5],
  ])('is %s', (_, step, expected) => {
    expect(learningRateAt(schedule, step)).toBeCloseTo(expected, 15);
  });

  it('falls from the peak to the minimum without a jump', () => {
    const rates = Array.from({ length: 100 }, (_, i) => learningRateAt(schedule, 10 + i));
    for (const [i, rate] of rates.entries()) {
      const next = rates[i + 1] ?? schedule.minimum;
      expect(next).toBeLessThanOrEqual(rate);
      // The steepest fall of half a cosine over n steps is π/2n of its height.
      expect(rate - next).toBeLessThan((Math.PI / 200) * 1e-3 * 1.01);
    }
  });

  it.each([
    ['the peak after the warm-up', 10, 1e-3],
    ['the peak until the last share', 60, 1e-3],
    ['the middle half way down the line', 85, middle],
    ['three quarters down', 97.5, 1e-5 + 0.25 * (1e-3 - 1e-5)],
    ['the minimum at the end', 110, 1e-5],
    ['the minimum after the end', 500, 1e-5],
  ])('in a straight line over the last half is %s', (_, step, expected) => {
    expect(learningRateAt({ ...schedule, decay: 0.5 }, step)).toBeCloseTo(expected, 15);
  });

  it('starts at the peak without a warm-up, and stands for a run of warm-up alone', () => {
    expect(learningRateAt({ ...schedule, warmupSteps: 0 }, 0)).toBe(1e-3);
    expect(learningRateAt({ ...schedule, warmupSteps: 110 }, 109)).toBeCloseTo(1e-3 * (109 / 110), 15);
    expect(learningRateAt({ ...schedule, warmupSteps: 110 }, 110)).toBe(1e-3);
  });
});
