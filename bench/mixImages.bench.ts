import type { Reference } from '../kernels-test/allclose';
import { mixed, type Mix } from '../kernels-test/mixImages.reference';
import { mixImages } from '../src/ops/mixImages';
import type { BenchCase, BenchSuite } from './bench';

/** Mixup, with a quarter of the images erased by a quarter. */
function mixCase(samples: number, side: number): BenchCase {
  const shape = [samples, 3, side, side];
  const box = [0, side / 2, 0, side / 2] as const;
  const mix: Mix = {
    erased: Array.from({ length: samples }, (_, sample) => (sample % 4 === 0 ? box : ([0, 0, 0, 0] as const))),
    lambda: 0.7,
    box: [0, 0, 0, 0],
    counter: [1, 2, 3, 4],
  };
  return {
    name: shape.join('×'),
    inputs: { images: shape },
    operation: (inputs, graph) =>
      inputs['images']
        ? {
            out: mixImages(inputs['images'], {
              erased: graph.input('erased', [samples, 4], 'f32', Float32Array.from(mix.erased.flat())),
              mix: graph.input('mix', [5], 'f32', Float32Array.of(mix.lambda, ...mix.box)),
              counter: graph.input('counter', [4], 'u32', Uint32Array.from(mix.counter)),
            }),
          }
        : {},
    forward: (inputs: { readonly images: Reference }) => ({ out: mixed(inputs.images, mix) }),
    flops: samples * 3 * side * side * 4,
    bytes: samples * 3 * side * side * 4 * 2,
    tolerance: 1e-3, // of the noise: see the test
  };
}

export default { kernel: 'mixImages', cases: [mixCase(64, 32), mixCase(32, 224)] } satisfies BenchSuite;
