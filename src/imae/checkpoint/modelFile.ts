import type { Safetensors } from '../../formats/safetensors';
import { UserError } from '../../common/userError';
import { assertFitting } from './checkpoint';
import type { EncoderSize, ModelSize } from '../config/config';
import { encoderParameters, maeParameters, type Branches } from '../model/mae';
import type { MaskKind } from '../mask/masks';
import { IMAGENET, type Normalisation } from '../model/normalisation';
import { OPTIONS } from '../config/options';
import { layerNormEpsOf } from './encoderMetadata';
import { groupedNames } from './loadReport';
import { publishedHeads } from './published';
import { assertNoStrangers, BESIDE_ENCODER } from './strangers';

/*
 * What a model's file tells of the model. Files of this program say all of it. Published ones (MAE's and i-MAE's, as
 * PyTorch saved them) hold tensors only, and sometimes the arguments of the script: what these do not say is assumed by
 * the rules below, told, and overridden by what the user says.
 *
 * Heads: of encoders 3, 6, 12, 16, 16 at a width of 192, 384, 768, 1024, 1280, of decoders 16 at 512, as published; else
 * 64 channels a head. ε of layer norms: MAE's, or transformers' under its names. Statistics: ImageNet's. Targets: raw pixels, unless the script's `norm_pix_loss` says otherwise
 * (it has no effect in i-MAE's code, so not with two branches): `mae_visualize_….pth` were trained on raw pixels,
 * `….full.pth` on normalised ones, and nothing in their tensors tells them apart.
 */

/** All that a file tells of an encoder: enough to compute features by it. */
export interface EncoderFacts {
  readonly size: EncoderSize;
  readonly normalisation: Normalisation;
  /** What it was trained as, `imae` or the like, and for how many steps, where the file says so. */
  readonly phase?: string;
  readonly step?: number;
  /** What the file does not say, and is taken to be so; absent where it says all. */
  readonly assumed?: readonly string[];
}

/** All that a model's file tells of the model: enough to build it without the configuration that it was trained with. */
export interface ModelFacts extends EncoderFacts {
  readonly size: ModelSize;
  readonly branches: Branches;
  /** Whether it predicts patches normalised by their own mean and deviation. */
  readonly normPix: boolean;
  /** Share of the patches that were hidden in training, where the file says so. */
  readonly maskRatio?: number;
  /** What those masks hid, where the file says so. */
  readonly mask?: MaskKind;
}

/** What a user says of a model, over what its file says. */
export interface ModelOverrides {
  readonly heads?: number;
  readonly decoderHeads?: number;
  readonly layerNormEps?: number;
  readonly normPix?: boolean;
  /** What it was trained as: with one branch, `imae` or a vanilla `mae`. */
  readonly phase?: string;
  /** Side of the images that it is to be given, in pixels: positions are interpolated. */
  readonly image?: number;
}

const USUAL_HEAD = 64;

/** What a model's images are normalised by, for its file's metadata. */
export function normalisationMetadata({ mean, std }: Normalisation): Record<string, string> {
  return { mean: JSON.stringify(mean), std: JSON.stringify(std) };
}

/**
 * Reads a model's sizes off its tensors, and the rest off its metadata.
 *
 * @param source what messages call the file
 * @throws UserError where it is no model of this kind, has no decoder, or does not say all of it and nothing is known
 */
