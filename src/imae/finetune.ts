import type { TrainTest } from '../data/imageSet';
import type { Engine } from '../gpu/engine';
import type { Learned, LearningWatcher } from './classification';
import type { Pool } from './features';
import type { NamedFile } from './run';

export interface FinetuneSettings {
  /** `mean`: the mean of the patch tokens through `fc_norm`; `class`: the class token through `norm`. */
  readonly pool: Pool;
  readonly epochs: number;
  readonly warmupEpochs: number;
  readonly batch: number;
  /** Peak learning rate for 256 images: lr = blr × batch / 256. */
  readonly blr: number;
  readonly weightDecay: number;
  readonly layerDecay: number;
  /** Probability of leaving out a branch of the last block; it rises linearly from 0 at the first. */
  readonly dropPath: number;
  readonly labelSmoothing: number;
  /** α of the Beta law that the weights of mixup and of cutmix are drawn from; 0 leaves it out. */
  readonly mixup: number;
  readonly cutmix: number;
  /** Probability that a box of an image is filled with noise. */
  readonly erase: number;
  /** Largest norm of the whole gradient; 0 clips nothing. */
  readonly clipNorm: number;
  readonly crop: readonly [number, number] | null;
  readonly flip: boolean;
  readonly seed: number;
}

/** MAE's recipe for ViT-B (He et al. 2021), but for the batch, which it has at 1,024. */
export const FINETUNE_DEFAULTS: FinetuneSettings = {
  pool: 'mean',
  epochs: 100,
  warmupEpochs: 5,
  batch: 128,
  blr: 5e-4,
  weightDecay: 0.05,
  layerDecay: 0.65,
  dropPath: 0.1,
  labelSmoothing: 0.1,
  mixup: 0.8,
  cutmix: 1,
  erase: 0.25,
  clipNorm: 0,
  crop: [0.08, 1],
  flip: true,
  seed: 0,
};

export interface FinetuneRun {
  readonly model: NamedFile;
  /** Whether to begin from the file's encoder, or from random weights. */
  readonly from: 'trained' | 'random';
  readonly data: TrainTest;
  readonly settings: FinetuneSettings;
  readonly watcher: LearningWatcher;
}

/** What fine-tuning came to, and the classifier: parameters by published names. */
export interface Finetuned extends Learned {
  readonly classifier: ReadonlyMap<string, Float32Array>;
}

export type RunFinetune = (engine: Engine, run: FinetuneRun) => Promise<Finetuned>;
