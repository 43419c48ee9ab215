import { describe, expect, it } from 'vitest';
import { exactCos, exactExp, exactLog, power, exactSin } from './exactMath';

/** Numbers between two bounds, the same each time. */
function between(low: number, high: number, count = 20_000): number[] {
  return Array.from({ length: count }, (_, i) => low + (high - low) * ((i * 0.6180339887498949) % 1));
}

const LIMIT = 6e-16; // five roundings of 1.1e-16; `Math` has one of its own

describe('functions that are the same everywhere', () => {
  it.each([
    ['sin', exactSin, Math.sin],
    ['cos', exactCos, Math.cos],
  ] as const)('%s is that of Math within rounding', (_, ours, theirs) => {
    for (const x of [...between(-7, 7), ...between(-1000, 1000), 0, -0, Math.PI / 2, Math.PI]) {
      expect(Math.abs(ours(x) - theirs(x)), String(x)).toBeLessThan(LIMIT);
    }
  });

  it.each([
    ['exp', exactExp, Math.exp, [...between(-1, 1), ...between(-700, 700), 0, -745, 709.7]],
    ['log', exactLog, Math.log, [...between(1e-12, 2), ...between(1e-9, 1e9), 1, 2 ** -1074, Number.MAX_VALUE]],
  ] as const)('%s is that of Math within rounding', (_, ours, theirs, places) => {
    for (const x of places) {
      const [found, expected] = [ours(x), theirs(x)];
      const scale = Math.abs(expected) + (Math.abs(expected) < 1e-300 ? Number.MIN_VALUE / LIMIT : 0);
      expect(Math.abs(found - expected), String(x)).toBeLessThanOrEqual(LIMIT * scale);
    }
  });

  it('have their limits', () => {
    expect([exactExp(-Infinity), exactExp(Infinity), exactExp(800), exactExp(-800), exactExp(NaN)]).toEqual([
      0,
      Infinity,
      Infinity,
      0,
      NaN,
    ]);
    expect([exactLog(0), exactLog(-1), exactLog(Infinity), exactLog(NaN), exactLog(1)]).toEqual([
      -Infinity,
      NaN,
      Infinity,
      NaN,
      0,
    ]);
    expect([exactSin(0), exactCos(0), exactExp(0)]).toEqual([0, 1, 1]);
  });

  it('power multiplies', () => {
    expect([power(3, 0), power(3, 1), power(3, 5), power(0.5, 10), power(0, 3)]).toEqual([1, 3, 243, 2 ** -10, 0]);
    for (const n of [7, 100, 1000, 12_345]) expect(power(0.999, n) / 0.999 ** n - 1).toBeCloseTo(0, 12);
  });
});
