import { storedTensor, writeSafetensors, type StoredTensor } from '../../formats/safetensors';
import { parameterValues } from './checkpoint';
import { encoderMetadata } from './encoderMetadata';
import { readEncoder } from './encoderSource';
import { reportLoad, type LoadReport } from './loadReport';
import { encoderParameters, maeParameters } from '../model/mae';
import {
  describeModel,
  normalisationMetadata,
  type EncoderFacts,
  type ModelFacts,
  type ModelOverrides,
} from './modelFile';
import type { NamedFile } from './namedFile';

/** What of a model is written: all of it, or its encoder alone. */
export type ExportedPart = 'model' | 'encoder';

/** The bytes of a model, and the facts of its encoder. */
export interface Exported {
  readonly bytes: Uint8Array;
  readonly facts: EncoderFacts;
  readonly report: LoadReport;
}

/** A model to be written: its tensors in float32 by their names in MAE, and what they do not tell. */
export interface Collected {
  readonly tensors: Map<string, StoredTensor>;
  readonly facts: EncoderFacts | ModelFacts;
  readonly metadata: Record<string, string>;
  readonly report: LoadReport;
}

/**
 * A model as a safetensors file that holds what the published PyTorch model of its size holds, and nothing else: the same
 * names and shapes, in float32. `model` loads into a masked autoencoder with `strict=True` (an i-MAE's with as many
 * branches), `encoder` into a Vision Transformer without a head. What the tensors do not tell stands in the metadata.
 *
 * @throws UserError where the file holds no such model, or does not say all of it
 */
export function exportModel(model: NamedFile, part: ExportedPart, overrides: ModelOverrides): Exported {
  const { tensors, facts, metadata, report } = collectModel(model, part, overrides);
  return { bytes: writeSafetensors(tensors, metadata), facts, report };
}

/** Reads a model, or its encoder. @throws UserError as `exportModel` */
export function collectModel(model: NamedFile, part: ExportedPart, overrides: ModelOverrides): Collected {
  const { name: source, file } = model;
  const { specs, facts, values, rest } = part === 'encoder' ? encoderOf(model, overrides) : modelOf(model, overrides);
  const tensors = new Map<string, StoredTensor>();
  for (const { name, shape } of specs) tensors.set(name, storedTensor(shape, values(name, shape)));
  const { phase, step, size, normalisation } = facts;
  const metadata = {
    format: 'pt',
    ...(phase === undefined ? {} : { phase }),
    ...(step === undefined ? {} : { step: String(step) }),
    ...encoderMetadata(size),
    ...normalisationMetadata(normalisation),
    ...rest,
    exportedFrom: source.split(/[/\\]/).at(-1) ?? source,
  };
  return { tensors, facts, metadata, report: reportLoad(file, specs) };
}

function encoderOf(model: NamedFile, overrides: ModelOverrides) {
  const { values, ...facts } = { ...readEncoder(model, overrides) };
  return { specs: encoderParameters(facts.size), facts, values, rest: {} };
}

function modelOf({ name: source, file }: NamedFile, overrides: ModelOverrides) {
  const facts = describeModel(file, source, overrides);
  const { size, branches, normPix, maskRatio, mask } = facts;
  return {
    specs: maeParameters(size, branches),
    facts,
    values: (name: string, shape: readonly number[]) => parameterValues(file, name, shape, source),
    rest: {
      decoderHeads: String(size.decoderHeads),
      normPix: String(normPix),
      ...(maskRatio === undefined ? {} : { maskRatio: String(maskRatio) }),
      ...(mask === undefined ? {} : { mask }),
    },
  };
}