export function describeModel(file: Safetensors, source: string, overrides: ModelOverrides = {}): ModelFacts {
  const { metadata } = file;
  const { assumed = [], size: encoder, ...facts } = describe(file, source, overrides);
  if (!file.tensors.has('mask_token')) {
    throw new UserError(
      `${source} holds an encoder alone, without the decoder ('mask_token' and what follows it) that paints images again. ` +
        'Give the whole model: a checkpoint teacher-…, imae-… or mae-…, or a published one with its decoder (of MAE, mae_visualize_… or ….full.pth).',
    );
  }
  const [, , decoderDim = 0] = shapeOf(file, 'mask_token', 3, source);
  const decoderHeads = headsOf(metadata, 'decoderHeads', decoderDim, overrides.decoderHeads, source);
  const size: ModelSize = {
    ...encoder,
    decoderDim,
    decoderDepth: countBlocks(file, 'decoder_blocks'),
    decoderHeads: decoderHeads.count,
  };
  const branches: Branches = file.tensors.has('decoder_embed2.weight') ? 2 : 1;
  const specs = maeParameters(size, branches);
  assertNoStrangers(file, specs, source);
  for (const { name, shape } of specs) assertFitting(file, name, shape, source);
  const target = targetOf(metadata, branches, overrides);
  const maskRatio = metadata['maskRatio'] ?? metadata['args.mask_ratio'];
  const mask = OPTIONS.masking.mask.kind.read(metadata['mask']);
  return {
    ...facts,
    size,
    branches,
    normPix: target.normPix,
    ...(maskRatio === undefined ? {} : { maskRatio: Number(maskRatio) }),
    ...(mask === undefined ? {} : { mask }),
    ...assumptions(...assumed, decoderHeads.assumed, target.assumed),
  };
}

/**
 * Reads an encoder's sizes off the tensors of whatever holds one: a model with or without a decoder, or a classifier.
 *
 * @throws UserError as `describeModel`
 */
export function describeEncoder(file: Safetensors, source: string, overrides: ModelOverrides = {}): EncoderFacts {
  const facts = describe(file, source, overrides);
  for (const { name, shape } of encoderParameters(facts.size)) assertFitting(file, name, shape, source);
  return facts;
}

function describe(file: Safetensors, source: string, overrides: ModelOverrides): EncoderFacts {
  const { metadata } = file;
  if (metadata['run'] !== undefined) {
    throw new UserError(`${source} is the state of an optimizer. Give the file beside it, without .state in its name.`);
  }
  const [dim = 0, channels = 0, patch = 0] = shapeOf(file, 'patch_embed.proj.weight', 4, source);
  const [, places = 0] = shapeOf(file, 'pos_embed', 3, source);
  const own = Math.round(Math.sqrt(places - 1)) * patch;
  const depth = countBlocks(file, 'blocks') || 1; // one without any is refused for want of its tensors
  const plain = { image: own, channels, patch, dim, depth, heads: 1 }; // as many heads as there may be: names are the same
  assertNoStrangers(file, encoderParameters(plain), source, BESIDE_ENCODER);
  const heads = headsOf(metadata, 'heads', dim, overrides.heads, source);
  const statistics = normalisationOf(file, channels, source);
  const eps =
    overrides.layerNormEps === undefined
      ? layerNormEpsOf(metadata)
      : { eps: overrides.layerNormEps, assumed: undefined };
  const { phase = overrides.phase, step } = metadata;
  return {
    size: {
      image: sideOf(overrides, own, patch),
      channels,
      patch,
      dim,
      depth,
      heads: heads.count,
      ...(eps === undefined ? {} : { layerNormEps: eps.eps }),
    },
    normalisation: statistics.normalisation,
    ...(phase === undefined ? {} : { phase }),
    ...(step === undefined ? {} : { step: Number(step) }),
    ...assumptions(besideOf(metadata), heads.assumed, eps?.assumed, statistics.assumed),
  };
}

function assumptions(...found: readonly (string | undefined)[]): { readonly assumed?: readonly string[] } {
  const assumed = found.filter((each) => each !== undefined);
  return assumed.length === 0 ? {} : { assumed };
}

/** Of several models in a file one is read. */
function besideOf(metadata: Safetensors['metadata']): string | undefined {
  const { 'torch.key': key, 'torch.others': others } = metadata;
  return others && `the model under '${key ?? ''}'; the file has others under ${others}`;
}

