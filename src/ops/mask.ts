import source from '../../shaders/mask.wgsl';
import philox from '../../shaders/philox.wgsl';
import { EngineError } from '../gpu/errors';
import { workgroupRow } from '../gpu/recording';
import { kernelsOf } from '../gpu/shader';
import { graphOf } from '../tensor/graph';
import { formatShape, matchShape } from '../tensor/shape';
import type { Tensor } from '../tensor/tensor';
import { assertType, checkKeep } from './patchIndices';
import { softmax } from './softmax';

const kernels = kernelsOf(
  'mask',
  source,
  ['drawMasks', 'patchVariance', 'classScores', 'headMean', 'invertPermutation'],
  { philox },
);

/** As many as have their keys in 16 KiB of workgroup memory; for blocks, with two counters beside them. */
const MAX_LENGTH = 4096;
const MAX_BLOCK_LENGTH = 63 ** 2;

/** Orders of patches; what `patchify` and `keepTokens` take as visible, and the way back. Samples may share them: sample s uses row s mod B. */
export interface PatchMasks {
  /** [B, L] u32: the patches of a sample in their order; the first `keep` are visible. */
  readonly idsShuffle: Tensor<'u32'>;
  /** [B, L] u32: the place of each patch in that order; patch i is visible where it is below `keep`. */
  readonly idsRestore: Tensor<'u32'>;
  readonly keep: number;
}

/** How patches are chosen, by the number that the kernel knows it by. */
const KINDS = { random: 0, block: 1, grid: 2, weighted: 3 } as const;

/**
 * What a mask hides: any patches; a block of them, as BEiT does; all but a regular grid; or rather those of large weight,
 * each sample's logarithms [B, L] of weights given (see `patchVariance`, `classAttention`).
 */
export type MaskChoice = 'random' | 'block' | 'grid' | { readonly logWeights: Tensor };

/**
 * Draws which patches are visible, as He et al. (2021) do: a key for each patch, sorted ascending, ties by index; all
 * chance in it is Philox's, so a mask is a function of seed, purpose, step and sample, and of the weights where there are
 * any. The order within the visible patches, and within the hidden, is the keys' as well.
 *
 * @param options.length L, patches of an image; for block and grid a square number
 * @param options.keep how many of them are visible
 * @param options.counter [5] u32: seed's low and high 32 bits, purpose, step, and the number of the first sample within
 *   the step, where a batch is drawn in parts
 * @param options.choice `random` by default
 * @throws EngineError `bad-shape`; `limit-exceeded` for more than 4096 patches, for blocks 3969
 */
export function drawMasks(options: {
  readonly batch: number;
  readonly length: number;
  readonly keep: number;
  readonly counter: Tensor<'u32'>;
  readonly choice?: MaskChoice;
}): PatchMasks {
  const { batch, length, keep, counter, choice = 'random' } = options;
  const weights = typeof choice === 'object' ? choice.logWeights : undefined;
  const graph = graphOf('drawMasks', counter, weights);
  matchShape('drawMasks', 'counter', counter.shape, [5]);
  assertType('drawMasks', 'counter', counter, 'u32');
  checkKeep('drawMasks', keep, length);
  const most = choice === 'block' ? MAX_BLOCK_LENGTH : MAX_LENGTH;
  if (length > most) {
    const what = `drawMasks: ${length} patches; it orders at most ${most}.`;
    throw new EngineError('limit-exceeded', what, 'Use a larger patch.');
  }
  if (weights) matchShape('drawMasks', 'logWeights', weights.shape, [batch, length]);
  const kind = typeof choice === 'object' ? 'weighted' : choice;
  const side = kind === 'block' || kind === 'grid' ? Math.sqrt(length) : 1;
  if (!Number.isInteger(side)) {
    throw new EngineError(
      'bad-shape',
      `drawMasks: ${length} patches are no square grid.`,
      `Choose another mask than ${kind}.`,
    );
  }
  const idsShuffle = graph.empty('idsShuffle', [batch, length], 'u32');
  const idsRestore = graph.empty('idsRestore', [batch, length], 'u32');
  graph.dispatch({
    kernel: kernels.drawMasks,
    params: { KIND: KINDS[kind], LENGTH: length, SIDE: side, HIDDEN: kind === 'block' ? length - keep : 0 },
    bindings: { counter, idsShuffle, idsRestore, ...(weights ? { logWeights: weights } : {}) },
    workgroups: [batch],
  });
  return { idsShuffle, idsRestore, keep };
}

