import { describe, expect, it } from 'vitest';
import { fromHalf, roundToHalf, toHalf } from './half';

describe('f16 on the host', () => {
  it('every f16 is itself', () => {
    const all = Uint16Array.from({ length: 65536 }, (_, i) => i).filter((pattern) => (pattern & 0x7c00) !== 0x7c00);
    expect(toHalf(fromHalf(all))).toEqual(all);
  });

  it.each([
    [1, 0x3c00],
    [-2, 0xc000],
    [65504, 0x7bff],
    [65519, 0x7bff],
    [65520, 0x7c00],
    [-Infinity, 0xfc00],
    [-0, 0x8000],
    [2 ** -24, 0x0001],
    [2 ** -25, 0x0000], // a tie, to even
    [3 * 2 ** -25, 0x0002],
    [2 ** -14 - 2 ** -26, 0x0400], // up to the smallest that is normal
    [1 + 2 ** -11, 0x3c00],
    [1 + 3 * 2 ** -11, 0x3c02],
    [2 - 2 ** -12, 0x4000],
  ])('%d is %i', (value, pattern) => {
    expect(toHalf([value])[0]).toBe(pattern);
  });

  it('keeps NaN, and rounds by at most 2⁻¹¹', () => {
    expect(roundToHalf(NaN)).toBeNaN();
    for (let x = 1e-4; x < 6e4; x *= 1.07) expect(Math.abs(roundToHalf(-x) / -x - 1)).toBeLessThanOrEqual(2 ** -11);
  });
});
