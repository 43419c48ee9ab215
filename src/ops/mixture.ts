import source from '../../shaders/mixture.wgsl';
import { EngineError } from '../gpu/errors';
import { workgroupRow } from '../gpu/recording';
import { kernelsOf } from '../gpu/shader';
import { graphOf } from '../tensor/graph';
import { formatShape, matchShape } from '../tensor/shape';
import type { Tensor } from '../tensor/tensor';

const kernels = kernelsOf('mixture', source, ['mixture']);

/** A batch of blended pairs, and what they are to be taken apart into. */
export interface MixedBatch {
  /** [B, ...]: α·I1 + (1 − α)·I2. */
  readonly mixed: Tensor;
  /**
   * [2B, ...]: the B subordinates (the image of smaller weight; I1 where both weigh the same), then the B dominants.
   * With one branch, [B, ...]: the subordinates alone.
   */
  readonly targets: Tensor;
}

/**
 * Blends pairs of images (i-MAE, 2022). No gradient flows back: images are data.
 *
 * @param image1 [B, ...]
 * @param image2 as image1
 * @param alpha [1] or [B], weight of image1, from 0 to 1
 * @param branches 2 for both targets, 1 for the subordinates alone
 * @throws EngineError `bad-shape`
 */
export function mixture(image1: Tensor, image2: Tensor, alpha: Tensor, branches: 1 | 2 = 2): MixedBatch {
  const graph = graphOf('mixture', image1, image2, alpha);
  matchShape('mixture', 'image2', image2.shape, image1.shape);
  const [batch = 1, ...inner] = image1.shape;
  if (alpha.shape.length !== 1 || (alpha.size !== 1 && alpha.size !== batch)) {
    throw new EngineError(
      'bad-shape',
      `mixture: alpha has shape ${formatShape(alpha.shape)}, not [1] or [${batch}].`,
      'Give one weight for the batch, or one a pair.',
    );
  }
  const mixed = graph.empty('mixed', image1.shape);
  const targets = graph.empty('mixture targets', [branches * batch, ...inner]);
  const VEC = (image1.size / batch) % 4 === 0;
  const count = VEC ? image1.size / 4 : image1.size;
  graph.dispatch({
    kernel: kernels.mixture,
    params: { VEC, DOMINANT: branches === 2 },
    uniforms: { count, span: count / alpha.size },
    bindings: { image1, image2, alpha, mixed, targets },
    workgroups: workgroupRow(Math.ceil(count / 256)),
  });
  return { mixed, targets };
}
