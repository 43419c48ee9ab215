import { describe, expect, it } from 'vitest';
import type { AttentionLayer } from '../../../imae/inspect/inspector';
import {
  describeMap,
  fitsAtAGlance,
  headMaps,
  meanOverHeads,
  partTitles,
  formatAttention,
  colourScale,
  strength,
} from './attention';

/** Two heads over four places, of which the encoder has no token of the last. */
const MAP = {
  toPlaces: [Float64Array.of(0.5, 0.3, 0.1, NaN), Float64Array.of(0.1, 0.1, 0.7, NaN)],
  toClass: [0.1, 0.1],
};

const layers = (depth: number, heads: number): AttentionLayer[] =>
  Array.from({ length: depth }, (_, block) => ({ part: 'encoder', block, heads }));

describe('what is shown at once', () => {
  it.each([
    [3, 4, true],
    [4, 3, true],
    [12, 3, false],
    [12, 12, false],
  ])('%i layers of %i heads: %s', (depth, heads, all) => expect(fitsAtAGlance(layers(depth, heads))).toBe(all));
});

it('takes heads apart and averages them, and keeps what has no token', () => {
  expect(headMaps(MAP)).toEqual([
    { toPlaces: MAP.toPlaces[0], toClass: 0.1 },
    { toPlaces: MAP.toPlaces[1], toClass: 0.1 },
  ]);
  const { toPlaces, toClass } = meanOverHeads(MAP);
  for (const [place, weight] of [0.3, 0.2, 0.4].entries()) expect(toPlaces[place]).toBeCloseTo(weight, 12);
  expect(toPlaces[3]).toBeNaN();
  expect(toClass).toBeCloseTo(0.1, 12);
});

describe('the scale', () => {
  it('ends at the largest weight of all maps, and knows what all would get alike: the class token too', () => {
    expect(colourScale(headMaps(MAP))).toEqual({ top: 0.7, even: 1 / 4 });
  });

  it('rises from nothing to all, faint weights first', () => {
    expect([0, 0.7].map((weight) => strength(weight, 0.7))).toEqual([0, 1]);
    expect(strength(0.07, 0.7)).toBeGreaterThan(0.3);
    expect(strength(0.1, 0.7)).toBeLessThan(strength(0.2, 0.7));
    expect(strength(0, 0)).toBe(0);
  });
});

it('says in words where most goes', () => {
  const [, second] = headMaps(MAP);
  expect(second && describeMap(second, 2)).toBe(
    '70 % to row 2, column 1; 10 % to row 1, column 1; 10 % to row 1, column 2; 10 % to the class token',
  );
  expect([0, 0.001, 0.0994, 0.0996, 0.5].map(formatAttention)).toEqual(['0 %', '0.1 %', '9.9 %', '10 %', '50 %']);
});

it('offers the parts that a model has', () => {
  expect(partTitles('both').map(({ value }) => value)).toEqual(['encoder', 'subordinate', 'dominant']);
  for (const task of ['subordinate', 'mixture'] as const) {
    expect(partTitles(task)).toEqual([
      { value: 'encoder', title: 'Encoder' },
      { value: 'subordinate', title: 'Decoder' },
    ]);
  }
});
