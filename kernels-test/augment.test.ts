import type { Engine } from '../src/engine/engine';
import { augment } from '../src/ops/augment';
import { Graph } from '../src/tensor/graph';
import { createTensor, disposeTensor, type TensorData } from '../src/tensor/tensor';
import * as reference from './augment.reference';
import type { Crop } from './augment.reference';
import { expectClose } from './allclose';
import { suite, type KernelTest } from './suite';

interface Case {
  readonly name: string;
  /** [n, C, H, W]. */
  readonly set: readonly [number, number, number, number];
  readonly size: number;
  /** Image number and crop of each sample. */
  readonly samples: readonly (readonly [number, Crop])[];
  /** Where chunks after the first begin. */
  readonly cuts?: readonly number[];
  /** Said to be whole images. */
  readonly whole?: boolean;
}

const MEAN = [0.485, 0.456, 0.406];
const STD = [0.229, 0.224, 0.225];

/** Leaves bytes as they are: 1 / (255 · std) is 1. */
const BYTES = { mean: [0], std: [1 / 255] };

/**
 * A position among some tens of pixels has an error of about 64 · 6e-8 pixels; neighbours of random bytes differ by
 * about their own size, and normalising takes the mean off.
 */
const TOLERANCE = 1e-5;

function box(x: number, y: number, width: number, height: number, flip = false): Crop {
  return { x: Math.fround(x), y: Math.fround(y), width: Math.fround(width), height: Math.fround(height), flip };
}

/** Bytes with both ends among them. */
function randomBytes(count: number): Uint8Array {
  return Uint8Array.from({ length: count }, (_, i) => (Math.imul(i + 1, 2654435761) >>> 13) & 255);
}

async function run(
  engine: Engine,
  { set: [, C, H, W], size, samples, cuts = [], whole = false }: Omit<Case, 'name'>,
  data: Uint8Array,
  { mean, std }: { readonly mean: readonly number[]; readonly std: readonly number[] },
): Promise<TensorData> {
  const bytes = C * H * W;
  const starts = [0, ...cuts];
  const chunks = starts.map((first, at) => {
    const end = starts[at + 1] ?? data.length / bytes;
    const part = data.slice(first * bytes, end * bytes);
    return { images: createTensor(engine, 'images', [end - first, C, H, W], 'u8', part), first };
  });
  const [firstChunk, ...otherChunks] = chunks;
  if (!firstChunk) throw new Error('no chunk');
  try {
    const graph = new Graph(engine);
    const crops = samples.flatMap(([, { x, y, width, height, flip }]) => [x, y, width, height, Number(flip)]);
    const out = augment({
      chunks: [firstChunk, ...otherChunks],
      indices: graph.input(
        'indices',
        [samples.length],
        'u32',
        Uint32Array.from(samples, ([index]) => index),
      ),
      crops: graph.input('crops', [samples.length, 5], 'f32', Float32Array.from(crops)),
      whole,
      mean,
      std,
      size,
    });
    graph.output(out);
    const program = await graph.compile();
    try {
      program.run();
      return await program.read(out);
    } finally {
      program.dispose();
    }
  } finally {
    for (const { images } of chunks) disposeTensor(engine, images);
  }
}

const CASES: readonly Case[] = [
  { name: 'one pixel', set: [1, 1, 1, 1], size: 3, samples: [[0, box(0, 0, 1, 1)]] },
  {
    name: 'enlarged',
    set: [3, 1, 5, 7],
    size: 17,
    samples: [
      [2, box(1, 0.5, 3.25, 4)],
      [0, box(0, 0, 7, 5, true)],
    ],
  },
  {
    name: 'shrunk',
    set: [2, 3, 33, 20],
    size: 5,
    samples: [
      [1, box(0, 0, 20, 33)],
      [0, box(2.5, 3, 16, 29.5, true)],
    ],
  },
  {
    name: 'wide and low',
    set: [2, 3, 9, 40],
    size: 9,
    samples: [
      [0, box(4, 2, 33, 4)],
      [1, box(0, 0, 40, 9, true)],
    ],
  },
  { name: 'past the edges', set: [1, 1, 6, 6], size: 8, samples: [[0, box(-1.5, -1, 9, 8.5)]] },
  {
    name: 'several chunks',
    set: [7, 3, 5, 5],
    size: 6,
    samples: [
      [6, box(0, 0, 5, 5)],
      [0, box(1, 1, 3, 3, true)],
      [3, box(0, 0, 5, 5)],
      [2, box(0, 2, 5, 3)],
      [5, box(0, 0, 5, 5)],
    ],
    cuts: [3, 6],
  },
  {
    name: 'usual',
    set: [8, 3, 32, 32],
    size: 32,
    samples: [
      [7, box(3, 5, 20, 24, true)],
      [0, box(0, 9, 32, 19)],
    ],
  },
];

