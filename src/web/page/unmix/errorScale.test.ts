import { expect, it } from 'vitest';
import { errorScale } from './errorScale';

it('goes from one colour to the other in steps that the eye sees as even', () => {
  const scale = errorScale('#ffffff', '#000000');
  expect(scale).toHaveLength(256);
  expect([scale[0], scale.at(-1)]).toEqual([
    [255, 255, 255],
    [0, 0, 0],
  ]);
  // Halfway between white and black the eye sees Oklab's lightness ½, an eighth of the light: sRGB 99.
  expect(scale[127]?.every((value) => Math.abs(value - 99) <= 1)).toBe(true);
  expect(errorScale('#1f1e1b', '#ff9d8c')[0]).toEqual([0x1f, 0x1e, 0x1b]);
  expect(errorScale('#1f1e1b', '#ff9d8c').at(-1)).toEqual([0xff, 0x9d, 0x8c]);
});
