import { describe, expect, it } from 'vitest';
import { spread } from './report';

describe('spread', () => {
  it('keeps the first and the last and spreads the others', () => {
    expect(spread([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10], 3)).toEqual([0, 5, 10]);
    expect(
      new Set(
        spread(
          Array.from({ length: 9 }, (_, i) => i),
          8,
        ),
      ).size,
    ).toBe(8);
  });

  it('keeps all of a few', () => {
    expect(spread([1, 2], 8)).toEqual([1, 2]);
    expect(spread([], 8)).toEqual([]);
  });
});
