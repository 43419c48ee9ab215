import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { UserError } from '../common/userError';
import { imageBytes } from './imageSet';
import { makeShapes, makeShapesTrainTest } from './shapes';

const digest = (images: Uint8Array): string => createHash('sha256').update(images).digest('hex');
const mean = (values: Uint8Array): number => values.reduce((sum, value) => sum + value, 0) / values.length;

describe('makeShapes', () => {
  const set = makeShapes({ count: 200, seed: 4 });
  const bytes = imageBytes(set);

  it('has every shape equally often', () => {
    expect(set.classes).toEqual(['disc', 'ring', 'square', 'triangle', 'star', 'cross', 'stripes', 'crescent']);
    const counts = set.classes.map((_, label) => set.labels.filter((value) => value === label).length);
    expect(counts).toEqual(new Array(8).fill(25));
  });

  it('draws large shapes in one colour on black, with soft edges', () => {
    const colours = new Set<string>();
    let worst = 0;
    let steepest = 0;
    for (let image = 0; image < set.count; image++) {
      const pixel = (index: number): number[] =>
        [0, 1, 2].map((channel) => set.images[image * bytes + channel * 1024 + index] as number);
      const pixels = Array.from({ length: 1024 }, (_, index) => pixel(index));
      const lit = pixels.filter((rgb) => Math.max(...rgb) > 127);
      expect(lit.length).toBeGreaterThan(0.18 * 1024);
      expect(lit.length).toBeLessThan(0.65 * 1024);
      // Pixels at an edge are darker than the colour itself.
      const full = lit.reduce((brightest, rgb) => (Math.max(...rgb) > Math.max(...brightest) ? rgb : brightest));
      expect(Math.max(...full)).toBeGreaterThan(191); // ⅞ of the least bright colour's 220
      // By the channels' proportions: brightness varies. No colour lies near a bound of these eighths.
      colours.add(full.map((value) => Math.round((8 * value) / Math.max(...full))).join());
      for (const [index, rgb] of pixels.entries()) {
        for (const neighbour of [index % 32 < 31 ? index + 1 : index, index < 992 ? index + 32 : index]) {
          const step = Math.max(...rgb) - Math.max(...(pixels[neighbour] as number[]));
          steepest = Math.max(steepest, Math.abs(step) - Math.max(...full) / 3);
        }
        for (const [channel, value] of rgb.entries()) {
          const expected = ((full[channel] as number) * Math.max(...rgb)) / Math.max(...full);
          worst = Math.max(worst, Math.abs(value - expected));
        }
      }
    }
    expect(worst).toBeLessThanOrEqual(2); // roundings of half a step, two in the pixel and two in the brightest one
    // Of the nine pixels that two neighbours each are the mean of, three are not common; two roundings again.
    expect(steepest).toBeLessThanOrEqual(1);
    expect(colours.size).toBe(8);
  });

  it('is an endless set: image i does not depend on how many are drawn', () => {
    const part = makeShapes({ count: 5, seed: 4, first: 33 });
    expect(digest(part.images)).toBe(digest(set.images.subarray(33 * bytes, 38 * bytes)));
    expect(part.labels).toEqual(set.labels.slice(33, 38));
  });

  it('follows the seed', () => {
    expect(digest(makeShapes({ count: 200, seed: 5 }).images)).not.toBe(digest(set.images));
  });

  // Changes only when the drawing is changed on purpose: then every published number on this set changes, too.
  it('gives the bytes it has always given', () => {
    expect(digest(set.images)).toBe('e6e36f72a4352337a93a1896025dcdddc0e882b0f6a180a727a75cae7db38095');
  });

  // At 8 pixels the ring is 1½ thick, and softening spreads it over three: half of the least brightness, 192.
  it.each([
    [8, 95],
    [17, 191],
    [33, 191],
    [64, 191],
  ])('draws at %i pixels what it draws at 32', (size, darkest) => {
    const [other, usual] = [makeShapes({ count: 80, size, seed: 1 }), makeShapes({ count: 80, seed: 1 })];
    expect(other).toMatchObject({ width: size, height: size, channels: 3 });
    for (let image = 0; image < 80; image++) {
      const [pixels, usualPixels] = [other, usual].map((of) =>
        of.images.subarray(image * imageBytes(of), (image + 1) * imageBytes(of)),
      ) as [Uint8Array, Uint8Array];
      expect(Math.max(...pixels)).toBeGreaterThan(darkest);
      // The same share of the image but for what falls on whole samples, and at 8 pixels for soft edges cut off.
      const share = mean(pixels) / mean(usualPixels);
      expect(share).toBeGreaterThan(0.85);
      expect(share).toBeLessThan(1.15);
    }
  });

  it('refuses sizes and counts that make no set', () => {
    expect(() => makeShapes({ count: 0, seed: 1 })).toThrow(UserError);
    expect(() => makeShapes({ count: 8, size: 7, seed: 1 })).toThrow(/8 × 8/);
  });
});

describe('makeShapesTrainTest', () => {
  it('shares no image between the halves, and the statistics of the first', () => {
    const { train, test } = makeShapesTrainTest({ trainCount: 4096, testCount: 512, seed: 0 });
    const imagesOf = ({ images, count }: typeof train): string[] =>
      Array.from({ length: count }, (_, index) => digest(images.subarray(index * 3072, (index + 1) * 3072)));
    const seen = new Set(imagesOf(train));
    expect(imagesOf(test).filter((image) => seen.has(image))).toEqual([]);
    expect(test.mean).toBe(train.mean);
    expect(test.std).toBe(train.std);
    expect([...test.labels.slice(0, 9)]).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 0]);
  });
});
