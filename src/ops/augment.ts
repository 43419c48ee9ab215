import source from '../../shaders/augment.wgsl';
import { workgroupRow } from '../gpu/recording';
import { kernelsOf } from '../gpu/shader';
import { graphOf } from '../tensor/graph';
import { matchShape } from '../tensor/shape';
import type { Tensor } from '../tensor/tensor';
import { assertType } from './patchIndices';

const kernels = kernelsOf('augment', source, ['augment', 'augmentWhole']);

/** A part of a resident image set, no larger than a binding may be: [n, C, H, W] u8, its images from `first` on. */
export interface ImageChunk {
  readonly images: Tensor<'u8'>;
  readonly first: number;
}

export interface AugmentInputs {
  /** All of one C, H, W. */
  readonly chunks: readonly [ImageChunk, ...ImageChunk[]];
  /** [B] u32: numbers of images in the set. A sample whose image lies in no chunk is left undefined. */
  readonly indices: Tensor<'u32'>;
  /** [B, 5] f32: box x, y, width > 0, height > 0 in source pixels, reaching into the image; 1 to flip left to right. */
  readonly crops: Tensor;
  /** Every box is known to be the whole image, unflipped. */
  readonly whole?: boolean;
  /** Of each channel, on the scale 0 … 1. */
  readonly mean: readonly number[];
  readonly std: readonly number[];
  /** Height and width of the result. */
  readonly size: number;
}

/**
 * Crops, resizes (bicubic, a = −½, as Pillow's `resize` with a box: pixels beside the box count, those outside the
 * image don't; no rounding to bytes), flips, and normalises as (v/255 − mean) / std. No gradient flows back: images are
 * data.
 *
 * @returns [B, C, size, size] f32
 * @throws EngineError `bad-shape`
 */
export function augment({ chunks, indices, crops, whole = false, mean, std, size }: AugmentInputs): Tensor {
  const graph = graphOf('augment', indices, crops);
  const { B } = matchShape('augment', 'indices', indices.shape, ['B']);
  assertType('augment', 'indices', indices, 'u32');
  matchShape('augment', 'crops', crops.shape, [B, 5]);
  const [, C = 1, H = 1, W = 1] = chunks[0].images.shape;
  matchShape('augment', 'mean', [mean.length], [C]);
  matchShape('augment', 'std', [std.length], [C]);
  const scales = Float32Array.from(mean.flatMap((value, c) => [1 / (255 * (std[c] ?? 1)), -value / (std[c] ?? 1)]));
  const norm = graph.input('augment norm', [C, 2], 'f32', scales);
  const out = graph.empty('augment', [B, C, size, size]);
  const isStraight = whole && H === size && W === size && (size * size) % 4 === 0;
  for (const { images, first } of chunks) {
    const { N } = matchShape('augment', `images from ${first}`, images.shape, ['N', C, H, W]);
    assertType('augment', `images from ${first}`, images, 'u8');
    graph.byTraits('augment', ({ software, plain }) => {
      const straight = isStraight && software && !plain;
      graph.dispatch({
        kernel: straight ? kernels.augmentWhole : kernels.augment,
        uniforms: { count: out.size, first, images: N, channels: C, height: H, width: W, size },
        bindings: { images, indices, ...(straight ? {} : { crops }), norm, out },
        workgroups: workgroupRow(Math.ceil(out.size / (straight ? 1024 : 256))),
      });
    });
  }
  return out;
}
