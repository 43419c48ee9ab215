import type { ImageSet, TrainTest } from '../data/imageSet';
import type { PanelSheet } from '../files/panels';
import type { Safetensors } from '../files/safetensors';
import { UserError } from '../files/userError';
import type { Engine } from '../gpu/engine';
import { loadModel, loadState, saveModel, saveState, startFromTeacher } from './checkpoint';
import { needsTeacher, phasesOf, type Config, type Phase } from './config';
import type { Model } from './objective';
import { completionSheet, shownPairs, unmixingSheet } from './pictures';
import { initializeModel, makeModel, Trainer, type StepMetrics } from './trainer';
import { heldOutPairs, meanImage, Unmixer, unmixingScore, type UnmixingScore } from './unmixing';

/** A saved model with the name under which messages speak of it. */
export interface NamedFile {
  readonly name: string;
  readonly file: Safetensors;
}

/** Where a phase stands. */
export interface ResumePoint {
  readonly phase: Phase;
  /** Steps done. */
  readonly step: number;
  readonly model: NamedFile;
  readonly state: NamedFile;
}

/** Where a run leaves what it makes. */
export interface RunStore {
  appendMetrics(line: { readonly phase: Phase; readonly step: number; readonly [name: string]: unknown }): void;
  /** Keeps a checkpoint; returns what to call it. */
  writeCheckpoint(phase: Phase, step: number, model: Uint8Array, state: Uint8Array): string;
  writePanels(name: string, sheet: PanelSheet): Promise<void>;
  /** The last checkpoint's model of a phase that is done. */
  finished(phase: Phase): NamedFile | undefined;
}

/** Who watches a run. */
export interface RunWatcher {
  phase(phase: Phase, steps: number, start: number): void;
  step(metrics: StepMetrics & { readonly imagesPerSecond: number }): void;
  score(phase: Phase, step: number, score: UnmixingScore): void;
  /** Asked between steps: true saves a checkpoint and ends the run early. */
  stopRequested(): boolean;
}

export interface RunOptions {
  /** Where to go on. */
  readonly resume?: ResumePoint;
  /** A teacher trained before. */
  readonly teacher?: NamedFile;
}

/** How a run ended; `stopped` names the last checkpoint where it was ended early. */
export interface RunResult {
  readonly stopped?: { readonly phase: Phase; readonly step: number; readonly checkpoint: string };
  readonly score?: UnmixingScore;
}

/** Held-out pairs of the unmixing score, and the range over which their α is spread evenly. */
const SCORED_PAIRS = 256;
const SCORED_ALPHAS = [0.1, 0.45] as const;
const UNMIXER_BATCH = 16;

/** What people call the phases. */
export const PHASE_TITLES: Readonly<Record<Phase, string>> = { teacher: 'teacher', imae: 'i-MAE', mae: 'MAE' };

/**
 * Trains what the configuration asks for, phase by phase, and leaves metrics, checkpoints and pictures in the store.
 *
 * @throws UserError where a loss is not finite, or a checkpoint does not fit; EngineError where the GPU fails
 */
export async function runTraining(
  engine: Engine,
  config: Config,
  data: TrainTest,
  store: RunStore,
  watcher: RunWatcher,
  options: RunOptions = {},
): Promise<RunResult> {
  const phases = phasesOf(config);
  const { resume } = options;
  const first = resume ? phases.indexOf(resume.phase) : 0;
  if (first < 0) throw new UserError(`The checkpoint is of phase '${resume?.phase ?? ''}', which this run does not have.`);
  let result: RunResult = {};
  for (const phase of phases.slice(first)) {
    const teacher = phase === 'imae' && needsTeacher(config) ? teacherFile(store, options) : undefined;
    const run = new PhaseRun(engine, config, phase, data, store, watcher);
    try {
      await run.open(teacher, resume?.phase === phase ? resume : undefined);
      result = await run.run();
    } finally {
      run.dispose();
    }
    if (result.stopped) break;
  }
  return result;
}

function teacherFile(store: RunStore, options: RunOptions): NamedFile {
  const teacher = options.teacher ?? store.finished('teacher');
  if (!teacher) throw new UserError('i-MAE needs a teacher, and there is none. Give --teacher FILE, or train one first.');
  return teacher;
}

/** One phase from its first step, or the one it was left at, to its last. */
class PhaseRun {
  private readonly owned: { dispose(): void }[] = [];
  private model!: Model;
  private trainer!: Trainer;
  private unmixer!: Unmixer;
  private start = 0;
  private lastCheckpoint: string | undefined;

  constructor(
    private readonly engine: Engine,
    private readonly config: Config,
    private readonly phase: Phase,
    private readonly data: TrainTest,
    private readonly store: RunStore,
    private readonly watcher: RunWatcher,
  ) {}

  async open(teacherFile: NamedFile | undefined, resume: ResumePoint | undefined): Promise<void> {
    const { engine, config, phase, data } = this;
    this.model = this.own(makeModel(engine, config, phase), ({ parameters }) => parameters.dispose());
    const teacher = teacherFile && this.openTeacher(teacherFile);
    if (resume) loadModel(this.model, resume.model.file, resume.model.name);
    else if (teacherFile && config.imae.start === 'teacher') {
      startFromTeacher(this.model, teacherFile.file, teacherFile.name);
    } else initializeModel(this.model, config.training.seed);
    this.trainer = await Trainer.create(engine, config, phase, data.train, this.model, teacher);
    this.owned.push(this.trainer);
    if (resume) {
      loadState(this.trainer.optimizer, resume.state.file, resume.state.name);
      this.start = resume.step;
      this.lastCheckpoint = resume.model.name;
    }
    this.unmixer = await Unmixer.create(engine, config, data.test, this.model, UNMIXER_BATCH);
    this.owned.push(this.unmixer);
  }

