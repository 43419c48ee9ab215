import { philox4x32 } from '../src/data/philox';
import { zeros, type Reference } from './allclose';

type Box = readonly [y: number, endY: number, x: number, endX: number];

export interface Mix {
  readonly erased: readonly Box[];
  readonly lambda: number;
  readonly box: Box;
  /** Seed's low and high 32 bits, purpose, step. */
  readonly counter: readonly [number, number, number, number];
}

const isInside = ([y, endY, x, endX]: Box, row: number, column: number): boolean =>
  row >= y && row < endY && column >= x && column < endX;

/** Plainly: erase every image, then mix with the batch in reverse. */
export function mixed(images: Reference, { erased, lambda, box, counter }: Mix): Reference {
  const [samples = 0, channels = 0, height = 0, width = 0] = images.shape;
  const span = channels * height * width;
  const each = (visit: (sample: number, i: number, row: number, column: number) => number): Reference => {
    const result = zeros(images.shape);
    result.data.forEach((_, at) => {
      const i = at % span;
      result.data[at] = visit(Math.floor(at / span), i, Math.floor(i / width) % height, i % width);
    });
    return result;
  };
  const [low, high, purpose, step] = counter;
  const clean = each((sample, i, row, column) => {
    if (!isInside(erased[sample] as Box, row, column)) return images.data[sample * span + i] as number;
    const [a, b] = philox4x32([i, step, purpose, sample], [low, high]);
    return Math.sqrt(-2 * Math.log(((a >>> 8) + 1) * 2 ** -24)) * Math.cos(2 * Math.PI * (b >>> 8) * 2 ** -24);
  });
  return each((sample, i, row, column) => {
    const partner = clean.data[(samples - 1 - sample) * span + i] as number;
    return isInside(box, row, column)
      ? partner
      : lambda * (clean.data[sample * span + i] as number) + (1 - lambda) * partner;
  });
}
