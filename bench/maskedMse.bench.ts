import { random, type References } from '../kernels-test/allclose';
import { randomOrders } from '../kernels-test/mask.reference';
import { backward, forward, type Inputs } from '../kernels-test/maskedMse.reference';
import { maskedMse } from '../src/ops/maskedMse';
import type { BenchCase, BenchSuite } from './bench';

/** Two branches, a quarter of the patches visible, forward and backward. */
function maskedMseCase(batch: number, size: number, patch: number, normPix: boolean): BenchCase {
  const samples = 2 * batch;
  const length = (size / patch) ** 2;
  const keep = length / 4;
  const patchSize = patch * patch * 3;
  const { idsRestore } = randomOrders(batch, length);
  const images = random([samples, 3, size, size], 2);
  const imageData = Float32Array.from(images.data);
  const setting = { images, idsRestore, batch, keep, patch, normPix };
  const removed = samples * (length - keep) * patchSize;
  return {
    name: `2·${batch}×3×${size}×${size} patch ${patch}${normPix ? ', normalised' : ''}`,
    inputs: { prediction: [samples, 1 + length, patchSize] },
    operation: ({ prediction }, graph) =>
      prediction
        ? {
            loss: maskedMse({
              prediction,
              images: graph.input('images', images.shape, 'f32', imageData),
              idsRestore: graph.input('ids', [batch, length], 'u32', idsRestore),
              keep,
              patch,
              normPix,
            }),
          }
        : {},
    forward: (inputs: Inputs) => forward(setting, inputs),
    backward: (inputs: Inputs, dOutputs: References) => backward(setting, inputs, dOutputs),
    flops: removed * (normPix ? 12 : 5),
    // Prediction and target both ways, all of the gradient.
    bytes: 4 * (4 * removed + samples * (1 + length) * patchSize),
  };
}

export default {
  kernel: 'maskedMse',
  cases: [
    maskedMseCase(32, 32, 2, false),
    maskedMseCase(32, 32, 4, true),
    maskedMseCase(256, 32, 4, true),
    maskedMseCase(4, 224, 16, false),
    maskedMseCase(4, 224, 16, true),
  ],
} satisfies BenchSuite;
