import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Engine } from '../../engine/engine';
import { testEngine } from '../../testing/testEngine';
import type { SetFacts } from '../imageSet';
import { imageChunks } from './imageUploader';

let device: Engine;
let engine: Engine;
beforeAll(async () => {
  device = await testEngine();
  engine = device.planning(); // nothing is allocated
});
afterAll(() => {
  engine.dispose();
  device.dispose();
});

const setOf = (side: number): SetFacts => ({
  ...{ name: 'wide', width: side, height: side, channels: 3, count: 9, classes: ['images'] },
  ...{ labels: new Uint16Array(9), mean: [0, 0, 0], std: [1, 1, 1] },
});

/** The side of a square picture of which a binding holds so many. */
function sideFor(images: number, parity: 0 | 1): number {
  const side = Math.floor(Math.sqrt(engine.device.limits.maxStorageBufferBindingSize / (3 * (images + 0.5))));
  return side - (side % 2) + parity;
}

describe('chunks of images', () => {
  it.each([
    ['of an even side: as many as a binding holds', 3, 0, [3, 3, 3]],
    ['of an odd side: in fours, which are whole words', 6, 1, [4, 4, 1]],
    ['of an even side: one', 1, 0, [1, 1, 1, 1, 1, 1, 1, 1, 1]],
  ] as const)('%s', (_, images, parity, counts) => {
    const chunks = imageChunks(engine, setOf(sideFor(images, parity)), 9);
    expect(chunks.map((chunk) => chunk.images.shape[0])).toEqual(counts);
  });

  it('that a device cannot bind are refused', () => {
    expect(() => imageChunks(engine, setOf(sideFor(3, 1)), 9)).toThrow(
      /--decode-size: 4 images of \d+ × \d+ × 3, whole words together, take \d+ bytes/,
    );
    expect(() => imageChunks(engine, setOf(sideFor(0, 0)), 9)).toThrow(/--decode-size: an image of .* takes \d+ bytes/);
  });
});
