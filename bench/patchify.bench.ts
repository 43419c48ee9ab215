import { randomOrders } from '../kernels-test/mask.reference';
import { toImages, toPatches } from '../kernels-test/patchify.reference';
import { zeros, type Reference, type References } from '../kernels-test/allclose';
import { patchify, unpatchify } from '../src/ops/patchify';
import type { BenchCase, BenchSuite } from './bench';

function wholeCase(samples: number, size: number, patch: number): BenchCase {
  const layout = { images: [samples, 3, size, size], patch, order: 'channelsLast' } as const;
  return {
    name: `patchify ${samples}×3×${size}×${size} patch ${patch}`,
    inputs: { images: layout.images },
    operation: ({ images }) => (images ? { patches: patchify(images, layout) } : {}),
    forward: ({ images }: { images: Reference }) => ({ patches: toPatches(layout, images) }),
    flops: 0,
    bytes: samples * 3 * size * size * 4 * 2,
  };
}

function visibleCase(samples: number, size: number, patch: number): BenchCase {
  const length = (size / patch) ** 2;
  const ids = randomOrders(samples, length).idsShuffle;
  const keep = length / 4;
  const layout = { images: [samples, 3, size, size], patch, order: 'channelsFirst', visible: { ids, keep } } as const;
  return {
    name: `patchify ${samples}×3×${size}×${size} patch ${patch}, ${keep} visible, forward and backward`,
    inputs: { images: layout.images },
    operation: ({ images }, graph) => {
      if (!images) return {};
      const visible = { idsShuffle: graph.input('ids', [samples, length], 'u32', ids), keep };
      return { patches: patchify(images, { patch, order: 'channelsFirst', visible }) };
    },
    forward: ({ images }: { images: Reference }) => ({ patches: toPatches(layout, images) }),
    backward: (_: never, { patches = zeros([0]) }: References) => ({ images: toImages(layout, patches) }),
    flops: 0,
    bytes: samples * 3 * patch * patch * 4 * (3 * keep + length),
  };
}

function backCase(samples: number, size: number, patch: number): BenchCase {
  const layout = { images: [samples, 3, size, size], patch, order: 'channelsLast' } as const;
  return {
    name: `unpatchify ${samples}×3×${size}×${size} patch ${patch}`,
    inputs: { patches: [samples, (size / patch) ** 2, patch * patch * 3] },
    operation: ({ patches }) =>
      patches ? { images: unpatchify(patches, { patch, channels: 3, height: size, width: size }) } : {},
    forward: ({ patches }: { patches: Reference }) => ({ images: toImages(layout, patches) }),
    flops: 0,
    bytes: samples * 3 * size * size * 4 * 2,
  };
}

export default {
  kernel: 'patchify',
  cases: [
    wholeCase(64, 32, 2),
    wholeCase(16, 224, 16),
    wholeCase(64, 224, 16),
    visibleCase(64, 32, 2),
    visibleCase(16, 224, 16),
    backCase(64, 32, 2),
  ],
} satisfies BenchSuite;
