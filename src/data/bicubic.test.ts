import { describe, expect, it } from 'vitest';
import { augment } from '../../kernels-test/augment.reference';
import { scaleSquare } from './bicubic';
import { wholeCrop } from './sampler';

describe('scaleSquare', () => {
  it.each([
    [8, 8, 7],
    [9, 5, 3],
    [5, 9, 8],
    [16, 16, 14],
    [1, 3, 4],
  ])('makes of %i × %i pixels %i as `augment` does', (width, height, size) => {
    const data = Uint8Array.from({ length: 2 * width * height }, (_, i) => (i * 97) % 256);
    const [x, y, w, h] = wholeCrop(width, height);
    const statistics = { mean: [0, 0], std: [1 / 255, 1 / 255], size };
    const wanted = augment(
      { shape: [1, 2, height, width], data },
      [0],
      [{ x, y, width: w, height: h, flip: false }],
      statistics,
    );
    const found = scaleSquare(data, { channels: 2, width, height }, size);
    const error = Math.max(...Array.from(found, (value, i) => Math.abs(value - (wanted.data[i] as number))));
    expect(error).toBeLessThan(1e-9); // float64 on both sides
  });

  it('leaves an image of the size alone', () => {
    const pixels = Uint8Array.of(1, 2, 3, 4);
    expect(scaleSquare(pixels, { channels: 1, width: 2, height: 2 }, 2)).toBe(pixels);
  });
});
