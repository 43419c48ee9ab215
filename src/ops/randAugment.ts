import source from '../../shaders/randAugment.wgsl';
import { workgroupRow } from '../gpu/recording';
import { kernelsOf } from '../gpu/shader';
import { graphOf } from '../tensor/graph';
import { matchShape } from '../tensor/shape';
import type { Tensor } from '../tensor/tensor';

const kernels = kernelsOf('randAugment', source, ['randAugment']);

/** What can be done to an image, by the number that a row of operations begins with. */
export const OPERATION = {
  nothing: 0,
  /** Pixel (x, y) of the result is what lies at a·x + b·y + c, d·x + e·y + f; a pixel's centre is at ½. */
  affine: 1,
  /** a times as bright; contrast, colour and sharpness likewise: 0 takes all of it, 1 changes nothing. */
  brightness: 2,
  contrast: 3,
  colour: 4,
  sharpness: 5,
  /** Rounds bytes down to multiples of a, a power of 2. */
  posterize: 6,
  /** Inverts bytes from a on; 0 inverts all. */
  solarize: 7,
  /** Adds a to bytes below 128. */
  solarizeAdd: 8,
  autoContrast: 9,
  equalize: 10,
} as const;

/** Numbers in a row of operations: which, its values a to f, and 0. */
export const OPERATION_VALUES = 8;

/** Shares of red, green and blue in luminance (ITU-R BT.601). */
const LUMINANCE = [0.299, 0.587, 0.114];

export interface RandAugmentInputs {
  /** [S, 8] f32: what is done to each image, see `OPERATION`. */
  readonly operations: Tensor;
  /** What the images were normalised by, channel by channel, on the scale 0 … 1. */
  readonly mean: readonly number[];
  readonly std: readonly number[];
}

/**
 * One operation of RandAugment on each image, on its levels 0 … 255. Luminance is that of red, green and blue where there
 * are three channels, else their mean. What comes from outside an image is its mean colour. No gradient flows back: images
 * are data.
 *
 * @param images [S, C, H, W] f32, normalised
 * @throws EngineError `bad-shape`
 */
export function randAugment(images: Tensor, { operations, mean, std }: RandAugmentInputs): Tensor {
  const graph = graphOf('randAugment', images, operations);
  const { S, C, H, W } = matchShape('randAugment', 'images', images.shape, ['S', 'C', 'H', 'W']);
  matchShape('randAugment', 'operations', operations.shape, [S, OPERATION_VALUES]);
  matchShape('randAugment', 'mean', [mean.length], [C]);
  matchShape('randAugment', 'std', [std.length], [C]);
  const rows = mean.flatMap((value, c) => {
    const deviation = std[c] ?? 1;
    return [1 / (255 * deviation), -value / deviation, C === 3 ? (LUMINANCE[c] ?? 0) : 1 / C];
  });
  const norm = graph.input('randAugment norm', [C, 3], 'f32', Float32Array.from(rows));
  const out = graph.empty('randAugment', images.shape);
  graph.dispatch({
    kernel: kernels.randAugment,
    uniforms: { samples: S, channels: C, height: H, width: W },
    bindings: { images, operations, norm, out },
    workgroups: workgroupRow(S),
  });
  return out;
}
