import type { Engine } from '../src/engine/engine';
import { randAugment } from '../src/ops/randAugment';
import { Graph } from '../src/tensor/graph';
import type { TensorData } from '../src/tensor/tensor';
import { expectClose, random, zeros, type Reference } from './allclose';
import { changed, rowOf, type Change, type Statistics } from './randAugment.reference';
import { refusalTest } from './expectBadShape';
import { suite, type KernelTest } from './suite';

const STATISTICS: Statistics = { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] };
const ONE_CHANNEL: Statistics = { mean: [0.3], std: [0.2] };

/** A position among some tens of pixels has an error of about 64 · 6e-8 pixels; the rest are a few roundings. */
const TOLERANCE = 1e-5;

type Shape4 = readonly [number, number, number, number];

/**
 * Normalised images whose levels lie within 0.4 of a byte, from `low` to `high`: far enough from where bytes are rounded
 * and compared for f32 and f64 to do the same.
 */
function levels(shape: Shape4, { mean, std }: Statistics, low = 0, high = 255): Reference {
  const [, C, H, W] = shape;
  const [bytes, rest] = [random(shape, 1).data, random(shape, 2).data];
  const images = zeros(shape);
  images.data.forEach((_, i) => {
    const c = Math.floor(i / (H * W)) % C;
    const byte = Math.round(low + ((high - low) * ((bytes[i] as number) + 1)) / 2);
    const level = Math.min(255, Math.max(0, byte + 0.4 * (rest[i] as number)));
    images.data[i] = Math.fround((level / 255 - (mean[c] as number)) / (std[c] as number));
  });
  return images;
}

async function run(
  engine: Engine,
  images: Reference,
  changes: readonly Change[],
  statistics: Statistics,
): Promise<TensorData> {
  const graph = new Graph(engine);
  const out = randAugment(graph.input('images', images.shape, 'f32', Float32Array.from(images.data)), {
    operations: graph.input('operations', [changes.length, 8], 'f32', Float32Array.from(changes.flatMap(rowOf))),
    ...statistics,
  });
  graph.output(out);
  const program = await graph.compile();
  try {
    program.run();
    return await program.read(out);
  } finally {
    program.dispose();
  }
}

function changeTest(name: string, images: Reference, changes: readonly Change[], statistics: Statistics): KernelTest {
  return {
    name: `${name}, ${images.shape.join('×')}`,
    run: async (engine) => {
      const wanted = changed(images, changes, statistics);
      const found = await run(engine, images, changes, statistics);
      const span = wanted.data.length / changes.length;
      for (const [sample, change] of changes.entries()) {
        const part = <T extends { slice(from: number, to: number): T }>(values: T): T =>
          values.slice(sample * span, (sample + 1) * span);
        if (change.name === 'nothing') expectClose('what nothing is done to', part(found), part(images.data), 0);
        else expectClose(`${change.name}, sample ${sample}`, part(found), part(wanted.data), TOLERANCE);
      }
    },
  };
}

/** Pairs of images: one that an operation works on, one that nothing is done to. */
function everySize(name: string, ...changes: readonly Change[]): KernelTest[] {
  const all = changes.flatMap((change): Change[] => [change, { name: 'nothing' }]);
  return [
    changeTest(name, levels([all.length, 3, 17, 33], STATISTICS), all, STATISTICS),
    changeTest(name, levels([all.length, 1, 65, 9], ONE_CHANNEL), all, ONE_CHANNEL),
    changeTest(name, levels([all.length, 3, 1, 3], STATISTICS), all, STATISTICS),
  ];
}

const TURN: readonly [number, number, number, number, number, number] = [0.9, -0.42, 3.1, 0.42, 0.9, -2.3];

export default suite('randAugment', [
  ...everySize('brightness', { name: 'brightness', amount: 0.2 }, { name: 'brightness', amount: 1.8 }),
  ...everySize('contrast', { name: 'contrast', amount: 0.2 }, { name: 'contrast', amount: 1.8 }),
  ...everySize('colour', { name: 'colour', amount: 0.2 }, { name: 'colour', amount: 1.8 }),
  ...everySize('sharpness', { name: 'sharpness', amount: 0.2 }, { name: 'sharpness', amount: 1.8 }),
  ...everySize('posterize', ...[16, 128, 256].map((amount) => ({ name: 'posterize' as const, amount }))),
  ...everySize(
    'solarize',
    { name: 'solarize', amount: 26 },
    { name: 'solarize', amount: 256 },
    { name: 'solarizeAdd', amount: 99 },
  ),
  ...everySize('invert', { name: 'invert' }),
  ...everySize('auto-contrast', { name: 'autoContrast' }),
  ...everySize('equalize', { name: 'equalize' }),
  ...everySize(
    'affine',
    { name: 'affine', map: TURN },
    { name: 'affine', map: [1, 0.27, 0, 0, 1, 0] },
    { name: 'affine', map: [1, 0, 0, -0.27, 1, 0] },
    { name: 'affine', map: [1, 0, -0.7, 0, 1, 0] },
    { name: 'affine', map: [1, 0, 0, 0, 1, 40.3] },
  ),
  // Of few levels: there is something to stretch, and many pixels have the same byte.
  ...(['autoContrast', 'equalize'] as const).map((name) =>
    changeTest(`${name} of few levels`, levels([2, 3, 33, 65], STATISTICS, 90, 120), [{ name }, { name }], STATISTICS),
  ),
  ...(['autoContrast', 'equalize'] as const).map((name) =>
    changeTest(`${name} of one level leaves it`, levels([1, 3, 33, 17], STATISTICS, 90, 90), [{ name }], STATISTICS),
  ),
  refusalTest('operations of another batch', 'operations has shape', (graph) =>
    randAugment(graph.input('images', [2, 3, 4, 4]), {
      operations: graph.input('operations', [3, 8]),
      ...STATISTICS,
    }),
  ),
  refusalTest('statistics of other channels', 'mean has shape', (graph) =>
    randAugment(graph.input('images', [2, 3, 4, 4]), {
      operations: graph.input('operations', [2, 8]),
      ...ONE_CHANNEL,
    }),
  ),
]);
