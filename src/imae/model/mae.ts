import type { Engine } from '../../engine/engine';
import { constant, fanInUniform, normal, xavierUniform } from '../../nn/initializers';
import { Block, vitLinear, vitNorm, type BlockOptions } from '../../nn/layers';
import type { Linear } from '../../nn/linear';
import type { LayerNorm } from '../../nn/norms';
import { Module, ModuleParameter, type NamedParameter } from '../../nn/module';
import { Parameters } from '../../nn/parameters';
import { sinCosPositions } from '../../nn/positions';
import { concat } from '../../ops/concat';
import type { PathScales } from '../../ops/dropPath';
import { linear } from '../../ops/linear';
import type { PatchMasks } from '../../ops/mask';
import { maskedMse } from '../../ops/maskedMse';
import { patchify } from '../../ops/patchify';
import { restoreTokens, visibleTokens } from '../../ops/tokens';
import type { Tensor } from '../../tensor/tensor';
import type { EncoderSize, ModelSize } from '../config/config';

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

export interface EncodeOptions extends Omit<BlockOptions, 'paths'> {
  /** Shape [2 · depth, B]: the scales of every block's attention and MLP, sample by sample: stochastic depth. */
  readonly dropPaths?: Tensor;
}

/** The projection of patches as published models have it: a convolution of the patch's size. */
class PatchProjection extends Module {
  readonly weight: ModuleParameter;
  readonly bias: ModuleParameter;

  constructor({ dim, channels, patch }: EncoderSize) {
    super();
    this.weight = new ModuleParameter([dim, channels, patch, patch], xavierUniform);
    this.bias = new ModuleParameter([dim], fanInUniform(patch * patch * channels));
  }
}

/** Cuts images into patches and embeds each: [B, C, H, W] → [B, L or K, D]. */
class PatchEmbed extends Module {
  readonly proj: PatchProjection;

  constructor(private readonly size: EncoderSize) {
    super();
    this.proj = new PatchProjection(size);
  }

  /**
   * Images as tokens, one a patch.
   *
   * @param visible the patches that are taken; all by default
   */
  forward(images: Tensor, visible?: PatchMasks): Tensor {
    const { patch, channels, dim } = this.size;
    const patches = patchify(images, { patch, order: 'channelsFirst', ...(visible ? { visible } : {}) });
    const { weight, bias } = this.proj;
    return linear(patches, weight.reshape([dim, channels * patch * patch]), bias);
  }
}

/** Sines and cosines of the places of a class token and of patches; a table unless it is trained. */
function positions(width: number, { image, patch }: EncoderSize, trained = false): ModuleParameter {
  const grid = image / patch;
  return new ModuleParameter([1, 1 + grid ** 2, width], constant(sinCosPositions(width, grid)), { trained });
}

/** What an encoder consists of, wherever its parts lie. */
interface EncoderParts {
  readonly clsToken: ModuleParameter;
  readonly posEmbed: ModuleParameter;
  readonly patchEmbed: PatchEmbed;
  readonly blocks: readonly Block[];
}

/** The class token and the visible patches, embedded, with their positions: [B, 1 + K, D]. */
function embed({ clsToken, posEmbed, patchEmbed }: EncoderParts, images: Tensor, masks?: PatchMasks): Tensor {
  return visibleTokens({
    patches: patchEmbed.forward(images, masks),
    classToken: clsToken,
    positions: posEmbed,
    ...(masks ? { idsShuffle: masks.idsShuffle } : {}),
  });
}

/** Images through the blocks, without a final norm. */
function encodeTokens(
  parts: EncoderParts,
  images: Tensor,
  masks: PatchMasks | undefined,
  { dropPaths, ...options }: EncodeOptions,
): Tensor {
  return parts.blocks.reduce(
    (x, block, index) => {
      const path = (row: number): PathScales => ({ scales: dropPaths as Tensor, row });
      const paths = dropPaths ? { paths: [path(2 * index), path(2 * index + 1)] as const } : {};
      return block.forward(x, { ...options, ...paths });
    },
    embed(parts, images, masks),
  );
}

