import { digest } from '../../common/digest';
import {
  storedTensor,
  tensorFloat32,
  writeSafetensors,
  type Safetensors,
  type StoredTensor,
} from '../../formats/safetensors';
import { UserError } from '../../common/userError';
import { interpolatePositions } from '../../nn/positions';
import type { AdamW } from '../../optim/adamw';
import { formatShape, type Shape } from '../../tensor/shape';
import { studentSize, teacherSize, type Config, type ModelSize, type Phase } from '../config/config';
import { branchNames, maeParameters, type Model } from '../model/mae';
import { IMAGENET } from '../model/normalisation';
import { encoderMetadata, layerNormEpsOf } from './encoderMetadata';
import { publishedHeads } from './published';
import type { NamedFile } from './namedFile';
import { assertNoStrangers } from './strangers';

/**
 * A model's parameters as a safetensors file, under their published names.
 *
 * @param values what `parameters.read()` gave
 */
export function saveModel(
  { parameters }: Pick<Model, 'parameters'>,
  values: ReadonlyMap<string, Float32Array>,
  metadata: Readonly<Record<string, string>>,
): Uint8Array {
  const tensors = new Map<string, StoredTensor>();
  for (const [name, data] of values) tensors.set(name, storedTensor(parameters.get(name).shape, data));
  return writeSafetensors(tensors, metadata);
}

/** What its tensors do not say of how a model was trained, for its file's metadata. */
export function trainedAs(config: Config, phase: Phase): Record<string, string> {
  const size = phase === 'teacher' ? teacherSize(config) : studentSize(config);
  const { decoderHeads } = size;
  return {
    ...encoderMetadata(size),
    decoderHeads: String(decoderHeads),
    normPix: String(config.model.normPix),
    statistics: config.data.statistics,
  };
}

/** What resuming needs beside the model: the optimizer's moments. Every draw follows from the step alone. */
export async function saveState(optimizer: AdamW, metadata: Readonly<Record<string, string>>): Promise<Uint8Array> {
  const tensors = new Map<string, StoredTensor>();
  for (const [name, values] of await optimizer.read()) tensors.set(name, storedTensor([values.length], values));
  return writeSafetensors(tensors, { ...metadata, state: await digestTensors({ tensors }) });
}

/** A digest of the names, shapes and elements of tensors. */
export async function digestTensors({ tensors }: Pick<Safetensors, 'tensors'>): Promise<string> {
  const parts: Uint8Array[] = [];
  for (const [name, { shape, bytes }] of [...tensors].sort(([a], [b]) => (a < b ? -1 : 1))) {
    parts.push(new TextEncoder().encode(`${name} ${shape.join()}\n`), bytes);
  }
  return digest(parts);
}

/**
 * Compares a checkpoint with the digests that it was saved with.
 *
 * @throws UserError where a bit of it has changed
 */
export async function assertIntact(model: NamedFile, state: NamedFile): Promise<void> {
  for (const [part, { name, file }] of Object.entries({ model, state })) {
    if ((await digestTensors(file)) !== state.file.metadata[part]) throw damaged(name);
  }
}

export function damaged(name: string): UserError {
  return new UserError(
    `${name} is damaged: it is not what was saved. Delete it: --resume then goes on from the checkpoint before, if there is one.`,
  );
}

/**
 * Fills a model from a checkpoint. Positions of another grid are interpolated.
 *
 * @param source what messages call the file
 * @throws UserError where a tensor is missing or of another shape
 */
export function loadModel({ parameters }: Pick<Model, 'parameters'>, file: Safetensors, source: string): void {
  for (const [name, { shape }] of parameters.entries)
    parameters.write(name, parameterValues(file, name, shape, source));
}

/**
 * Checks that a file is a checkpoint of a vanilla MAE of the teacher's size, ours or a published one; positions may be of
 * another grid.
 *
 * @throws UserError where it is not, as `loadModel`
 */
export function assertTeacherFits(config: Config, file: Safetensors, source: string): void {
  const { metadata } = file;
  if (metadata['phase'] === 'imae') {
    throw new UserError(`${source} is an i-MAE. A teacher is a vanilla MAE: give a checkpoint teacher-… or mae-….`);
  }
  for (const [name, wanted] of Object.entries(trainedAs(config, 'teacher'))) {
    const found = trainedWith(file, name);
    if (found === undefined || found === wanted) continue;
    throw new UserError(
      `${source} was trained with ${name} ${found}, but this run's teacher has ${wanted}. Give the same (${TRAINED_FLAGS[name] ?? name}).`,
    );
  }
  const { mean, std } = metadata;
  const isImageNets = mean === JSON.stringify(IMAGENET.mean) && std === JSON.stringify(IMAGENET.std);
  if (config.data.statistics === 'imagenet' && mean !== undefined && !isImageNets) {
    throw new UserError(
      `${source} takes images normalised by the mean ${mean} and the deviation ${std ?? ''}, and this run's by ImageNet's. ` +
        "Give another teacher: a run has no other statistics than ImageNet's and its set's own.",
    );
  }
  const size = teacherSize(config);
  assertPublishedHeads(size, file, source);
  const specs = maeParameters(size, 1);
  for (const { name, shape } of specs) assertFitting(file, name, shape, source);
  assertNoStrangers(file, specs, source);
}

