import { forward, type Inputs } from '../kernels-test/mixture.reference';
import { mixture } from '../src/ops/mixture';
import type { BenchCase, BenchSuite } from './bench';

function mixtureCase(batch: number, size: number, alphas: number): BenchCase {
  const shape = [batch, 3, size, size];
  const count = batch * 3 * size * size;
  return {
    name: `${shape.join('×')}, α ${alphas === 1 ? 'a batch' : 'a sample'}`,
    inputs: { image1: shape, image2: shape, alpha: [alphas] },
    operation: ({ image1, image2, alpha }) => (image1 && image2 && alpha ? { ...mixture(image1, image2, alpha) } : {}),
    forward: (inputs: Inputs) => forward(inputs),
    flops: 3 * count,
    bytes: 5 * 4 * count,
  };
}

export default {
  kernel: 'mixture',
  cases: [
    mixtureCase(64, 32, 1),
    mixtureCase(64, 32, 64),
    mixtureCase(16, 224, 16),
    mixtureCase(64, 224, 64),
    mixtureCase(9, 33, 9),
  ],
} satisfies BenchSuite;
