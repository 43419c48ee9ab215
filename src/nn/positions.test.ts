import { describe, expect, it } from 'vitest';
import { sinCosPositions } from './positions';

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
