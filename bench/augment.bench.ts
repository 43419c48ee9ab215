import * as reference from '../kernels-test/augment.reference';
import { augment } from '../src/ops/augment';
import type { BenchCase, BenchSuite } from './bench';

/** `batch` random crops of as many images, a part of their width and height wide and high, resized to `size`. */
function augmentCase(batch: number, source: number, part: number, size: number): BenchCase {
  const shape = [batch, 3, source, source] as const;
  const byteAt = (i: number): number => (Math.imul(i + 1, 2654435761) >>> 13) & 255;
  const data = Uint8Array.from({ length: batch * 3 * source ** 2 }, (_, i) => byteAt(i));
  const extent = Math.fround(source * part);
  const crops = Array.from({ length: batch }, (_, b) => {
    const start = Math.fround(((source - extent) * b) / batch);
    return { x: start, y: start, width: extent, height: extent, flip: b % 2 === 1 };
  });
  const rows = crops.flatMap(({ x, y, width, height, flip }) => [x, y, width, height, Number(flip)]);
  const indices = Array.from({ length: batch }, (_, b) => batch - 1 - b);
  const options = { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225], size };
  const taps = Math.ceil(4 * Math.max(1, extent / size)) ** 2;
  return {
    name: `${batch} of 3×${source}×${source}, ${part} of them to ${size}×${size}`,
    inputs: {},
    operation: (_, graph) => ({
      out: augment({
        ...options,
        chunks: [{ images: graph.input('images', shape, 'u8', data), first: 0 }],
        indices: graph.input('indices', [batch], 'u32', Uint32Array.from(indices)),
        crops: graph.input('crops', [batch, 5], 'f32', Float32Array.from(rows)),
      }),
    }),
    forward: () => ({ out: reference.augment({ shape, data }, indices, crops, options) }),
    flops: batch * 3 * size * size * taps * 9,
    bytes: batch * 3 * (extent * extent + 4 * size * size),
    tolerance: 1e-4, // a position among 256 pixels has an error of 2e-5 pixels
  };
}

export default {
  kernel: 'augment',
  cases: [
    augmentCase(64, 32, 0.75, 32),
    augmentCase(256, 32, 0.75, 32),
    augmentCase(64, 64, 0.75, 64),
    augmentCase(2, 256, 1, 112),
  ],
} satisfies BenchSuite;
