import { convolutionBias, constant, normal, xavierUniform } from '../../nn/initializers';
import {
  block,
  blockSpecs,
  type BlockOptions,
  layerNormLayer,
  layerNormSpecs,
  linearLayer,
  linearSpecs,
} from '../../nn/layers';
import type { Parameters, ParameterSpec } from '../../nn/parameters';
import { sinCosPositions } from '../../nn/positions';
import { concat } from '../../ops/concat';
import type { PathScales } from '../../ops/dropPath';
import { linear } from '../../ops/linear';
import { patchify } from '../../ops/patchify';
import { restoreTokens, visibleTokens } from '../../ops/tokens';
import type { Tensor } from '../../tensor/tensor';
import { patchCount, type EncoderSize, type ModelSize } from '../config/config';

/*
 * Masked autoencoder (He et al. 2021): the vanilla MAE, and the i-MAE forms of it, which differ in how many linear
 * branches lead from the encoder to the shared decoder. B samples, L patches, K of them visible, D and Dd the widths.
 */

/** One branch is a vanilla MAE or a subordinate-only i-MAE; two branches take a mixture apart. */
export type Branches = 1 | 2;

/** The linear layers between encoder and decoder, as checkpoints name them. */
export function branchNames(branches: Branches): readonly string[] {
  return branches === 1 ? ['decoder_embed'] : ['decoder_embed1', 'decoder_embed2'];
}

/** The parameters of an MAE, under their published names and in the published order. */
export function maeSpecs(size: ModelSize, branches: Branches): ParameterSpec[] {
  const { image, patch, channels, dim, depth, decoderDim, decoderDepth } = size;
  const grid = image / patch;
  const places = 1 + patchCount(size);
  const patchVector = patch * patch * channels;
  const positions = (name: string, width: number): ParameterSpec => ({
    name,
    shape: [1, places, width],
    initialize: constant(sinCosPositions(width, grid)),
    fixed: true,
  });
  return [
    { name: 'cls_token', shape: [1, 1, dim], initialize: normal(0.02) },
    positions('pos_embed', dim),
    { name: 'mask_token', shape: [1, 1, decoderDim], initialize: normal(0.02) },
    positions('decoder_pos_embed', decoderDim),
    { name: 'patch_embed.proj.weight', shape: [dim, channels, patch, patch], initialize: xavierUniform },
    { name: 'patch_embed.proj.bias', shape: [dim], initialize: convolutionBias(patchVector) },
    ...range(depth).flatMap((index) => blockSpecs(`blocks.${index}`, dim)),
    ...layerNormSpecs('norm', dim),
    ...branchNames(branches).flatMap((name) => linearSpecs(name, dim, decoderDim)),
    ...range(decoderDepth).flatMap((index) => blockSpecs(`decoder_blocks.${index}`, decoderDim)),
    ...layerNormSpecs('decoder_norm', decoderDim),
    ...linearSpecs('decoder_pred', decoderDim, patchVector),
  ];
}

/** The parameters of an MAE that make up its encoder, in the published order. */
export function encoderSpecs(size: EncoderSize): ParameterSpec[] {
  const none = { decoderDim: 4, decoderDepth: 0, decoderHeads: 1 };
  return maeSpecs({ ...size, ...none }, 1).filter(({ name }) => !/^(mask_token|decoder_)/.test(name));
}

/** A random order of each sample's patches; the first `keep` are visible. Samples may share masks: sample s uses s mod rows. */
export interface Masks {
  /** [rows, L] u32: the patches in that order. */
  readonly idsShuffle: Tensor;
  /** [rows, L] u32: each patch's place in the order. */
  readonly idsRestore: Tensor;
  readonly keep: number;
}

export interface EncodeOptions extends Omit<BlockOptions, 'paths'> {
  /** [2 · depth, B]: the scales of every block's attention and MLP, sample by sample: stochastic depth. */
  readonly dropPaths?: Tensor;
}

/**
 * Visible patches of images → latents.
 *
 * @param images [B, C, H, W]
 * @param masks absent: every patch is visible, in image order
 * @returns [B, 1 + K, D], the class token first
 */
export function encode(
  parameters: Parameters,
  size: EncoderSize,
  images: Tensor,
  masks?: Masks,
  options: EncodeOptions = {},
): Tensor {
  return layerNormLayer(parameters, 'norm', encodeTokens(parameters, size, images, masks, options));
}

/** The same without the final norm, which a classifier of the patches' mean does without. */
export function encodeTokens(
  parameters: Parameters,
  size: EncoderSize,
  images: Tensor,
  masks?: Masks,
  { dropPaths, ...options }: EncodeOptions = {},
): Tensor {
  let x = embed(parameters, size, images, masks);
  for (const index of range(size.depth)) {
    const path = (row: number): PathScales => ({ scales: dropPaths as Tensor, row });
    const paths = dropPaths ? { paths: [path(2 * index), path(2 * index + 1)] as const } : {};
    x = block(parameters, `blocks.${index}`, x, size.heads, { ...options, ...paths });
  }
  return x;
}

/** The queries, keys and values of the encoder's last block on whole images, packed: [B, 1 + L, 3·D], f32. */
export function classQkv(parameters: Parameters, size: EncoderSize, images: Tensor): Tensor {
  const last = `blocks.${size.depth - 1}`;
  let x = embed(parameters, size, images);
  for (const index of range(size.depth - 1)) x = block(parameters, `blocks.${index}`, x, size.heads);
  return linearLayer(parameters, `${last}.attn.qkv`, layerNormLayer(parameters, `${last}.norm1`, x));
}

/** The class token and the visible patches, embedded, with their positions: [B, 1 + K, D]. */
function embed(parameters: Parameters, size: EncoderSize, images: Tensor, masks?: Masks): Tensor {
  const patches = patchify(images, {
    patch: size.patch,
    order: 'channelsFirst',
    ...(masks ? { visible: masks } : {}),
  });
  const weight = parameters.get('patch_embed.proj.weight');
  const embedded = linear(
    patches,
    weight.reshape([size.dim, size.channels * size.patch * size.patch]),
    parameters.get('patch_embed.proj.bias'),
  );
  return visibleTokens({
    patches: embedded,
    classToken: parameters.get('cls_token'),
    positions: parameters.get('pos_embed'),
    ...(masks ? { idsShuffle: masks.idsShuffle } : {}),
  });
}

/** The branch latents of an encoding: z_i = W_i·h + b_i, one branch after the other: [S·B, 1 + K, Dd]. */
export function disentangle(parameters: Parameters, branches: Branches, latent: Tensor): Tensor {
  return concat(branchNames(branches).map((name) => linearLayer(parameters, name, latent)));
}

/**
 * Branch latents → predicted patches.
 *
 * @param z [S·B, 1 + K, Dd]
 * @returns [S·B, 1 + L, P·P·C], the class token's meaningless row first; a patch vector is (row, column, channel)
 */
export function decode(
  parameters: Parameters,
  size: ModelSize,
  z: Tensor,
  masks: Masks,
  options: BlockOptions = {},
): Tensor {
  let x = restoreTokens({
    tokens: z,
    maskToken: parameters.get('mask_token'),
    positions: parameters.get('decoder_pos_embed'),
    idsRestore: masks.idsRestore,
  });
  for (const index of range(size.decoderDepth)) {
    x = block(parameters, `decoder_blocks.${index}`, x, size.decoderHeads, options);
  }
  return linearLayer(parameters, 'decoder_pred', layerNormLayer(parameters, 'decoder_norm', x));
}

function range(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index);
}
