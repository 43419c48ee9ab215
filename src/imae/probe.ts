import type { TrainTest } from '../data/imageSet';
import type { Engine } from '../gpu/engine';
import type { Learned, LearningWatcher } from './classification';
import type { Pool } from './features';
import type { NamedFile } from './run';

/**
 * Whose features are probed: the encoder of the file, one of its size with random weights, or none: the very pixels that
 * it would be given.
 */
export type Probed = 'trained' | 'random' | 'pixels';

export interface ProbeSettings {
  readonly pool: Pool;
  readonly epochs: number;
  readonly warmupEpochs: number;
  readonly batch: number;
  /** Peak learning rate for 256 images: lr = blr × batch / 256. */
  readonly blr: number;
  /** Smallest and largest share of a random resized crop; null takes whole images. */
  readonly crop: readonly [number, number] | null;
  readonly flip: boolean;
  readonly seed: number;
}

/** MAE's recipe (He et al. 2021), but for the batch, which it has at 16,384. */
export const PROBE_DEFAULTS: ProbeSettings = {
  pool: 'class',
  epochs: 90,
  warmupEpochs: 10,
  batch: 256,
  blr: 0.1,
  crop: [0.08, 1],
  flip: true,
  seed: 0,
};

export interface ProbeRun {
  readonly model: NamedFile;
  readonly probed: Probed;
  readonly data: TrainTest;
  readonly settings: ProbeSettings;
  readonly watcher: LearningWatcher;
}

export type RunProbe = (engine: Engine, run: ProbeRun) => Promise<Learned>;
