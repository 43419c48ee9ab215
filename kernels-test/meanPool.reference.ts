import { zeros, type Reference, type References } from './allclose';

export type Inputs = { x: Reference };
export interface Tokens {
  readonly first: number;
  readonly count: number;
}

export function forward({ x }: Inputs, { first, count }: Tokens): { y: Reference } {
  const [samples = 0, tokens = 0, width = 0] = x.shape;
  const y = zeros([samples, width]);
  y.data.forEach((_, i) => {
    const [sample, column] = [Math.floor(i / width), i % width];
    for (let t = first; t < first + count; t++) {
      y.data[i] = (y.data[i] as number) + (x.data[(sample * tokens + t) * width + column] as number) / count;
    }
  });
  return { y };
}

export function backward({ x }: Inputs, { y: dy }: References, { first, count }: Tokens): Inputs {
  const [, tokens = 0, width = 0] = x.shape;
  const data = x.data.map((_, i) => {
    const token = Math.floor(i / width) % tokens;
    const sample = Math.floor(i / (width * tokens));
    return token >= first && token < first + count ? (dy?.data[sample * width + (i % width)] as number) / count : 0;
  });
  return { x: { shape: x.shape, data } };
}
