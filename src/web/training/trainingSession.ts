import type { TrainTest } from '../../data/imageSet';
import type { ImageGrid } from '../../report/imageGrid';
import { readSafetensors } from '../../formats/safetensors';
import type { Engine } from '../../engine/engine';
import type { Config, Phase, PhasePlan } from '../../imae/config/config';
import { train } from '../../imae/train/train';
import type { ResumePoint, RunOptions, RunResult, RunStore, RunWatcher } from '../../imae/train/runStore';
import type { NamedFile } from '../../imae/checkpoint/namedFile';
import { checkpointFiles, CHECKPOINTS, type MetricsLine, type RunPosition } from '../../imae/train/runFiles';
import type { FolderEntry, SavedCheckpoint } from './memoryFolder';

/** A stretch of a run, from its beginning or where it was left to its end or the next pause. */
export interface TrainingSession {
  readonly config: Config;
  /** Where to go on; absent from the beginning. */
  readonly resume?: SavedCheckpoint;
  /** The teacher that the run has trained. */
  readonly teacher?: FolderEntry;
  /** Settings that are meant to differ from what the run was left with: see `RunOptions`. */
  readonly changed?: readonly string[];
}

/** What a step measured, and what it took. */
export interface Figures {
  /** Steps done. */
  readonly step: number;
  readonly loss: number;
  readonly lr: number;
  readonly imagesPerSecond: number;
  /** GPU memory of the engine's buffers. */
  readonly liveBytes: number;
}

/** What a leg tells while it is under way, in order. Bytes are given away. */
export type TrainingEvent =
  | { readonly kind: 'preparing'; readonly what: string }
  | { readonly kind: 'note'; readonly text: string }
  | { readonly kind: 'broken'; readonly path: string; readonly why: string }
  | { readonly kind: 'adapter'; readonly name: string; readonly software: boolean }
  | { readonly kind: 'phase'; readonly phase: Phase; readonly plan: PhasePlan; readonly start: number }
  | { readonly kind: 'progress'; readonly lines: readonly MetricsLine[]; readonly figures?: Figures }
  | ({ readonly kind: 'checkpoint'; readonly model: Uint8Array; readonly state: Uint8Array } & RunPosition)
  | { readonly kind: 'panels'; readonly name: string; readonly sheet: ImageGrid }
  | { readonly kind: 'picture'; readonly name: string; readonly png: Uint8Array };

/** What a leg needs of where it runs. */
export interface Surroundings {
  /** Tells an event; answers when it was heard. */
  readonly send: (event: TrainingEvent) => Promise<void>;
  /** A sheet as the PNG file that Node leaves in `panels/`. */
  readonly drawPicture: (sheet: ImageGrid) => Promise<Uint8Array>;
  /** Asked between steps: true ends the leg with a checkpoint. */
  readonly stopRequested: () => boolean;
}

/** Milliseconds between two reports of figures, at least: more often nobody looks. */
const INTERVAL = 200;

/**
 * Trains a leg of a run by the same `train` as Node, and tells all that it makes and measures.
 *
 * @throws UserError, EngineError as `train`
 */
export async function trainSession(
  engine: Engine,
  data: TrainTest,
  leg: TrainingSession,
  surroundings: Surroundings,
): Promise<RunResult> {
  const reporter = new Reporter(engine, leg, surroundings);
  try {
    return await train(engine, leg.config, data, { ...runOptions(leg), store: reporter, watcher: reporter });
  } finally {
    await reporter.close();
  }
}

/** @throws UserError where a checkpoint cannot be read */
export function runOptions({ resume, changed }: TrainingSession): RunOptions {
  return {
    ...(resume ? { resume: resumePoint(resume) } : {}),
    ...(changed ? { changed: new Set(changed) } : {}),
  };
}

function resumePoint({ phase, step, model, state }: SavedCheckpoint): ResumePoint {
  return { phase, step, model: read(model), state: read(state) };
}

function read({ name, bytes }: FolderEntry): NamedFile {
  return { name, file: readSafetensors(bytes, name) };
}

/** Turns what a run makes and measures into events. Lines and figures are told together a few times a second. */
class Reporter implements RunStore, RunWatcher {
  private teacher: FolderEntry | undefined;
  private lines: MetricsLine[] = [];
  private figures: Figures | undefined;
  private told = 0;
  private readonly pictures: Promise<void>[] = [];
  private heard: Promise<void> = Promise.resolve();
  private failure: Error | undefined;

  constructor(
    private readonly engine: Engine,
    leg: TrainingSession,
    private readonly surroundings: Surroundings,
  ) {
    this.teacher = leg.teacher;
  }

  appendMetrics(line: MetricsLine): void {
    this.lines.push(line);
  }

  writeCheckpoint(phase: Phase, step: number, model: Uint8Array, state: Uint8Array): string {
    const name = `${CHECKPOINTS}/${checkpointFiles({ phase, step }).model}`;
    if (phase === 'teacher') this.teacher = { name, bytes: model.slice() };
    this.tell({ kind: 'checkpoint', phase, step, model, state });
    return name;
  }

  async writePanels(name: string, sheet: ImageGrid): Promise<void> {
    const picture = this.surroundings.drawPicture(sheet).then(
      (png) => this.tell({ kind: 'picture', name, png }),
      () => undefined, // the page has shown it; a run does not end for a file of it
    );
    this.pictures.push(picture);
    this.tell({ kind: 'panels', name, sheet });
  }

  finished(phase: Phase): NamedFile | undefined {
    return phase === 'teacher' && this.teacher ? read(this.teacher) : undefined;
  }

  phase(phase: Phase, plan: PhasePlan, start: number): void {
    this.figures = undefined;
    this.tell({ kind: 'phase', phase, plan, start });
  }

  step({ step, loss, lr, imagesPerSecond }: Parameters<RunWatcher['step']>[0]): void {
    this.figures = { step: step + 1, loss, lr, imagesPerSecond, liveBytes: this.engine.pool.liveBytes };
    if (performance.now() - this.told >= INTERVAL) this.tellProgress();
  }

  score(): void {
    // It is in the lines.
  }

  stopRequested(): boolean {
    return this.surroundings.stopRequested();
  }

  /** Waits until everything was told and heard. */
  async close(): Promise<void> {
    await Promise.all(this.pictures);
    this.tellProgress();
    await this.heard;
    if (this.failure) throw this.failure;
  }

  private tell(event: TrainingEvent): void {
    this.tellProgress();
    this.send(event);
  }

  private tellProgress(): void {
    const { lines, figures } = this;
    this.told = performance.now();
    if (lines.length === 0 && !figures) return;
    this.lines = [];
    this.figures = undefined;
    this.send({ kind: 'progress', lines, ...(figures ? { figures } : {}) });
  }

  private send(event: TrainingEvent): void {
    this.heard = this.surroundings.send(event).catch((error: unknown) => {
      this.failure ??= error instanceof Error ? error : new Error(String(error));
    });
  }
}