/** The options that say how a teacher was trained. */
const TRAINED_FLAGS: Readonly<Record<string, string>> = {
  heads: '--heads, --teacher-heads',
  decoderHeads: '--decoder-heads, --teacher-decoder-heads',
  layerNormEps: '--layer-norm-eps',
  normPix: '--norm-pix',
  statistics: '--statistics',
};

/** What a file tells of how it was trained, as `trainedAs` puts it; undefined where it does not. */
function trainedWith({ metadata }: Safetensors, name: string): string | undefined {
  // Published checkpoints do not say, but for the arguments of the script.
  if (name === 'normPix') return metadata[name] ?? metadata['args.norm_pix_loss']?.toLowerCase();
  const eps = name === 'layerNormEps' ? layerNormEpsOf(metadata) : undefined;
  if (eps) return String(eps.eps);
  return metadata[name];
}

/** Where a file does not tell its heads and a published one of that width would have others, the run's would give nonsense silently. */
function assertPublishedHeads(size: ModelSize, { metadata, tensors }: Safetensors, source: string): void {
  const parts = [
    ['heads', tensors.get('patch_embed.proj.weight')?.shape[0], size.heads],
    ['decoderHeads', tensors.get('mask_token')?.shape[2], size.decoderHeads],
  ] as const;
  for (const [part, width = 0, heads] of parts) {
    const published = metadata[part] === undefined ? publishedHeads(part, width) : undefined;
    if (published === undefined || published === heads) continue;
    throw new UserError(
      `${source} is ${width} wide, and published models of that width have ${published} ${part}, but this run's teacher has ${heads}. ` +
        `Give as many, or write ${part} into the metadata of a safetensors file.`,
    );
  }
}

/** Fills an optimizer from a checkpoint's state. @throws UserError as `loadModel` */
export function loadState(optimizer: AdamW, { tensors }: Safetensors, source: string): void {
  const values = new Map([...tensors].map(([name, tensor]) => [name, tensorFloat32(tensor)]));
  const missing = optimizer.write(values);
  if (missing)
    throw new UserError(`${source} has no '${missing}' of the right size: it is the state of another model.`);
}

/** Starts a student from its teacher's weights; every branch from the teacher's `decoder_embed`. @throws UserError */
export function startFromTeacher({ parameters, branches }: Model, file: Safetensors, source: string): void {
  for (const [name, { shape }] of parameters.entries) {
    const branch = branchNames(branches).find((prefix) => name.startsWith(`${prefix}.`));
    const taken = branch ? name.replace(branch, 'decoder_embed') : name;
    parameters.write(name, parameterValues(file, taken, shape, source));
  }
}

/**
 * The elements of a model's parameter, from a checkpoint. Positions of another grid are interpolated.
 *
 * @throws UserError where it is missing or of another shape
 */
export function parameterValues(file: Safetensors, name: string, shape: Shape, source: string): Float32Array {
  const grids = gridsOf(file, name, shape);
  const values = tensorFloat32(
    grids ? (file.tensors.get(name) as StoredTensor) : fittingTensor(file, name, shape, source),
  );
  if (!values.every(Number.isFinite)) {
    throw new UserError(
      `${source} has values in '${name}' that are no finite numbers: it is damaged, or of a training that diverged. Give another checkpoint.`,
    );
  }
  return grids ? interpolatePositions(values, shape[2] as number, ...grids) : values;
}

/** @throws UserError as `parameterValues` */
export function assertFitting(file: Safetensors, name: string, shape: Shape, source: string): void {
  if (!gridsOf(file, name, shape)) fittingTensor(file, name, shape, source);
}

/** Patches a side of a table of positions, and of the one that is wanted; undefined where there is nothing to interpolate. */
export function gridsOf(
  { tensors }: Safetensors,
  name: string,
  shape: Shape,
): readonly [from: number, to: number] | undefined {
  const stored = tensors.get(name)?.shape;
  if (!/^(decoder_)?pos_embed$/.test(name) || stored?.length !== 3 || stored.join() === shape.join()) return undefined;
  const [from, to] = [stored, shape].map((each) => Math.sqrt((each[1] ?? 0) - 1)) as [number, number];
  const isTable =
    stored[0] === 1 && stored[2] === shape[2] && from >= 1 && Number.isInteger(from) && Number.isInteger(to);
  return isTable ? [from, to] : undefined;
}

/** A tensor of a checkpoint. @throws UserError where it is missing or of another shape */
export function fittingTensor({ tensors }: Safetensors, name: string, shape: Shape, source: string): StoredTensor {
  const tensor = tensors.get(name);
  if (!tensor) {
    throw new UserError(`${source} has no tensor '${name}'. Give the checkpoint of a model of this kind and depth.`);
  }
  if (tensor.shape.join() !== shape.join()) {
    throw new UserError(
      `${source}: '${name}' is ${formatShape(tensor.shape)}, the model wants ${formatShape(shape)}. ` +
        'Give the sizes that the checkpoint was trained with, or another checkpoint.',
    );
  }
  return tensor;
}
