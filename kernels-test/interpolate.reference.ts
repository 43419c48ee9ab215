import { zeros, type Reference, type References } from './allclose';

export type Inputs = { x: Reference };

export interface Options {
  readonly mode: 'bilinear' | 'nearest';
  readonly alignCorners?: boolean;
}

/** Of an output along an axis, the elements that it looks at and how much it takes of each. */
function sharesOf(at: number, size: number, outSize: number, { mode, alignCorners }: Options): [number, number][] {
  if (mode === 'nearest') return [[Math.floor((at * size) / outSize), 1]];
  const step = outSize > 1 ? (size - 1) / (outSize - 1) : 0;
  const place = alignCorners ? at * step : Math.max(0, ((at + 0.5) * size) / outSize - 0.5);
  const first = Math.min(Math.floor(place), size - 1);
  return [
    [first, 1 - (place - first)],
    [Math.min(first + 1, size - 1), place - first],
  ];
}

/** Every product of an element of x, a weight, and where it goes in y. */
function terms(
  shape: readonly number[],
  [h, w]: readonly [number, number],
  options: Options,
): [number, number, number][] {
  const [B = 1, C = 1, H = 1, W = 1] = shape;
  return Array.from({ length: B * C * h * w }, (_, n) => {
    const plane = Math.floor(n / (h * w)) * H;
    return sharesOf(Math.floor(n / w) % h, H, h, options).flatMap(([line, ofLine]) =>
      sharesOf(n % w, W, w, options).map(([column, ofColumn]): [number, number, number] => [
        (plane + line) * W + column,
        ofLine * ofColumn,
        n,
      ]),
    );
  }).flat();
}

export function forward({ x }: Inputs, size: readonly [number, number], options: Options): { y: Reference } {
  const y = zeros([...x.shape.slice(0, 2), ...size]);
  for (const [from, weight, to] of terms(x.shape, size, options)) {
    y.data[to] = (y.data[to] as number) + weight * (x.data[from] as number);
  }
  return { y };
}

export function backward({ x }: Inputs, { y }: References, options: Options): Inputs {
  const dy = y as Reference;
  const dx = zeros(x.shape);
  const [, , h = 1, w = 1] = dy.shape;
  for (const [from, weight, to] of terms(x.shape, [h, w], options)) {
    dx.data[from] = (dx.data[from] as number) + weight * (dy.data[to] as number);
  }
  return { x: dx };
}
