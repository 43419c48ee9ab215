import { UserError } from '../common/userError';
import { channelStatistics, type ImageSet, type TrainTest } from './imageSet';
import { integer, RandomStream } from './philox';
import * as purposes from './purposes';

/*
 * The default set: eight shapes in eight colours, a little brighter or darker, with soft edges, upright, within half a
 * pixel of the centre, on black. The label is the shape. There is little in it to learn but the shapes, so that a small
 * model takes their mixtures apart within minutes on a CPU: the same shapes turned and placed at random take it many
 * times as long. Each image is drawn from its own random numbers, so image i is the same in a set of any length, and in
 * whole numbers alone, so it is the same on every machine.
 */

/**
 * A shape's inside. The point (x, y) is given from the shape's centre, in whole units, and `r`, in the same units, is
 * 1/64 of the shape's radius. Products stay below 2^53, so every comparison is exact.
 */
type Inside = (x: number, y: number, r: number) => boolean;

/** Is the point on the inner side of the line that lies `offset` off the centre along (nx, ny)/1000? */
function within(x: number, y: number, [nx, ny]: readonly [number, number], offset: number): boolean {
  return nx * x + ny * y <= 1000 * offset;
}

function inDisc(x: number, y: number, radius: number): boolean {
  return x * x + y * y <= radius * radius;
}

const SHAPES: Readonly<Record<string, Inside>> = {
  disc: (x, y, r) => inDisc(x, y, 56 * r),
  ring: (x, y, r) => inDisc(x, y, 62 * r) && !inDisc(x, y, 35 * r),
  square: (x, y, r) => Math.abs(x) <= 47 * r && Math.abs(y) <= 47 * r,
  triangle: (x, y, r) =>
    within(x, y, [0, -1000], 36 * r) && within(x, y, [866, 500], 36 * r) && within(x, y, [-866, 500], 36 * r),
  // A pentagram: the points behind at most one of its five lines.
  star: (x, y, r) =>
    Number(within(x, y, [0, -1000], 23 * r)) +
      Number(within(x, y, [951, -309], 23 * r)) +
      Number(within(x, y, [588, 809], 23 * r)) +
      Number(within(x, y, [-588, 809], 23 * r)) +
      Number(within(x, y, [-951, -309], 23 * r)) >=
    4,
  cross: (x, y, r) => {
    const longer = Math.max(Math.abs(x), Math.abs(y));
    const shorter = Math.min(Math.abs(x), Math.abs(y));
    return longer <= 62 * r && shorter <= 20 * r;
  },
  stripes: (x, y, r) => Math.abs(x) <= 56 * r && Math.abs(y) >= 12 * r && Math.abs(y) <= 43 * r,
  crescent: (x, y, r) => inDisc(x, y, 62 * r) && !inDisc(x - 30 * r, y, 46 * r),
};

const INSIDE = Object.values(SHAPES);

const COLOURS: readonly (readonly [number, number, number])[] = [
  [255, 45, 45], // red
  [255, 140, 0], // orange
  [255, 235, 40], // yellow
  [50, 220, 60], // green
  [30, 225, 235], // cyan
  [60, 100, 255], // blue
  [235, 60, 235], // magenta
  [255, 255, 255], // white
];

/** Lengths inside the drawing are whole eighths of a pixel. */
const EIGHTHS = 8;
/** Samples a pixel in each direction: their coordinates are odd multiples of 1/8 pixel. */
const SAMPLES = 4;
const SPACING = EIGHTHS / SAMPLES;
/** The samples of a pixel and its neighbours together. */
const COVERED = 9 * SAMPLES * SAMPLES;
/** What a colour's value is multiplied by where a pixel is covered at full brightness. */
const WHITE = 256 * COVERED;
/** A shape's radius, in 64ths of the image's side. */
const RADIUS = 29;
/** How far a shape's centre may lie off the image's in each direction, in eighths of a pixel. */
const JITTER = 4;

/**
 * Brightness in 256ths: one of 8 levels from ⅞ up for training images, one of the 8 levels between those for test
 * images. Two levels apart, a colour's strongest channel differs by a whole step, so no test image is a training image.
 */
const DARKEST = 224;
const LEVELS = 8;

/** What shapes cover of their images, by place: there are far fewer places than images. */
type Covers = Map<string, Uint8Array>;

/** What of an image is not drawn by chance. */
interface ShapeImage {
  readonly label: number;
  readonly size: number;
  readonly forTest: boolean;
}