const resized = CASES.map((test): KernelTest => ({
  name: test.name,
  run: async (engine) => {
    const { set, size, samples } = test;
    const data = randomBytes(set.reduce((product, extent) => product * extent, 1));
    const channels = { mean: MEAN.slice(0, set[1]), std: STD.slice(0, set[1]) };
    const expected = reference.augment(
      { shape: set, data },
      samples.map(([index]) => index),
      samples.map(([, crop]) => crop),
      { ...channels, size },
    );
    expectClose(test.name, await run(engine, test, data, channels), expected.data, TOLERANCE);
  },
}));

/** 33 is no power of two: dividing by it is not exact everywhere. */
const untouched = [4, 33].map((size): KernelTest => ({
  name: `a whole image of ${size}×${size} is itself`,
  run: async (engine) => {
    const data = randomBytes(3 * size * size);
    const samples = [0, 1, 2].map((index) => [index, box(0, 0, size, size)] as const);
    const actual = await run(engine, { set: [3, 1, size, size], size, samples }, data, BYTES);
    expectClose('bytes', actual, data, 0);
  },
}));

/** Some sizes have a kernel of their own for it. */
const known = [5, 8].map((size): KernelTest => ({
  name: `whole images of ${size}×${size} that are known to be have the same bits`,
  run: async (engine) => {
    const set = [6, 3, size, size] as const;
    const data = randomBytes(18 * size * size);
    const samples = [5, 0, 3, 3].map((index) => [index, box(0, 0, size, size)] as const);
    const channels = { mean: MEAN, std: STD };
    const drawn = { set, size, samples, cuts: [2, 5] };
    const expected = await run(engine, drawn, data, channels);
    expectClose('images', await run(engine, { ...drawn, whole: true }, data, channels), expected, 0);
  },
}));

/** What Pillow 12.3 makes of a 7×5 image of bytes (37 i² + 11 i) mod 256, by `resize((size, size), BICUBIC, box)`. */
const PILLOW: readonly { readonly crop: Crop; readonly size: number; readonly bytes: readonly number[] }[] = [
  {
    crop: box(1, 1, 3.5, 3),
    size: 4,
    bytes: [148, 35, 163, 248, 74, 109, 158, 186, 103, 159, 120, 107, 237, 131, 72, 77],
  },
  { crop: box(0, 0, 7, 5), size: 2, bytes: [113, 175, 142, 146] },
  { crop: box(0, 0, 7, 5), size: 3, bytes: [70, 151, 171, 144, 143, 193, 170, 91, 160] },
];

const pillow = PILLOW.map(({ crop, size, bytes }): KernelTest => ({
  name: `Pillow's bytes at ${size}×${size}`,
  run: async (engine) => {
    const data = Uint8Array.from({ length: 35 }, (_, i) => (37 * i * i + 11 * i) % 256);
    const actual = await run(engine, { set: [1, 1, 5, 7], size, samples: [[0, crop]] }, data, BYTES);
    // Pillow rounds twice: by ½ after the first axis, which the weights of the second make at most 0.7, and by ½.
    bytes.forEach((byte, i) => {
      const difference = Math.abs((actual[i] as number) - byte);
      if (!(difference <= 1.2)) throw new Error(`pixel ${i} is ${actual[i]}, Pillow's ${byte}`);
    });
  },
}));

export default suite('augment', [...resized, ...untouched, ...known, ...pillow]);