const blocksOf = (count: number, dim: number, heads: number, eps: number | undefined): Block[] =>
  Array.from({ length: count }, () => new Block(dim, heads, eps));

/** A Vision Transformer: the encoder of an MAE by itself, under its published names. */
export class VisionTransformer extends Module {
  readonly clsToken: ModuleParameter;
  readonly posEmbed: ModuleParameter;
  readonly patchEmbed: PatchEmbed;
  readonly blocks: readonly Block[];
  readonly norm?: LayerNorm;

  /**
   * @param size of images, patches and blocks
   * @param options what varies between encoders
   * @param options.hasNorm whether there is a final norm, as by default; a classifier of the patches' mean has its own
   * @param options.trainsPositions by default they are a table
   */
  constructor(
    size: EncoderSize,
    {
      hasNorm = true,
      trainsPositions = false,
    }: { readonly hasNorm?: boolean; readonly trainsPositions?: boolean } = {},
  ) {
    super();
    const { dim, depth, heads, layerNormEps } = size;
    this.clsToken = new ModuleParameter([1, 1, dim], normal(0.02));
    this.posEmbed = positions(dim, size, trainsPositions);
    this.patchEmbed = new PatchEmbed(size);
    this.blocks = blocksOf(depth, dim, heads, layerNormEps);
    if (hasNorm) this.norm = vitNorm(dim, layerNormEps);
  }

  /**
   * Visible patches of images → latents.
   *
   * @param images [B, C, H, W]
   * @param masks absent: every patch is visible, in image order
   * @returns [B, 1 + K, D], the class token first
   */
  forward(images: Tensor, masks?: PatchMasks, options: EncodeOptions = {}): Tensor {
    const tokens = this.forwardTokens(images, masks, options);
    return this.norm ? this.norm.forward(tokens) : tokens;
  }

  /** The same before the final norm. */
  forwardTokens(images: Tensor, masks?: PatchMasks, options: EncodeOptions = {}): Tensor {
    return encodeTokens(this, images, masks, options);
  }
}

/** What a model made of a batch. S branches. */
export interface Outputs {
  /** Encoder output [B, 1 + K, D]. */
  readonly latent: Tensor;
  /** Branch latents [S·B, 1 + K, Dd], the subordinate's first. */
  readonly z: Tensor;
  /** [S·B, 1 + L, P·P·C], the subordinate's first. */
  readonly prediction: Tensor;
}

/**
 * A masked autoencoder, with its parameters under their published names and in the published order, which is that of the
 * fields: encoder and decoder are interleaved in it.
 */
export class MaskedAutoencoder extends Module {
  readonly clsToken: ModuleParameter;
  readonly posEmbed: ModuleParameter;
  readonly maskToken: ModuleParameter;
  readonly decoderPosEmbed: ModuleParameter;
  readonly patchEmbed: PatchEmbed;
  readonly blocks: readonly Block[];
  readonly norm: LayerNorm;
  readonly decoderEmbed?: Linear;
  readonly decoderEmbed1?: Linear;
  readonly decoderEmbed2?: Linear;
  readonly decoderBlocks: readonly Block[];
  readonly decoderNorm: LayerNorm;
  readonly decoderPred: Linear;

  constructor(
    readonly size: ModelSize,
    readonly branches: Branches,
  ) {
    super();
    const { dim, depth, heads, patch, channels, decoderDim, decoderDepth, decoderHeads, layerNormEps } = size;
    this.clsToken = new ModuleParameter([1, 1, dim], normal(0.02));
    this.posEmbed = positions(dim, size);
    this.maskToken = new ModuleParameter([1, 1, decoderDim], normal(0.02));
    this.decoderPosEmbed = positions(decoderDim, size);
    this.patchEmbed = new PatchEmbed(size);
    this.blocks = blocksOf(depth, dim, heads, layerNormEps);
    this.norm = vitNorm(dim, layerNormEps);
    if (branches === 1) {
      this.decoderEmbed = vitLinear(dim, decoderDim);
    } else {
      this.decoderEmbed1 = vitLinear(dim, decoderDim);
      this.decoderEmbed2 = vitLinear(dim, decoderDim);
    }
    this.decoderBlocks = blocksOf(decoderDepth, decoderDim, decoderHeads, layerNormEps);
    this.decoderNorm = vitNorm(decoderDim, layerNormEps);
    this.decoderPred = vitLinear(decoderDim, patch * patch * channels);
  }

