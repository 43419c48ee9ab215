import { expect, it } from 'vitest';
import { imageToPatches } from '../eval/patches';
import { pictureOf } from './viewerPictures';

const SIZE = {
  image: 4,
  patch: 2,
  channels: 3,
  dim: 4,
  depth: 1,
  heads: 1,
  decoderDim: 4,
  decoderDepth: 1,
  decoderHeads: 1,
};
const NORMALISATION = { mean: [0.5, 0.5, 0.5], std: [0.25, 0.25, 0.5] };

it('a reconstruction in colours, and at each pixel how far off it is, on the scale from black to white', () => {
  const target = Float32Array.from({ length: 48 }, (_, i) => Math.sin(i));
  const predicted = target.slice();
  // Of the pixel at row 1, column 2: in normalised red by 2, in normalised blue by −1: both half of black to white.
  predicted[6] = (target[6] ?? 0) + 2;
  predicted[38] = (target[38] ?? 0) - 1;
  const { rgba, distances } = pictureOf(SIZE, imageToPatches(SIZE, predicted), target, NORMALISATION);
  for (const [pixel, distance] of distances.entries())
    expect(distance).toBeCloseTo(pixel === 6 ? Math.sqrt((0.25 + 0.25) / 3) : 0, 6);
  const wanted = [0, 1, 2].map((channel) => {
    const value = (predicted[channel * 16 + 9] ?? 0) * (NORMALISATION.std[channel] ?? 0) + 0.5;
    return Math.round(255 * Math.min(1, Math.max(0, value)));
  });
  expect([...rgba.slice(36, 40)]).toEqual([...wanted, 255]);
});
