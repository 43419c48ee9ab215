import { backward, forward, type Inputs } from '../kernels-test/alignment.reference';
import { random, type References } from '../kernels-test/allclose';
import { randomOrders } from '../kernels-test/mask.reference';
import { alignment } from '../src/ops/alignment';
import type { BenchCase, BenchSuite } from './bench';

/** A quarter of the patches visible under each mask, forward and backward. */
function alignmentCase(batch: number, size: number, patch: number): BenchCase {
  const length = (size / patch) ** 2;
  const keep = length / 4;
  const patchSize = patch * patch * 3;
  const { idsRestore } = randomOrders(2 * batch, length);
  const images = random([2 * batch, 3, size, size], 2);
  const imageData = Float32Array.from(images.data);
  const setting = { images, idsRestore, batch: 2 * batch, keep, patch, normPix: false };
  // Nine sixteenths of the patches are removed by both.
  const both = batch * length * (9 / 16) * patchSize;
  return {
    name: `2·${batch}×3×${size}×${size} patch ${patch}`,
    inputs: { prediction: [2 * batch, 1 + length, patchSize] },
    operation: ({ prediction }, graph) =>
      prediction
        ? {
            align: alignment({
              prediction,
              images: graph.input('images', images.shape, 'f32', imageData),
              idsRestore: graph.input('ids', [2 * batch, length], 'u32', idsRestore),
              keep,
              patch,
              normPix: false,
            }).align,
          }
        : {},
    forward: (inputs: Inputs) => forward(setting, inputs),
    backward: (inputs: Inputs, dOutputs: References) => backward(setting, inputs, dOutputs),
    flops: both * 12,
    // Both predictions both ways, the target once, all of the gradient.
    bytes: 4 * (5 * both + 2 * batch * (1 + length) * patchSize),
  };
}

export default {
  kernel: 'alignment',
  cases: [alignmentCase(32, 32, 2), alignmentCase(256, 32, 4), alignmentCase(4, 224, 16)],
} satisfies BenchSuite;
