import { imageBytes, isInMemory, type TrainingSet, type TrainTest } from '../../data/imageSet';
import { ResidentImages } from '../../data/upload/residentImages';
import type { ImageUploader } from '../../data/upload/imageUploader';
import { StreamedImages } from '../../data/upload/streamedImages';
import type { Engine } from '../../engine/engine';
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

/** The sets of a run on the GPU. One that stays there is uploaded once, whatever phases and pictures take its images. */
export class RunImages {
  private readonly resident = new Map<TrainingSet, ResidentImages>();

  constructor(
    private readonly engine: Engine,
    private readonly config: Config,
    private readonly data: TrainTest,
  ) {}

  /** The images of a phase's training steps. @throws EngineError `out-of-memory` */
  train(phase: Phase): ImageUploader {
    const { batch, accumulate } = this.config.training;
    const views = objectiveOf(this.config, phase).inputs === 'pairs' ? 2 : 1;
    return this.of(this.data.train, { perStep: views * batch, perPart: (views * batch) / accumulate });
  }

  /** Held-out images, so many at a time. @throws EngineError `out-of-memory` */
  test(count: number): ImageUploader {
    return this.of(this.data.test, { perStep: count, perPart: count });
  }

  /** The bits are the same, whether a set stays on the GPU or not. */
  private of(set: TrainingSet, counts: { readonly perStep: number; readonly perPart: number }): ImageUploader {
    const { engine, config, resident } = this;
    if (!isInMemory(set) || !staysOnGpu(engine, config, set)) return new StreamedImages(engine, set, counts);
    const images = resident.get(set) ?? new ResidentImages(engine, set);
    resident.set(set, images);
    return {
      chunks: images.chunks,
      ready: () => undefined,
      place: (lists) => lists,
      dispose: () => undefined, // others may use them
    };
  }

  dispose(): void {
    for (const images of this.resident.values()) images.dispose();
    this.resident.clear();
  }
}
