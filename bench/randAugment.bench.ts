import type { Reference } from '../kernels-test/allclose';
import { changed, rowOf, type Change } from '../kernels-test/randAugment.reference';
import { randAugment } from '../src/ops/randAugment';
import type { BenchCase, BenchSuite } from './bench';

/** Operations of every cost, in turn; half of the images are left as they are. Smooth ones: random levels lie on either side of a byte. */
const CHANGES: readonly Change[] = [
  { name: 'affine', map: [0.9, -0.42, 3.1, 0.42, 0.9, -2.3] },
  { name: 'contrast', amount: 1.8 },
  { name: 'colour', amount: 0.2 },
  { name: 'sharpness', amount: 1.8 },
  { name: 'brightness', amount: 0.2 },
  { name: 'invert' },
];
const STATISTICS = { mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5] };

function layerCase(samples: number, side: number): BenchCase {
  const shape = [samples, 3, side, side];
  const changes = Array.from({ length: samples }, (_, i): Change =>
    i % 2 === 0 ? (CHANGES[(i / 2) % CHANGES.length] as Change) : { name: 'nothing' },
  );
  return {
    name: shape.join('×'),
    inputs: { images: shape },
    operation: (inputs, graph) =>
      inputs['images']
        ? {
            out: randAugment(inputs['images'], {
              operations: graph.input('operations', [samples, 8], 'f32', Float32Array.from(changes.flatMap(rowOf))),
              ...STATISTICS,
            }),
          }
        : {},
    forward: (inputs: { readonly images: Reference }) => ({ out: changed(inputs.images, changes, STATISTICS) }),
    // Half of the elements, by some ten operations each.
    flops: samples * 3 * side * side * 5,
    bytes: samples * 3 * side * side * 4 * 2,
    tolerance: 1e-4, // of positions among hundreds of pixels between which levels jump
  };
}

export default { kernel: 'randAugment', cases: [layerCase(64, 32), layerCase(32, 224)] } satisfies BenchSuite;
