import type { Safetensors } from '../files/safetensors';
import { UserError } from '../files/userError';
import { fittingTensor } from './checkpoint';
import type { ModelSize } from './config';
import { maeSpecs, type Branches } from './mae';
import type { MaskKind } from './masks';
import { IMAGENET, type Normalisation } from './normalisation';
import { OPTIONS } from './options';

/** All that a model's file tells of the model: enough to build it without the configuration that it was trained with. */
export interface ModelFacts {
  readonly size: ModelSize;
  readonly branches: Branches;
  readonly normalisation: Normalisation;
  /** Whether it predicts patches normalised by their own mean and deviation. */
  readonly normPix: boolean;
  /** Share of the patches that were hidden in training, where the file says so. */
  readonly maskRatio?: number;
  /** What those masks hid, where the file says so. */
  readonly mask?: MaskKind;
  /** What it was trained as, `imae` or the like, and for how many steps, where the file says so. */
  readonly phase?: string;
  readonly step?: number;
}

/** What a model's images are normalised by, for its file's metadata. */
export function normalisationMetadata({ mean, std }: Normalisation): Record<string, string> {
  return { mean: JSON.stringify(mean), std: JSON.stringify(std) };
}

/**
 * Reads a model's sizes off its tensors, and the rest off its metadata.
 *
 * @param source what messages call the file
 * @throws UserError where it is no model of this program's, or does not say all of it
 */
export function describeModel(file: Safetensors, source: string): ModelFacts {
  const { metadata } = file;
  if (metadata['run'] !== undefined) {
    throw new UserError(`${source} is the state of an optimizer. Give the file beside it, without .state in its name.`);
  }
  const [dim, channels, patch] = shapeOf(file, 'patch_embed.proj.weight', 4, source);
  const [, places = 0] = shapeOf(file, 'pos_embed', 3, source);
  const [, , decoderDim] = shapeOf(file, 'mask_token', 3, source);
  const size: ModelSize = {
    image: Math.round(Math.sqrt(places - 1)) * (patch ?? 0),
    channels: channels ?? 0,
    patch: patch ?? 0,
    dim: dim ?? 0,
    depth: countBlocks(file, 'blocks'),
    heads: countHeads(file, 'heads', dim, source),
    decoderDim: decoderDim ?? 0,
    decoderDepth: countBlocks(file, 'decoder_blocks'),
    decoderHeads: countHeads(file, 'decoderHeads', decoderDim, source),
  };
  const branches: Branches = file.tensors.has('decoder_embed2.weight') ? 2 : 1;
  for (const { name, shape } of maeSpecs(size, branches)) fittingTensor(file, name, shape, source);
  const { maskRatio, phase, step } = metadata;
  const mask = OPTIONS.masking.mask.kind.read(metadata['mask']);
  return {
    size,
    branches,
    normalisation: normalisationOf(file, size.channels, source),
    normPix: metadata['normPix'] === 'true',
    ...(maskRatio === undefined ? {} : { maskRatio: Number(maskRatio) }),
    ...(mask === undefined ? {} : { mask }),
    ...(phase === undefined ? {} : { phase }),
    ...(step === undefined ? {} : { step: Number(step) }),
  };
}

function shapeOf({ tensors }: Safetensors, name: string, rank: number, source: string): readonly number[] {
  const shape = tensors.get(name)?.shape;
  if (shape?.length === rank && shape.every((side) => side > 0)) return shape;
  throw new UserError(`${source} is not a model of this program: it has no '${name}'. Give a checkpoint teacher-…, imae-… or mae-….`);
}

function countBlocks({ tensors }: Safetensors, name: string): number {
  let count = 0;
  while (tensors.has(`${name}.${count}.norm1.weight`)) count++;
  return count;
}

/** Nothing but the metadata tells the heads: their weights lie side by side. */
function countHeads({ metadata }: Safetensors, name: string, width: number | undefined, source: string): number {
  const heads = Number(metadata[name]);
  if (heads > 0 && (width ?? 0) % heads === 0) return heads;
  throw new UserError(`${source} does not say in its metadata how many ${name} it has. Give a checkpoint that this program saved.`);
}

function normalisationOf({ metadata }: Safetensors, channels: number, source: string): Normalisation {
  const [mean, std] = [readNumbers(metadata['mean']), readNumbers(metadata['std'])];
  if (mean?.length === channels && std?.length === channels && std.every((deviation) => deviation > 0)) return { mean, std };
  if (metadata['statistics'] === 'imagenet' && channels === 3) return IMAGENET;
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