  /**
   * Encodes what the model sees, and decodes every branch of it in one pass of the shared decoder.
   *
   * @param images [B, C, H, W]
   */
  forward(images: Tensor, masks: PatchMasks, options: BlockOptions = {}): Outputs {
    const latent = this.forwardEncoder(images, masks, options);
    const z = this.forwardBranches(latent);
    return { latent, z, prediction: this.forwardDecoder(z, masks, options) };
  }

  /** As `VisionTransformer.forward`. */
  forwardEncoder(images: Tensor, masks?: PatchMasks, options: EncodeOptions = {}): Tensor {
    return this.norm.forward(encodeTokens(this, images, masks, options));
  }

  /** The branch latents of an encoding: z_i = W_i·h + b_i, one branch after the other: [S·B, 1 + K, Dd]. */
  forwardBranches(latent: Tensor): Tensor {
    const branches = [this.decoderEmbed, this.decoderEmbed1, this.decoderEmbed2].filter(
      (branch) => branch !== undefined,
    );
    return concat(branches.map((branch) => branch.forward(latent)));
  }

  /**
   * Branch latents → predicted patches.
   *
   * @param z [S·B, 1 + K, Dd]
   * @returns [S·B, 1 + L, P·P·C], the class token's meaningless row first; a patch vector is (row, column, channel)
   */
  forwardDecoder(z: Tensor, { idsRestore }: PatchMasks, options: BlockOptions = {}): Tensor {
    const tokens = restoreTokens({ tokens: z, maskToken: this.maskToken, positions: this.decoderPosEmbed, idsRestore });
    const decoded = this.decoderBlocks.reduce((x, block) => block.forward(x, options), tokens);
    return this.decoderPred.forward(this.decoderNorm.forward(decoded));
  }

  /**
   * Mean squared error of a prediction over the hidden patches, a branch.
   *
   * @param images of each branch, one after the other: [S·B, C, H, W]
   * @returns [S]
   */
  forwardLoss(prediction: Tensor, images: Tensor, { idsRestore, keep }: PatchMasks, normPix: boolean): Tensor {
    return maskedMse({ prediction, images, idsRestore, keep, patch: this.size.patch, normPix });
  }

  /** The queries, keys and values of the encoder's last block on whole images, packed: [B, 1 + L, 3·D], f32. */
  classQkv(images: Tensor): Tensor {
    const before = this.blocks.slice(0, -1);
    const last = this.blocks.at(-1) as Block;
    const tokens = before.reduce((x, block) => block.forward(x), embed(this, images));
    return last.attn.qkv.forward(last.norm1.forward(tokens));
  }
}

/** A model with its memory. */
export interface Model {
  readonly net: MaskedAutoencoder;
  readonly size: ModelSize;
  readonly branches: Branches;
  readonly parameters: Parameters;
}

/**
 * A model with memory, and without values yet.
 *
 * @param label names it in messages
 * @param options as of `Parameters`
 * @throws EngineError `out-of-memory`, `limit-exceeded`
 */
export function allocateModel(
  engine: Engine,
  label: string,
  { size, branches }: Pick<Model, 'size' | 'branches'>,
  options: ConstructorParameters<typeof Parameters>[3] = {},
): Model {
  const net = new MaskedAutoencoder(size, branches);
  return { net, size, branches, parameters: new Parameters(engine, label, net, options) };
}

/** The parameters of an MAE by name and shape, in the published order. */
export function maeParameters(size: ModelSize, branches: Branches): readonly NamedParameter[] {
  return new MaskedAutoencoder(size, branches).namedParameters();
}

/** Those of its encoder. */
export function encoderParameters(size: EncoderSize): readonly NamedParameter[] {
  return new VisionTransformer(size).namedParameters();
}