/**
 * Weights by which patches of much detail are hidden first: of each patch, the variance of its pixels around their mean, a
 * channel at a time, averaged over channels. In normalised pixels, 0.01 is added: a patch without any detail then is a
 * hundred times less likely to be hidden next than one of variance 1, but not never.
 *
 * @param images [B, C, H, W], P dividing H and W
 * @returns [B, L]: their logarithms
 * @throws EngineError `bad-shape`
 */
export function patchVariance(images: Tensor, patch: number): Tensor {
  const graph = graphOf('patchVariance', images);
  const { B, C, H, W } = matchShape('patchVariance', 'images', images.shape, ['B', 'C', 'H', 'W']);
  if (H % patch !== 0 || W % patch !== 0) {
    const what = `patchVariance: images of ${H}×${W} don't divide into patches of ${patch}×${patch}.`;
    throw new EngineError('bad-shape', what, 'Choose a patch size that divides both.');
  }
  const logWeights = graph.empty('patchVariance', [B, (H / patch) * (W / patch)]);
  graph.dispatch({
    kernel: kernels.patchVariance,
    params: { PATCH: patch, CHANNELS: C },
    uniforms: { count: logWeights.size, height: H, width: W },
    bindings: { images, logWeights },
    workgroups: workgroupRow(Math.ceil(logWeights.size / 256)),
  });
  return logWeights;
}

/**
 * Weights by which patches that a class token attends to are hidden first: the square of the attention that it pays to
 * each, the mean over heads. (Its attention is flat beside a variance; squared it chooses.)
 *
 * @param qkv [B, 1 + L, 3·heads·d] f32, packed as `attention` takes it, the class token first
 * @returns [B, L]: their logarithms
 * @throws EngineError `bad-shape`
 */
export function classAttention(qkv: Tensor, heads: number): Tensor {
  const graph = graphOf('classAttention', qkv);
  const { B, N, width } = matchShape('classAttention', 'qkv', qkv.shape, ['B', 'N', 'width']);
  if (width % (3 * heads) !== 0 || N < 2) {
    const what = `classAttention: qkv ${formatShape(qkv.shape)} is not a class token and patches of ${heads} heads.`;
    throw new EngineError('bad-shape', what, 'Give [B, 1 + L, 3·heads·d].');
  }
  const channels = width / (3 * heads);
  const scores = graph.empty('class scores', [B, heads, N]);
  graph.dispatch({
    kernel: kernels.classScores,
    uniforms: { count: scores.size, tokens: N, heads, channels, scale: 1 / Math.sqrt(channels) },
    bindings: { qkv, scores },
    workgroups: workgroupRow(Math.ceil(scores.size / 256)),
  });
  const logWeights = graph.empty('classAttention', [B, N - 1]);
  graph.dispatch({
    kernel: kernels.headMean,
    uniforms: { count: logWeights.size, length: N - 1, heads },
    bindings: { weights: softmax(scores), logWeights },
    workgroups: workgroupRow(Math.ceil(logWeights.size / 256)),
  });
  return logWeights;
}

/**
 * The inverse of each row, for orders that were given rather than drawn.
 *
 * @param idsShuffle [B, L] u32; every row is a permutation of 0 … L−1, or the result is undefined
 * @returns idsRestore [B, L] u32
 * @throws EngineError `bad-shape`
 */
export function invertPermutation(idsShuffle: Tensor<'u32'>): Tensor<'u32'> {
  const graph = graphOf('invertPermutation', idsShuffle);
  const { B, L } = matchShape('invertPermutation', 'idsShuffle', idsShuffle.shape, ['B', 'L']);
  assertType('invertPermutation', 'idsShuffle', idsShuffle, 'u32');
  const idsRestore = graph.empty('idsRestore', [B, L], 'u32');
  graph.dispatch({
    kernel: kernels.invertPermutation,
    uniforms: { count: B * L, length: L },
    bindings: { idsShuffle, idsRestore },
    workgroups: workgroupRow(Math.ceil((B * L) / 256)),
  });
  return idsRestore;
}

/** Masks by orders that are given. @param idsShuffle as of `invertPermutation` */
export function givenMasks(idsShuffle: Tensor<'u32'>, keep: number): PatchMasks {
  return { idsShuffle, idsRestore: invertPermutation(idsShuffle), keep };
}
