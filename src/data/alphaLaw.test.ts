import { describe, expect, it } from 'vitest';
import { UserError } from '../common/userError';
import { drawAlphas, type AlphaLaw } from './alphaLaw';

const range = (count: number): number[] => Array.from({ length: count }, (_, index) => index);

describe('drawAlphas', () => {
  it('fixes α', () => {
    expect([...drawAlphas(0, 3, 3, { law: 'fixed', value: 0.35 }, 'sample')]).toEqual(
      new Array(3).fill(Math.fround(0.35)),
    );
  });

  it.each<AlphaLaw>([
    { law: 'beta', a: 1, b: 1 },
    { law: 'uniform', low: 0.1, high: 0.45 },
  ])('draws one for the batch: $law', (law) => {
    const steps = range(20).map((step) => drawAlphas(1, step, 17, law, 'batch'));
    for (const alphas of steps) expect(new Set(alphas).size).toBe(1);
    expect(new Set(steps.map(([alpha]) => alpha)).size).toBe(20);
    expect(drawAlphas(1, 13, 17, law, 'batch')).toEqual(steps[13]);
  });

  // Bands are five standard errors of a mean of 4000.
  it.each<[AlphaLaw, number, number]>([
    [{ law: 'beta', a: 1, b: 1 }, 0.5, 0.023],
    [{ law: 'beta', a: 2, b: 6 }, 0.25, 0.012],
    [{ law: 'uniform', low: 0.1, high: 0.45 }, 0.275, 0.008],
  ])('draws one for each sample: %j', (law, mean, band) => {
    const alphas = drawAlphas(1, 0, 4000, law, 'sample');
    expect(new Set(alphas).size).toBeGreaterThan(3900);
    expect(Math.abs(alphas.reduce((sum, alpha) => sum + alpha, 0) / 4000 - mean)).toBeLessThan(band);
    const [low, high] = law.law === 'uniform' ? [Math.fround(law.low), Math.fround(law.high)] : [0, 1];
    expect(alphas.every((alpha) => alpha >= low && alpha <= high)).toBe(true);
  });

  it.each<[AlphaLaw, RegExp]>([
    [{ law: 'fixed', value: 1.1 }, /α can't be (1\.1|NaN)\. Give a number from 0 up to 1/],
    [{ law: 'fixed', value: NaN }, /α can't be (1\.1|NaN)\. Give a number from 0 up to 1/],
    [{ law: 'beta', a: 0, b: 1 }, /α can't be beta\(.*with A and B above 0/],
    [{ law: 'beta', a: 1, b: Infinity }, /α can't be beta\(.*with A and B above 0/],
    [{ law: 'uniform', low: 0.5, high: 0.4 }, /uniform\(0\.5,0\.4\)/],
    [{ law: 'uniform', low: -0.1, high: 0.4 }, /uniform\(-0\.1,0\.4\)/],
  ])('refuses %j', (law, message) => {
    expect(() => drawAlphas(0, 0, 1, law, 'batch')).toThrow(UserError);
    expect(() => drawAlphas(0, 0, 1, law, 'batch')).toThrow(message);
  });
});
