import { imageBytes, isInMemory, type TrainingSet } from '../../data/imageSet';
import { ResidentImages } from '../../data/upload/residentImages';
import type { ImageUploader } from '../../data/upload/imageUploader';
import { StreamedImages } from '../../data/upload/streamedImages';
import type { Engine } from '../../gpu/engine';
import type { Config, Phase } from '../config/config';
import { objectiveOf } from './objectives';

/** The share of the engine's memory that a set may take for itself. */
const LARGEST_SHARE = 0.5;

/** Whether a set stays on the GPU as a whole: in memory it must be, and, unless the user says so, leave room for the model. */
export function staysOnGpu(
  { pool }: { readonly pool: Pick<Engine['pool'], 'budget'> },
  { data }: Config,
  set: TrainingSet,
): boolean {
  if (!isInMemory(set) || data.stream === 'yes') return false;
  return data.stream === 'no' || set.count * imageBytes(set) <= LARGEST_SHARE * pool.budget;
}

/** The images of a phase's training steps: the whole set, or those of a step at a time. The bits are the same. @throws EngineError `out-of-memory` */
export function trainingImages(engine: Engine, config: Config, phase: Phase, set: TrainingSet): ImageUploader {
  const { batch, accumulate } = config.training;
  const views = objectiveOf(config, phase).inputs === 'pairs' ? 2 : 1;
  return stepImages(engine, config, set, { perStep: views * batch, perPart: (views * batch) / accumulate });
}

/** Images for programs that take at most `perStep` a step, `perPart` at once. @throws EngineError `out-of-memory` */
export function stepImages(
  engine: Engine,
  config: Config,
  set: TrainingSet,
  counts: { readonly perStep: number; readonly perPart: number },
): ImageUploader {
  return isInMemory(set) && staysOnGpu(engine, config, set)
    ? new ResidentImages(engine, set)
    : new StreamedImages(engine, set, counts);
}