  private openTeacher(file: NamedFile): Model {
    const teacher = makeModel(this.engine, this.config, 'teacher', { frozen: true });
    this.own(teacher, ({ parameters }) => parameters.dispose());
    loadModel(teacher, file.file, file.name);
    return teacher;
  }

  private own<T>(value: T, dispose: (value: T) => void): T {
    this.owned.push({ dispose: () => dispose(value) });
    return value;
  }

  async run(): Promise<RunResult> {
    const { trainer, phase, config, watcher } = this;
    const { steps } = trainer.plan;
    const { scoreEvery, checkpointEvery, panelsEvery } = config.logging;
    if (this.start > steps) {
      throw new UserError(
        `The checkpoint ${this.lastCheckpoint ?? ''} is ${this.start} steps into phase ${phase}, which has ${steps}. ` +
          "Give the run's config.json the number of steps it was started with, or more.",
      );
    }
    watcher.phase(phase, steps, this.start);
    let score: UnmixingScore | undefined;
    for (let done = this.start; ; ) {
      // Also where it was left: the lines from there on were taken back, a score among them.
      const due = (every: number): boolean => done === steps || (every > 0 && done > 0 && done % every === 0);
      const stop = done < steps && watcher.stopRequested();
      if (due(checkpointEvery) || stop) await this.checkpoint(done);
      if (phase === 'imae' && due(scoreEvery)) score = await this.score(done);
      if (due(panelsEvery)) await this.panels(done);
      if (stop) return { stopped: { phase, step: done, checkpoint: this.lastCheckpoint ?? '' } };
      if (done === steps) return score ? { score } : {};
      done = await this.runUntilEvent(done);
    }
  }

  /** Trains up to the next step at which something is due, or somebody asks to stop. */
  private async runUntilEvent(done: number): Promise<number> {
    const { trainer, config, phase, store, watcher } = this;
    const { steps } = trainer.plan;
    const { logEvery, scoreEvery, checkpointEvery, panelsEvery } = config.logging;
    const next = [scoreEvery, checkpointEvery, panelsEvery]
      .filter((every) => every > 0)
      .map((every) => (Math.floor(done / every) + 1) * every);
    const end = Math.min(steps, ...next);
    let since = performance.now();
    let counted = 0;
    return await trainer.run(done, end, (metrics) => {
      this.assertFinite(metrics);
      counted++;
      const now = performance.now();
      const imagesPerSecond = (counted * config.training.batch * 1000) / (now - since);
      watcher.step({ ...metrics, imagesPerSecond });
      if (metrics.step % logEvery === 0 || metrics.step === steps - 1) {
        const { step, loss, parts, lr, gradNorm } = metrics;
        store.appendMetrics({ phase, step, loss, ...parts, lr, gradNorm, imagesPerSecond: round(imagesPerSecond) });
        since = now;
        counted = 0;
      }
      return watcher.stopRequested();
    });
  }

  private assertFinite({ step, loss, parts, gradNorm }: StepMetrics): void {
    for (const [name, value] of Object.entries({ ...parts, loss, gradNorm })) {
      if (!Number.isFinite(value)) throw this.notFinite(step, `${name} is ${value}`);
    }
  }

  private notFinite(step: number, what: string): UserError {
    return new UserError(
      `Phase ${this.phase}, step ${step}: ${what}; the run stops. The last good checkpoint is ` +
        `${this.lastCheckpoint ?? 'none, the run had not come that far'}. Use a lower learning rate or --clip-norm 1.`,
    );
  }

  private async checkpoint(step: number): Promise<void> {
    const values = await this.model.parameters.read();
    // The last step's loss was that of the weights before its update.
    const broken = [...values].find(([, data]) => !data.every(Number.isFinite));
    if (broken) throw this.notFinite(step - 1, `its update of ${broken[0]} is not finite`);
    const metadata = { phase: this.phase, step: String(step), format: 'pt' };
    const state = await saveState(this.trainer.optimizer, metadata);
    this.lastCheckpoint = this.store.writeCheckpoint(this.phase, step, saveModel(this.model, values, metadata), state);
  }

  private async score(step: number): Promise<UnmixingScore> {
    const { data, unmixer, store, phase, watcher, model } = this;
    const [low, high] = SCORED_ALPHAS;
    const pairs = heldOutPairs(data.test, SCORED_PAIRS, (index) => low + ((high - low) * (index + 0.5)) / SCORED_PAIRS);
    const unmixed = await unmixer.unmix(pairs, unmixer.orders(pairs.length));
    const score = unmixingScore(model.size, unmixed, this.meanImage(data.train));
    store.appendMetrics({ phase, step, unmixing: score });
    watcher.score(phase, step, score);
    return score;
  }

  private mean: Float32Array | undefined;

  private meanImage(set: ImageSet): Float32Array {
    this.mean ??= meanImage(set, this.unmixer.normalisation);
    return this.mean;
  }

  private async panels(step: number): Promise<void> {
    const { phase, unmixer, model, data, store } = this;
    const pairs = heldOutPairs(data.test, SCORED_PAIRS, () => 0.5);
    const title = `${PHASE_TITLES[phase]} after ${step} steps, held-out images of ${data.test.name}`;
    const sheet =
      phase === 'imae'
        ? await unmixingSheet(unmixer, model.size, shownPairs(data.test, pairs), title)
        : await completionSheet(unmixer, model.size, pairs.slice(0, 8), title);
    await store.writePanels(`${phase}-${String(step).padStart(6, '0')}`, sheet);
  }

  dispose(): void {
    for (const resource of this.owned.reverse()) resource.dispose();
  }
}

function round(value: number): number {
  return Number(value.toPrecision(4));
}
