import { describe, expect, it } from 'vitest';
import { nearestToCentre, placeByKey, placeName } from './places';

it('names places as rows and columns from 1', () => {
  expect(placeName(0, 4)).toBe('row 1, column 1');
  expect(placeName(6, 4, true)).toBe('row 2, column 3, hidden');
});

describe('keys', () => {
  it.each([
    ['ArrowLeft', 5, 4],
    ['ArrowRight', 5, 6],
    ['ArrowUp', 5, 1],
    ['ArrowDown', 5, 9],
    ['Home', 6, 4],
    ['End', 5, 7],
  ])('%s leads from %i to %i', (key, from, to) => expect(placeByKey(from, 4, key)).toBe(to));

  it.each([
    ['ArrowLeft', 4],
    ['ArrowRight', 7],
    ['ArrowUp', 2],
    ['ArrowDown', 13],
  ])('%s stays at the edge, at %i', (key, at) => expect(placeByKey(at, 4, key)).toBe(at));

  it('others lead nowhere', () => expect(placeByKey(5, 4, 'a')).toBeUndefined());
});

it('finds the place nearest to the centre', () => {
  expect(nearestToCentre([0, 3, 9, 15], 4)).toBe(9);
  expect(nearestToCentre([0, 1, 8], 3)).toBe(1);
  expect(nearestToCentre([2], 3)).toBe(2);
});
