import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { UserError } from '../files/userError';
import { imageBytes } from './imageSet';
import { makeShapes, makeShapesTrainTest } from './shapes';

const digest = (images: Uint8Array): string => createHash('sha256').update(images).digest('hex');

describe('makeShapes', () => {
  const set = makeShapes({ count: 200, seed: 4 });
  const bytes = imageBytes(set);

  it('has every shape equally often', () => {
    expect(set.classes).toEqual(['disc', 'ring', 'square', 'triangle', 'star', 'cross', 'stripes', 'crescent']);
    const counts = set.classes.map((_, label) => set.labels.filter((value) => value === label).length);
    expect(counts).toEqual(new Array(8).fill(25));
  });

  it('draws large shapes in one colour on black', () => {
    const colours = new Set<string>();
    let worst = 0;
    for (let image = 0; image < set.count; image++) {
      const pixel = (index: number): number[] =>
        [0, 1, 2].map((channel) => set.images[image * bytes + channel * 1024 + index] as number);
      const pixels = Array.from({ length: 1024 }, (_, index) => pixel(index));
      const lit = pixels.filter((rgb) => Math.max(...rgb) > 127);
      expect(lit.length).toBeGreaterThan(0.18 * 1024);
      expect(lit.length).toBeLessThan(0.65 * 1024);
      // Antialiased pixels are darker than the colour itself.
      const full = lit.reduce((brightest, rgb) => (Math.max(...rgb) > Math.max(...brightest) ? rgb : brightest));
      expect(Math.max(...full)).toBeGreaterThan(200);
      colours.add(full.join());
      for (const rgb of pixels) {
        for (const [channel, value] of rgb.entries()) {
          const expected = ((full[channel] as number) * Math.max(...rgb)) / Math.max(...full);
          worst = Math.max(worst, Math.abs(value - expected));
        }
      }
    }
    expect(worst).toBeLessThanOrEqual(1); // two roundings of half a step
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
    expect(digest(set.images)).toBe('0fd0c9093bd2465c98ec932369b92f2f424d33e3cd11a799535a0d0633729083');
  });

  it.each([8, 17, 33, 64])('draws at %i pixels', (size) => {
    const small = makeShapes({ count: 8, size, seed: 1 });
    expect(small).toMatchObject({ width: size, height: size, channels: 3 });
    for (let image = 0; image < 8; image++) {
      const pixels = small.images.subarray(image * imageBytes(small), (image + 1) * imageBytes(small));
      expect(Math.max(...pixels)).toBeGreaterThan(200);
    }
  });

  it('refuses sizes and counts that make no set', () => {
    expect(() => makeShapes({ count: 0, seed: 1 })).toThrow(UserError);
    expect(() => makeShapes({ count: 8, size: 7, seed: 1 })).toThrow(/8 × 8/);
  });
});

describe('makeShapesTrainTest', () => {
  it('shares no image between the halves, and the statistics of the first', () => {
    const { train, test } = makeShapesTrainTest({ trainCount: 64, testCount: 24, seed: 0 });
    const images = [train, test].flatMap(({ images: data, count }) =>
      Array.from({ length: count }, (_, index) => data.subarray(index * 3072, (index + 1) * 3072).join()),
    );
    expect(new Set(images).size).toBe(64 + 24);
    expect(test.mean).toBe(train.mean);
    expect(test.std).toBe(train.std);
    expect([...test.labels.slice(0, 9)]).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 0]);
  });
});
