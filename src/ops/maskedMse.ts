import source from '../../shaders/maskedMse.wgsl';
import reduce from '../../shaders/reduce.wgsl';
import { EngineError } from '../gpu/errors';
import { workgroupRow } from '../gpu/recording';
import { kernelsOf } from '../gpu/shader';
import { graphOf } from '../tensor/graph';
import { matchShape } from '../tensor/shape';
import type { Tensor } from '../tensor/tensor';
import { checkKeep, matchIds } from './patchIndices';
import { lanesFor, recordRowSums } from './reduce';

const kernels = kernelsOf('maskedMse', source, ['maskedMseErrors', 'maskedMseGradient'], { reduce });

/** An invocation holds four pixels of all channels: more than these are no gain. */
const MAX_CHANNELS = 4;

export interface MaskedMseOperands {
  /** [S·B, 1 + L, P·P·C], the class token first; a patch's elements in the order (row, column, channel). */
  readonly prediction: Tensor;
  /** [S·B, C, H, W]: what is predicted, L = (H/P)·(W/P). No gradient flows to it. */
  readonly images: Tensor;
  /** [B, L] u32: a patch is removed where it is ≥ `keep`. Sample s uses row s mod B. */
  readonly idsRestore: Tensor<'u32'>;
  /** Visible patches of a sample, fewer than L. */
  readonly keep: number;
  /** P. */
  readonly patch: number;
  /** Whether each target patch is normalised: (t − mean) / sqrt(var + 1e-6), with the unbiased variance. */
  readonly normPix: boolean;
}

/**
 * The pixel loss of a masked autoencoder, a branch: the mean squared error in each patch, averaged over the removed
 * patches (He et al. 2021). S = samples / B branches follow each other in the batch. The gradient of the class token
 * and of visible patches is 0.
 *
 * @returns [S]
 * @throws EngineError `bad-shape`, also where no patch is removed, and where `normPix` meets patches of one element
 */
export function maskedMse({ prediction, images, idsRestore, keep, patch, normPix }: MaskedMseOperands): Tensor {
  const graph = graphOf('maskedMse', prediction, images, idsRestore);
  const { samples, C, H, W } = matchShape('maskedMse', 'images', images.shape, ['samples', 'C', 'H', 'W']);
  const length = (H / patch) * (W / patch);
  const patchSize = patch * patch * C;
  check(
    H % patch === 0 && W % patch === 0,
    `images of ${H}×${W} don't divide into patches of ${patch}×${patch}`,
    'Choose a patch size that divides both.',
  );
  check(
    !normPix || patchSize > 1,
    'a patch of one element has no variance to normalise by',
    'Use larger patches, or raw pixels.',
  );
  matchShape('maskedMse', 'prediction', prediction.shape, [samples, 1 + length, patchSize]);
  const batch = matchIds('maskedMse', 'idsRestore', idsRestore, samples, length);
  checkKeep('maskedMse', keep, length);
  check(keep < length, `all ${length} patches are kept, so there is nothing to predict`, 'Choose a larger mask ratio.');

  const branches = samples / batch;
  const removed = batch * (length - keep);
  const layout = { batch, length, keep, height: H, width: W };
  const params = { PATCH: patch, CHANNELS: C, NORM_PIX: normPix };
  const isWhole = patch % 4 === 0 && C <= MAX_CHANNELS;
  const operands = {
    prediction,
    images,
    idsRestore,
    ...(normPix ? { statistics: graph.empty('maskedMse statistics', [samples, length, 2]) } : {}),
  };
  const errors = graph.empty('maskedMse errors', [samples, length]);
  graph.byTraits('maskedMse', (traits) => {
    const LANES = lanesFor(patchSize, traits);
    graph.dispatch({
      kernel: kernels.maskedMseErrors,
      params: { ...params, LANES, VEC: isWhole && !traits.software },
      uniforms: { ...layout, samples },
      bindings: { ...operands, errors },
      workgroups: workgroupRow(Math.ceil((samples * length * LANES) / 64)),
    });
  });
  const loss = graph.empty('maskedMse', [branches], 'f32', prediction.requiresGrad);
  recordRowSums(graph, errors, { rows: branches, width: batch * length, scale: 1 / removed }, loss);

  graph.record('maskedMse', [loss], (gradients) => {
    const dLoss = gradients.of(loss);
    const dPrediction = gradients.into(prediction);
    if (!dLoss || !dPrediction) return;
    const units = isWhole ? prediction.size / (4 * C) : prediction.size;
    graph.dispatch({
      kernel: kernels.maskedMseGradient,
      params: { ...params, VEC: isWhole, ACCUMULATE: dPrediction.accumulate },
      uniforms: { ...layout, units, scale: 2 / (patchSize * removed) },
      bindings: { ...operands, dLoss, dPrediction: dPrediction.out },
      workgroups: workgroupRow(Math.ceil(units / 64)),
    });
  });
  return loss;
}

function check(holds: boolean, what: string, fix: string): void {
  if (!holds) throw new EngineError('bad-shape', `maskedMse: ${what}.`, fix);
}