/** Draws one image into `out`: 3 × size × size. */
function drawShape(out: Uint8Array, { label, size, forTest }: ShapeImage, stream: RandomStream, covers: Covers): void {
  const colour = COLOURS[integer(stream, COLOURS.length)] as (typeof COLOURS)[number];
  const brightness = DARKEST + 4 * integer(stream, LEVELS) + (forTest ? 2 : 0);
  const frame = size * EIGHTHS;
  const radius = Math.floor((frame * RADIUS) / 64);
  const place = (): number => frame / 2 - JITTER + integer(stream, 2 * JITTER + 1);
  const [centreX, centreY] = [place(), place()];
  const key = `${label} ${centreX} ${centreY}`;
  const covered = covers.get(key) ?? soften(coverage(size, INSIDE[label] as Inside, radius, centreX, centreY), size);
  covers.set(key, covered);
  const plane = size * size;
  for (const [channel, value] of colour.entries()) {
    for (let pixel = 0; pixel < plane; pixel++) {
      const shaded = value * brightness * (covered[pixel] as number);
      out[channel * plane + pixel] = Math.floor((shaded + WHITE / 2) / WHITE);
    }
  }
}

/** How many of its samples each pixel has inside the shape: size × size. */
function coverage(size: number, inside: Inside, radius: number, centreX: number, centreY: number): Uint8Array {
  const counts = new Uint8Array(size * size);
  for (let sampleRow = 0; sampleRow < SAMPLES * size; sampleRow++) {
    const y = 64 * (SPACING * sampleRow + SPACING / 2 - centreY);
    const row = size * Math.floor(sampleRow / SAMPLES);
    for (let sampleColumn = 0; sampleColumn < SAMPLES * size; sampleColumn++) {
      const x = 64 * (SPACING * sampleColumn + SPACING / 2 - centreX);
      if (!inside(x, y, radius)) continue;
      const pixel = row + Math.floor(sampleColumn / SAMPLES);
      counts[pixel] = (counts[pixel] as number) + 1;
    }
  }
  return counts;
}

/** The sum over each pixel and its eight neighbours: soft edges. Outside the image nothing is covered. */
function soften(counts: Uint8Array, size: number): Uint8Array {
  const sums = new Uint8Array(size * size);
  const end = (at: number): number => Math.min(at + 2, size);
  for (let pixel = 0; pixel < sums.length; pixel++) {
    const column = pixel % size;
    const row = (pixel - column) / size;
    let sum = 0;
    for (let y = Math.max(row - 1, 0); y < end(row); y++) {
      for (let x = Math.max(column - 1, 0); x < end(column); x++) sum += counts[y * size + x] as number;
    }
    sums[pixel] = sum;
  }
  return sums;
}

/** Where the test images begin in the endless set: at a multiple of the shapes, past any training set. */
export const FIRST_TEST_IMAGE = 2 ** 31;

/**
 * Draws images `first` to `first + count − 1` of the seed's endless set: count × 3 × size × size bytes. Their labels
 * go round the shapes, so that every class is there in equal number.
 *
 * @throws UserError where size is below 8 pixels or count below 1
 */
export function makeShapes({
  count,
  size = 32,
  seed,
  first = 0,
}: {
  count: number;
  size?: number;
  seed: number;
  first?: number;
}): ImageSet {
  if (!Number.isInteger(size) || size < 8) {
    throw new UserError(`Shapes are drawn at 8 × 8 pixels or larger, not at ${size}.`);
  }
  if (!Number.isInteger(count) || count < 1) throw new UserError(`A set of shapes has 1 image or more, not ${count}.`);
  const shape = { width: size, height: size, channels: 3 };
  const bytes = 3 * size * size;
  const images = new Uint8Array(count * bytes);
  const labels = new Uint16Array(count);
  const covers: Covers = new Map();
  for (let index = 0; index < count; index++) {
    const label = (first + index) % INSIDE.length;
    labels[index] = label;
    const stream = RandomStream.at(seed, purposes.demoSet, first + index);
    const image = { label, size, forTest: first + index >= FIRST_TEST_IMAGE };
    drawShape(images.subarray(index * bytes, (index + 1) * bytes), image, stream, covers);
  }
  const statistics = channelStatistics(images, shape);
  return { ...shape, ...statistics, name: 'shapes', count, classes: Object.keys(SHAPES), images, labels };
}

/** Training and test images, disjoint whatever their counts (by their brightness); both carry the training images' statistics. */
export function makeShapesTrainTest({
  trainCount,
  testCount,
  size = 32,
  seed,
}: {
  trainCount: number;
  testCount: number;
  size?: number;
  seed: number;
}): TrainTest<ImageSet> {
  const train = makeShapes({ count: trainCount, size, seed });
  const test = makeShapes({ count: testCount, size, seed, first: FIRST_TEST_IMAGE });
  return { train, test: { ...test, mean: train.mean, std: train.std } };
}
