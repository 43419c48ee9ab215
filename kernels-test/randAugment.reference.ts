import { zeros, type Reference } from './allclose';

/** What is done to one image, in words of its own: the kernel has numbers for them. */
export type Change =
  | { readonly name: 'nothing' | 'autoContrast' | 'equalize' | 'invert' }
  | {
      readonly name: 'brightness' | 'contrast' | 'colour' | 'sharpness' | 'posterize' | 'solarize' | 'solarizeAdd';
      readonly amount: number;
    }
  | { readonly name: 'affine'; readonly map: readonly [number, number, number, number, number, number] };

export interface Statistics {
  readonly mean: readonly number[];
  readonly std: readonly number[];
}

type Image = readonly (readonly (readonly number[])[])[];
type Plane = readonly (readonly number[])[];

/** One operation an image, plainly, on levels 0 … 255. */
export function changed(images: Reference, changes: readonly Change[], { mean, std }: Statistics): Reference {
  const [, channels = 0, height = 0, width = 0] = images.shape;
  const result = zeros(images.shape);
  const at = (sample: number, c: number, y: number, x: number): number =>
    ((sample * channels + c) * height + y) * width + x;
  const grid = <T>(value: (c: number, y: number, x: number) => T): T[][][] =>
    Array.from({ length: channels }, (_c, c) =>
      Array.from({ length: height }, (_y, y) => Array.from({ length: width }, (_x, x) => value(c, y, x))),
    );
  for (const [sample, change] of changes.entries()) {
    const levels = grid(
      (c, y, x) => 255 * ((images.data[at(sample, c, y, x)] as number) * (std[c] as number) + (mean[c] as number)),
    );
    const made = changeOf(levels, change, mean);
    grid((c, y, x) => {
      const level = Math.min(255, Math.max(0, made(c, y, x)));
      result.data[at(sample, c, y, x)] = (level / 255 - (mean[c] as number)) / (std[c] as number);
    });
  }
  return result;
}

type Level = (c: number, y: number, x: number) => number;

function changeOf(image: Image, change: Change, mean: readonly number[]): Level {
  const level: Level = (c, y, x) => ((image[c] as Plane)[y] as readonly number[])[x] as number;
  const luminance = (y: number, x: number): number =>
    image.length === 3
      ? 0.299 * level(0, y, x) + 0.587 * level(1, y, x) + 0.114 * level(2, y, x)
      : average(image.map((_, c) => level(c, y, x)));
  const blend =
    (from: Level, amount: number): Level =>
    (c, y, x) =>
      from(c, y, x) + amount * (level(c, y, x) - from(c, y, x));
  switch (change.name) {
    case 'nothing':
      return level;
    case 'affine': {
      const [a, b, c, d, e, f] = change.map;
      return (channel, y, x) =>
        bilinear(image[channel] as Plane, a * (x + 0.5) + b * (y + 0.5) + c, d * (x + 0.5) + e * (y + 0.5) + f) ??
        255 * (mean[channel] as number);
    }
    case 'brightness':
      return blend(() => 0, change.amount);
    case 'contrast': {
      const grey = average((image[0] as Plane).flatMap((row, y) => row.map((_, x) => luminance(y, x))));
      return blend(() => grey, change.amount);
    }
    case 'colour':
      return blend((_, y, x) => luminance(y, x), change.amount);
    case 'sharpness':
      return blend((c, y, x) => smooth(image[c] as Plane, y, x), change.amount);
    case 'posterize':
      return (c, y, x) => Math.floor(Math.round(level(c, y, x)) / change.amount) * change.amount;
    case 'solarize':
      return (c, y, x) => (Math.round(level(c, y, x)) < change.amount ? level(c, y, x) : 255 - level(c, y, x));
    case 'invert':
      return (c, y, x) => 255 - level(c, y, x);
    case 'solarizeAdd':
      return (c, y, x) => level(c, y, x) + (Math.round(level(c, y, x)) < 128 ? change.amount : 0);
    case 'autoContrast': {
      const ends = image.map((plane) => {
        const bytes = plane.flat().map(Math.round);
        return [Math.min(...bytes), Math.max(...bytes)] as const;
      });
      return (c, y, x) => {
        const [low, high] = ends[c] as readonly [number, number];
        return low === high ? level(c, y, x) : ((level(c, y, x) - low) * 255) / (high - low);
      };
    }
    case 'equalize': {
      const counted = image.map((plane) => {
        const bytes = plane
          .flat()
          .map(Math.round)
          .sort((one, other) => one - other);
        return { bytes, step: Math.floor(bytes.indexOf(bytes.at(-1) as number) / 255) };
      });
      return (c, y, x) => {
        const { bytes, step } = counted[c] as { readonly bytes: readonly number[]; readonly step: number };
        if (step === 0) return level(c, y, x);
        return Math.floor((Math.floor(step / 2) + bytes.indexOf(Math.round(level(c, y, x)))) / step);
      };
    }
  }
}

const average = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

/** At a point of a plane whose pixels' centres are at ½; beyond the outermost centres the edge goes on. */
function bilinear(plane: Plane, x: number, y: number): number | undefined {
  const [height, width] = [plane.length, plane[0]?.length ?? 0];
  if (x < 0 || y < 0 || x >= width || y >= height) return undefined;
  let sum = 0;
  for (const [row, down] of around(y, height)) {
    for (const [column, across] of around(x, width))
      sum += down * across * ((plane[row] as readonly number[])[column] as number);
  }
  return sum;
}

/** The pixels of n around a position, and their weights, which fall to 0 over one pixel. */
function around(position: number, n: number): (readonly [number, number])[] {
  const held = Math.min(n - 0.5, Math.max(0.5, position)) - 0.5;
  return [Math.floor(held), Math.floor(held) + 1].filter((i) => i < n).map((i) => [i, 1 - Math.abs(held - i)]);
}

function smooth(plane: Plane, y: number, x: number): number {
  const [height, width] = [plane.length, plane[0]?.length ?? 0];
  const pixel = (row: number, column: number): number => (plane[row] as readonly number[])[column] as number;
  if (y === 0 || x === 0 || y === height - 1 || x === width - 1) return pixel(y, x);
  let sum = 4 * pixel(y, x);
  for (const row of [y - 1, y, y + 1]) for (const column of [x - 1, x, x + 1]) sum += pixel(row, column);
  return sum / 13;
}

const NUMBERS = {
  nothing: 0,
  affine: 1,
  brightness: 2,
  contrast: 3,
  colour: 4,
  sharpness: 5,
  posterize: 6,
  solarize: 7,
  solarizeAdd: 8,
  autoContrast: 9,
  equalize: 10,
};

/** A change as the kernel takes it: eight numbers. */
export function rowOf(change: Change): number[] {
  const values = 'map' in change ? change.map : 'amount' in change ? [change.amount] : [];
  const row = [change.name === 'invert' ? NUMBERS.solarize : NUMBERS[change.name], ...values];
  return [...row, ...new Array<number>(8 - row.length).fill(0)];
}
