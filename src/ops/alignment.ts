import source from '../../shaders/alignment.wgsl';
import maskedMse from '../../shaders/maskedMse.wgsl';
import reduce from '../../shaders/reduce.wgsl';
import { EngineError } from '../gpu/errors';
import { workgroupRow } from '../gpu/recording';
import { kernelsOf } from '../gpu/shader';
import { graphOf } from '../tensor/graph';
import { matchShape } from '../tensor/shape';
import type { Tensor } from '../tensor/tensor';
import { checkKeep, matchIds } from './patchIndices';
import { lanesFor, recordRowSums } from './reduce';

const kernels = kernelsOf('alignment', source, ['alignmentTerms', 'alignmentMeans', 'alignmentGradient'], {
  maskedMse,
  reduce,
});

export interface AlignmentOperands {
  /** [2B, 1 + L, P·P·C]: of B images under one mask each, then of the same images under another; the class token first. */
  readonly prediction: Tensor;
  /** [2B, C, H, W]: what is predicted, the same B images twice. */
  readonly images: Tensor;
  /** [2B, L] u32: a patch is removed where it is ≥ `keep`. */
  readonly idsRestore: Tensor<'u32'>;
  /** Visible patches of a sample. */
  readonly keep: number;
  /** P. */
  readonly patch: number;
  /** Whether targets are normalised, as for `maskedMse`. */
  readonly normPix: boolean;
}

/** Means over the patches that both masks remove, each [1]; 0 where there is no such patch. */
export interface Alignment {
  /** ½‖u_A − u_B‖² per element. Gradients flow from it to both predictions. */
  readonly align: Tensor;
  /** 2‖ū − y‖² per element, ū the mean of the two predictions; without gradient. `align` + `centre` is the sum of both errors. */
  readonly centre: Tensor;
}

/**
 * How far what a masked autoencoder predicts under one mask is from what it predicts under another, in the spirit of LC-MAE
 * (2023): the alignment term of the local contrastive identity
 *
 *   ‖u_A − y‖² + ‖u_B − y‖² = ½‖u_A − u_B‖² + 2‖ū − y‖²
 *
 * @throws EngineError `bad-shape`
 */
export function alignment({ prediction, images, idsRestore, keep, patch, normPix }: AlignmentOperands): Alignment {
  const graph = graphOf('alignment', prediction, images, idsRestore);
  const { samples, C, H, W } = matchShape('alignment', 'images', images.shape, ['samples', 'C', 'H', 'W']);
  const B = samples / 2;
  check(
    Number.isInteger(B),
    `${samples} samples are no two masks of each image`,
    'Give each image twice, the whole batch after itself.',
  );
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
  matchShape('alignment', 'prediction', prediction.shape, [2 * B, 1 + length, patchSize]);
  const rows = matchIds('alignment', 'idsRestore', idsRestore, 2 * B, length);
  check(
    rows === 2 * B,
    `${rows} masks for ${B} images`,
    'Give each image two masks: one row for each, then another for each.',
  );
  checkKeep('alignment', keep, length);

  const terms = graph.empty('alignment terms', [3, B * length]);
  graph.byTraits('alignment', (traits) => {
    const LANES = lanesFor(patchSize, traits);
    graph.dispatch({
      kernel: kernels.alignmentTerms,
      params: { PATCH: patch, CHANNELS: C, VEC: false, NORM_PIX: normPix, LANES },
      uniforms: { samples: B, batch: 2 * B, length, keep, height: H, width: W },
      bindings: { prediction, images, idsRestore, terms },
      workgroups: workgroupRow(Math.ceil((B * length * LANES) / 64)),
    });
  });
  const sums = graph.empty('alignment sums', [3]);
  recordRowSums(graph, terms, { rows: 3, width: B * length, scale: 1 }, sums);
  const align = graph.empty('alignment', [1], 'f32', prediction.requiresGrad);
  const centre = graph.empty('alignment centre', [1]);
  const count = graph.empty('alignment count', [1]);
  graph.dispatch({ kernel: kernels.alignmentMeans, bindings: { sums, align, centre, count }, workgroups: [1] });

  graph.record('alignment', [align], (gradients) => {
    const dLoss = gradients.of(align);
    const dPrediction = gradients.into(prediction);
    if (!dLoss || !dPrediction) return;
    graph.dispatch({
      kernel: kernels.alignmentGradient,
      params: { PATCH_SIZE: patchSize, ACCUMULATE: dPrediction.accumulate },
      uniforms: { count: prediction.size, half: prediction.size / 2, samples: B, length, keep },
      bindings: { prediction, idsRestore, dLoss, patches: count, dPrediction: dPrediction.out },
      workgroups: workgroupRow(Math.ceil(prediction.size / 64)),
    });
  });
  return { align, centre };
}

function check(holds: boolean, what: string, fix: string): void {
  if (!holds) throw new EngineError('bad-shape', `alignment: ${what}.`, fix);
}
