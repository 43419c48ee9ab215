import { describe, expect, it } from 'vitest';
import { formatShape, matchShape, rowsOf, sizeOf } from './shape';

describe('shapes', () => {
  it('have a size; that of a scalar is 1', () => {
    expect(sizeOf([2, 3, 5])).toBe(30);
    expect(sizeOf([])).toBe(1);
    expect(sizeOf([4, 0])).toBe(0);
  });

  it('split into rows and a width', () => {
    expect(rowsOf([2, 3, 5])).toEqual({ rows: 6, width: 5 });
    expect(rowsOf([5])).toEqual({ rows: 1, width: 5 });
    expect(rowsOf([])).toEqual({ rows: 1, width: 1 });
  });

  it('are written as in code', () => {
    expect(formatShape([2, 3])).toBe('[2, 3]');
    expect(formatShape([])).toBe('[]');
  });
});

describe('matchShape', () => {
  it('gives the extents of names', () => {
    expect(matchShape('op', 'x', [2, 3, 4], ['B', 'N', 4])).toEqual({ B: 2, N: 3 });
  });

  it('keeps what is known, and holds new shapes to it', () => {
    expect(matchShape('op', 'x', [2, 3], ['B', 'N'], { B: 2 })).toEqual({ B: 2, N: 3 });
  });

  it.each([
    ['another extent', [2, 5], ['B', 4], {}, 'op: x has shape [2, 5], not [B, 4]. Reshape it.'],
    ['another number of axes', [2, 4, 1], ['B', 4], {}, 'op: x has shape [2, 4, 1], not [B, 4].'],
    ['fewer axes', [2], ['B', 4], {}, 'op: x has shape [2], not [B, 4].'],
    ['one name for two extents', [2, 3], ['N', 'N'], {}, 'op: x has shape [2, 3], not [N, N].'],
    ['a name known otherwise', [3, 4], ['B', 4], { B: 2 }, 'op: x has shape [3, 4], not [B = 2, 4].'],
  ])('refuses %s', (_, shape, pattern, known, message) => {
    expect(() => matchShape('op', 'x', shape, pattern, known as Record<string, number>)).toThrow(
      expect.objectContaining({ code: 'bad-shape', message: expect.stringContaining(message) as string }),
    );
  });

  it('does not change what was known', () => {
    const known = { B: 2 };
    matchShape('op', 'x', [2, 3], ['B', 'N'], known);
    expect(known).toEqual({ B: 2 });
  });
});
