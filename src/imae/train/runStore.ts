import type { ImageGrid } from '../../report/imageGrid';
import type { NamedFile, SavedState } from '../checkpoint/namedFile';
import type { Phase, PhasePlan } from '../config/config';
import type { UnmixingScore } from '../eval/unmixing';
import type { StepProfiler } from './profiler';
import type { StepMetrics } from './trainer';

/** Where a phase stands. */
export interface ResumePoint extends SavedState {
  readonly phase: Phase;
  /** Steps done. */
  readonly step: number;
}

/** Where a run leaves what it makes. */
export interface RunStore {
  /** Keeps what one step measured. */
  appendMetrics(line: { readonly phase: Phase; readonly step: number; readonly [name: string]: unknown }): void;
  /** Keeps a checkpoint; returns what to call it. */
  writeCheckpoint(phase: Phase, step: number, model: Uint8Array, state: Uint8Array): string;
  /** Keeps a picture of what the model makes. */
  writePanels(name: string, sheet: ImageGrid): Promise<void>;
  /** The last checkpoint's model of a phase that is done. */
  finished(phase: Phase): NamedFile | undefined;
}

/** Who watches a run. */
export interface RunWatcher {
  /**
   * A phase begins.
   *
   * @param start steps done already
   */
  phase(phase: Phase, plan: PhasePlan, start: number): void;
  /** `waiting`, of a streamed set: the share of the time, since about the last line, that the GPU waited for images. */
  step(metrics: StepMetrics & { readonly imagesPerSecond: number; readonly waiting?: number }): void;
  /** A model was scored. */
  score(phase: Phase, step: number, score: UnmixingScore): void;
  /** Asked between steps: true saves a checkpoint and ends the run early. */
  stopRequested(): boolean;
}

/** How a training is run. */
export interface RunOptions {
  /** Where to go on. */
  readonly resume?: ResumePoint;
  /** A teacher trained before. */
  readonly teacher?: NamedFile;
  /** Measures some steps of each phase. */
  readonly profiler?: StepProfiler;
  /**
   * Settings, as `optimizer.learningRate`, that are meant to differ from what the run was resumed with: what is trained
   * from there on is another run, and its first checkpoint, written at once in the place of the resumed one, says so.
   */
  readonly changed?: ReadonlySet<string>;
}

/** How a run ended; `stopped` names the last checkpoint where it was ended early. */
export interface RunResult {
  readonly stopped?: { readonly phase: Phase; readonly step: number; readonly checkpoint: string };
  readonly score?: UnmixingScore;
}
