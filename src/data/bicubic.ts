import type { ImageShape } from './imageSet';
import { wholeCrop } from './sampler';

/** Keys' kernel with a = −½. */
function cubic(distance: number): number {
  const x = Math.abs(distance);
  if (x < 1) return (1.5 * x - 2.5) * x * x + 1;
  return x < 2 ? ((2.5 - 0.5 * x) * x - 4) * x + 2 : 0;
}

/** The pixels along an axis that a pixel of the result is made of, and their weights, which add up to 1. */
function windowAt(
  at: number,
  start: number,
  extent: number,
  source: number,
  size: number,
): { first: number; weights: number[] } {
  const scale = extent / size;
  const stretch = Math.max(scale, 1);
  const centre = start + (at + 0.5) * scale;
  const clamp = (place: number): number => Math.floor(Math.min(source, Math.max(0, place)));
  const first = clamp(centre - 2 * stretch + 0.5);
  const end = clamp(centre + 2 * stretch + 0.5);
  const weights = Array.from({ length: end - first }, (_, i) => cubic((first + i + 0.5 - centre) / stretch));
  const sum = weights.reduce((total, weight) => total + weight, 0);
  return { first, weights: weights.map((weight) => weight / sum) };
}

const toByteRange = (value: number): number => Math.min(255, Math.max(0, value));

/**
 * The largest centred square of an image, bicubic to `size` × `size`, on the host: as `augment` does it on the GPU, for what
 * is done once. Pixels [C, H, W] on the scale of bytes, whole or not; the result is not rounded.
 */
export function scaleSquare(
  pixels: ArrayLike<number>,
  { channels, width, height }: ImageShape,
  size: number,
): ArrayLike<number> {
  if (width === size && height === size) return pixels;
  const [left, top, extent] = wholeCrop(width, height);
  const across = Array.from({ length: size }, (_, x) => windowAt(x, left, extent, width, size));
  const down = Array.from({ length: size }, (_, y) => windowAt(y, top, extent, height, size));
  const out = new Float64Array(channels * size * size);
  const rows = new Float64Array(height * size);
  for (let channel = 0; channel < channels; channel++) {
    for (let y = 0; y < height; y++) {
      const line = (channel * height + y) * width;
      across.forEach(({ first, weights }, x) => {
        let sum = 0;
        for (let i = 0; i < weights.length; i++) sum += (weights[i] as number) * (pixels[line + first + i] as number);
        rows[y * size + x] = toByteRange(sum);
      });
    }
    down.forEach(({ first, weights }, y) => {
      for (let x = 0; x < size; x++) {
        let sum = 0;
        for (let i = 0; i < weights.length; i++)
          sum += (weights[i] as number) * (rows[(first + i) * size + x] as number);
        out[(channel * size + y) * size + x] = toByteRange(sum);
      }
    });
  }
  return out;
}
