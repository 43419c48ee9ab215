import { describe, expect, it } from 'vitest';
import { interpolatePositions, sinCosPositions } from './positions';

describe('sinCosPositions', () => {
  it('has the values of the formula, worked out by hand for 8 channels on a 2×2 grid', () => {
    // ω = 10000^(−k/2) = 1, 0.01. Columns vary fastest; each row: sin, cos of the column, then sin, cos of the row.
    const [s1, s2, c1, c2] = [0.8414709848, 0.0099998333, 0.5403023059, 0.9999500004];
    const at0 = [0, 0, 1, 1];
    const at1 = [s1, s2, c1, c2];
    const token = Array<number>(8).fill(0);
    const expected = [token, at0, at0, at1, at0, at0, at1, at1, at1].flat();
    const table = sinCosPositions(8, 2);
    expect(table).toHaveLength(expected.length);
    for (const [i, value] of expected.entries()) expect(table[i]).toBeCloseTo(value, 7); // f32 rounds at 6e-8
  });

  it('gives every place of a larger grid a row of its own, of one length', () => {
    const [dim, grid] = [192, 16];
    const table = sinCosPositions(dim, grid);
    const rows = Array.from({ length: grid * grid }, (_, row) => table.subarray((1 + row) * dim, (2 + row) * dim));
    expect(new Set(rows.map(String)).size).toBe(grid * grid);
    // sin² + cos² = 1 for each of the dim/2 pairs.
    for (const row of rows) expect(row.reduce((sum, x) => sum + x * x, 0)).toBeCloseTo(dim / 2, 4);
  });
});

describe('interpolatePositions', () => {
  // sin(p·(c + 1)) of place p and channel c, rounded, on 3×3 places; the class token's row before them.
  const places = Array.from({ length: 9 }, (_, p) => [1, 2].map((c) => Math.round(Math.sin(p * c) * 100) / 100));
  const table = Float32Array.from([[7, 8], ...places].flat());

  // F.interpolate(…, mode='bicubic', align_corners=False) of PyTorch 1.13 on the CPU.
  it.each<[number, number[][]]>([
    [
      2,
      [
        [0.1331706, 0.22618788],
        [0.43339267, -0.31124267],
        [-0.08230697, -0.10795716],
        [0.45329159, 0.01497438],
      ],
    ],
    [
      4,
      [
        [-0.07930625, -0.04336501],
        [0.5973236, 0.77022505],
        [1.09305823, 0.39598638],
        [1.05063915, -0.89638042],
        [0.16979741, -0.23033264],
        [-0.15054655, 0.73721665],
        [-0.44963577, 0.5038932],
        [-0.51192731, -0.76215506],
        [0.03476218, -0.50517416],
        [-0.2655609, 0.64963222],
        [-0.48505339, 0.63962179],
        [-0.46553487, -0.52799129],
        [-0.38709688, -0.66982102],
        [0.33516732, 0.57059073],
        [1.01232958, 0.70535737],
        [1.15638292, -0.36264268],
      ],
    ],
  ])('to %i×%i is PyTorch’s', (to, expected) => {
    const found = interpolatePositions(table, 2, 3, to);
    expect([...found.subarray(0, 2)]).toEqual([7, 8]);
    for (const [i, value] of expected.flat().entries()) expect(found[2 + i]).toBeCloseTo(value, 6); // f32 sums of 16 terms
    expect(found).toHaveLength(2 + expected.flat().length);
  });

  it('to the same size changes nothing, and from one place repeats it', () => {
    expect(interpolatePositions(table, 2, 3, 3)).toEqual(table);
    expect([...interpolatePositions(Float32Array.of(1, 2), 1, 1, 2)]).toEqual([1, 2, 2, 2, 2]);
  });
});