function sideOf({ image }: ModelOverrides, own: number, patch: number): number {
  if (image === undefined || image % patch === 0) return image ?? own;
  throw new UserError(`--image: ${image} is no multiple of the model's patches of ${patch} pixels. Give one.`, {
    usage: true,
  });
}

function shapeOf({ tensors }: Safetensors, name: string, rank: number, source: string): readonly number[] {
  const shape = tensors.get(name)?.shape;
  if (shape?.length === rank && shape.every((side) => side > 0)) return shape;
  throw new UserError(
    `${source} is not a model of this program: it has no '${name}'. It holds ${groupedNames([...tensors.keys()], 8)}. ` +
      'Give a checkpoint teacher-…, imae-… or mae-…, or a Vision Transformer of MAE, timm or transformers.',
  );
}

function countBlocks({ tensors }: Safetensors, name: string): number {
  let count = 0;
  while (tensors.has(`${name}.${count}.norm1.weight`)) count++;
  return count;
}

/** The heads' weights lie side by side, so that no tensor tells how many there are. */
function headsOf(
  metadata: Safetensors['metadata'],
  name: 'heads' | 'decoderHeads',
  width: number,
  said: number | undefined,
  source: string,
): { readonly count: number; readonly assumed?: string } {
  const [flag, words] = name === 'heads' ? ['--heads', 'heads'] : ['--decoder-heads', 'decoder heads'];
  const stated = said ?? Number(metadata[name]);
  if (stated > 0 && width % stated === 0) return { count: stated };
  if (said !== undefined)
    throw new UserError(`${flag}: ${said} heads do not divide the width of ${width}. Give a divisor.`, { usage: true });
  const known = publishedHeads(name, width);
  if (known !== undefined)
    return { count: known, assumed: `${known} ${words}, as published models of width ${width} have (${flag})` };
  if (width % USUAL_HEAD === 0) {
    const count = width / USUAL_HEAD;
    return { count, assumed: `${count} ${words}, ${USUAL_HEAD} channels each (${flag})` };
  }
  throw new UserError(
    `${source} does not say in its metadata how many ${name} it has, and its width of ${width} tells nothing. ` +
      `Give a checkpoint that this program saved, or ${flag}.`,
  );
}

function targetOf(
  metadata: Safetensors['metadata'],
  branches: Branches,
  overrides: ModelOverrides,
): { readonly normPix: boolean; readonly assumed?: string } {
  if (overrides.normPix !== undefined) return { normPix: overrides.normPix };
  const stated = metadata['normPix'] ?? (branches === 1 ? metadata['args.norm_pix_loss']?.toLowerCase() : undefined);
  if (stated !== undefined) return { normPix: stated === 'true' };
  return { normPix: false, assumed: 'targets of raw pixels (--norm-pix)' };
}

function normalisationOf(
  { metadata }: Safetensors,
  channels: number,
  source: string,
): { readonly normalisation: Normalisation; readonly assumed?: string } {
  const [mean, std] = [readNumbers(metadata['mean']), readNumbers(metadata['std'])];
  if (mean?.length === channels && std?.length === channels && std.every((deviation) => deviation > 0))
    return { normalisation: { mean, std } };
  const { statistics } = metadata;
  if (channels === 3 && statistics === 'imagenet') return { normalisation: IMAGENET };
  if (channels === 3 && statistics === undefined)
    return { normalisation: IMAGENET, assumed: "ImageNet's mean and deviation" };
  throw new UserError(
    `${source} does not say by which mean and deviation its images are normalised: it was saved by an earlier version. Resume its ` +
      'run, or train it again.',
  );
}

function readNumbers(text = ''): number[] | undefined {
  try {
    const values = JSON.parse(text) as unknown;
    return Array.isArray(values) && values.every(Number.isFinite) ? (values as number[]) : undefined;
  } catch {
    return undefined;
  }
}
