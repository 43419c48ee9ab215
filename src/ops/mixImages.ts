import philox from '../../shaders/philox.wgsl';
import source from '../../shaders/mixImages.wgsl';
import { workgroupRow } from '../gpu/recording';
import { kernelsOf } from '../gpu/shader';
import { graphOf } from '../tensor/graph';
import { matchShape } from '../tensor/shape';
import type { Tensor } from '../tensor/tensor';
import { assertType } from './patchIndices';

const kernels = kernelsOf('mixImages', source, ['mixImages'], { philox });

export interface MixInputs {
  /** [S, 4] f32: the box of each image that is filled with noise: y, end of y, x, end of x in pixels; empty for none. */
  readonly erased: Tensor;
  /** [5] f32: λ, weight of the image itself; and the box that is its partner's instead. */
  readonly mix: Tensor;
  /** [4] u32: seed's low and high 32 bits, purpose, step. */
  readonly counter: Tensor<'u32'>;
}

/**
 * Random erasing, then mixup or cutmix with the batch in reverse order. No gradient flows back: images are data.
 *
 * @param images [S, C, H, W] f32, normalised
 * @throws EngineError `bad-shape`
 */
export function mixImages(images: Tensor, { erased, mix, counter }: MixInputs): Tensor {
  const graph = graphOf('mixImages', images, erased, mix, counter);
  const { S, C, H, W } = matchShape('mixImages', 'images', images.shape, ['S', 'C', 'H', 'W']);
  matchShape('mixImages', 'erased', erased.shape, [S, 4]);
  matchShape('mixImages', 'mix', mix.shape, [5]);
  matchShape('mixImages', 'counter', counter.shape, [4]);
  assertType('mixImages', 'counter', counter, 'u32');
  const out = graph.empty('mixImages', images.shape);
  graph.dispatch({
    kernel: kernels.mixImages,
    uniforms: { count: out.size, samples: S, channels: C, height: H, width: W },
    bindings: { images, erased, mix, counter, out },
    workgroups: workgroupRow(Math.ceil(out.size / 64)),
  });
  return out;
}
