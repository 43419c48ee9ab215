import type { NamedFile } from '../checkpoint/namedFile';
import type { ResumePoint, RunOptions, RunResult, RunStore, RunWatcher } from './runStore';
import type { TrainingSet, TrainTest } from '../../data/imageSet';
import { readSafetensors } from '../../formats/safetensors';
import { UserError } from '../../common/userError';
import type { Engine } from '../../engine/engine';
import {
  assertIntact,
  digestTensors,
  loadModel,
  loadState,
  saveModel,
  saveState,
  startFromTeacher,
  trainedAs,
} from '../checkpoint/checkpoint';
import { needsTeacher, phasesOf, type Config, type Phase } from '../config/config';
import { PHASE_TITLES } from '../config/describe';
import { assertSameRun, identify, type RunIdentity } from './identity';
import { maskOf } from '../mask/masks';
import { RunImages } from './gpuResidency';
import { normalisationMetadata } from '../checkpoint/modelFile';
import { allocatePhase, type PhaseResources } from './phaseResources';
import { completionSheet, shownPairs, unmixingSheet } from '../eval/pictures';
import { SMALLEST_SCALE } from '../../optim/lossScaling';
import { initializeModel } from './models';
import { type StepMetrics } from './trainer';
import { UnmixingSums, type UnmixingScore } from '../eval/unmixing';
import { meanTarget } from '../eval/meanImage';
import { heldOutPairs } from '../eval/heldOutPairs';

/** A loss, gradient or weight that is not finite: the same steps would end the same way. */
export class DivergedError extends UserError {}

/** Steps over which images a second are measured, at least: some are under way at once and end together. */
const SHORTEST_WINDOW = 8;

/** Held-out pairs of the unmixing score, and the range over which their α is spread evenly. */
const SCORED_PAIRS = 256;
const SCORED_ALPHAS = [0.1, 0.45] as const;

/**
 * Trains what the configuration asks for, phase by phase, and leaves metrics, checkpoints and pictures in the store.
 * `rehearse` tells beforehand whether every phase fits.
 *
 * @throws UserError where a phase does not fit into memory, a checkpoint does not fit the model or is of another run, or
 *   a loss is not finite; EngineError where the GPU fails
 */
export async function runTraining(
  engine: Engine,
  config: Config,
  data: TrainTest,
  { store, watcher }: { readonly store: RunStore; readonly watcher: RunWatcher },
  options: RunOptions = {},
): Promise<RunResult> {
  const phases = phasesOf(config);
  const { resume } = options;
  const first = resume ? phases.indexOf(resume.phase) : 0;
  if (first < 0)
    throw new UserError(`The checkpoint is of phase '${resume?.phase ?? ''}', which this run does not have.`);
  const identity = await checkResumption(config, data, options);
  const images = new RunImages(engine, config, data);
  let result: RunResult = {};
  try {
    for (const phase of phases.slice(first)) {
      const teacher = phase === 'imae' && needsTeacher(config) ? teacherFile(store, options) : undefined;
      const resources = await allocatePhase(engine, config, phase, data, images);
      try {
        const run = new PhaseRun({ config, phase, data, store, watcher, identity }, resources);
        const from = resume?.phase === phase ? resume : undefined;
        run.load(teacher, from);
        resources.trainer.profiler = options.profiler;
        options.profiler?.begin(phase, resources.trainer.plan.steps - (from?.step ?? 0));
        result = await run.run(from !== undefined && (options.changed?.size ?? 0) > 0);
      } finally {
        resources.dispose();
      }
      if (result.stopped) break;
    }
  } finally {
    images.dispose();
  }
  return result;
}

/**
 * Looks whether a run can go on from where it was left.
 *
 * @returns what its checkpoints are to be signed with
 * @throws UserError where the checkpoint is of another run, or not what was saved
 */
export async function checkResumption(
  config: Config,
  data: TrainTest,
  { resume, teacher, changed }: RunOptions,
): Promise<RunIdentity> {
  const identity = await identify(config, data, teacher);
  if (resume) {
    assertSameRun(resume.state, identity, changed);
    await assertIntact(resume.model, resume.state);
  }
  return identity;
}

function teacherFile(store: RunStore, options: RunOptions): NamedFile {
  const teacher = options.teacher ?? store.finished('teacher');
  if (!teacher)
    throw new UserError(
      'i-MAE needs a teacher, and there is none. Give --teacher FILE; a run that is resumed needs its checkpoints/teacher-….',
    );
  return teacher;
}

/** What a phase of a run is told. */
interface PhaseSetup {
  readonly config: Config;
  readonly phase: Phase;
  readonly data: TrainTest;
  readonly store: RunStore;
  readonly watcher: RunWatcher;
  readonly identity: RunIdentity;
}

/** One phase from its first step, or the one it was left at, to its last. */
class PhaseRun {
  private start = 0;
  private lastCheckpoint: string | undefined;

  constructor(
    private readonly setup: PhaseSetup,
    private readonly resources: PhaseResources,
  ) {}

  /** Gives the model its first values, or those of the checkpoint to go on from. */
  load(teacher: NamedFile | undefined, resume: ResumePoint | undefined): void {
    const { config } = this.setup;
    const { model, trainer } = this.resources;
    if (this.resources.teacher && teacher) loadModel(this.resources.teacher, teacher.file, teacher.name);
    if (resume) {
      loadModel(model, resume.model.file, resume.model.name);
      loadState(trainer.optimizer, resume.state.file, resume.state.name);
      this.start = resume.step;
      this.lastCheckpoint = resume.model.name;
    } else if (teacher && config.imae.start === 'teacher') {
      startFromTeacher(model, teacher.file, teacher.name);
    } else {
      initializeModel(model, config.training.seed);
    }
  }

  /** @param signAnew whether the checkpoint that it was loaded from is to be written again, under the identity of this run */
  async run(signAnew: boolean): Promise<RunResult> {
    const { phase, config, watcher } = this.setup;
    const { trainer } = this.resources;
    const { steps } = trainer.plan;
    const { scoreEvery, checkpointEvery, panelsEvery } = config.logging;
    watcher.phase(phase, trainer.plan, this.start);
    let score: UnmixingScore | undefined;
    for (let done = this.start; ;) {
      // Also where it was left: the lines from there on were taken back, a score among them.
      const due = (every: number): boolean => done === steps || (every > 0 && done > 0 && done % every === 0);
      const stop = done < steps && watcher.stopRequested();
      if (due(checkpointEvery) || stop || (signAnew && done === this.start)) await this.checkpoint(done);
      if (phase === 'imae' && due(scoreEvery)) score = await this.score(done);
      if (due(panelsEvery)) await this.panels(done);
      if (stop) return { stopped: { phase, step: done, checkpoint: this.lastCheckpoint ?? '' } };
      if (done === steps) return score ? { score } : {};
      done = await this.runUntilEvent(done);
    }
  }

  /** Trains up to the next step at which something is due, or somebody asks to stop. */
  private async runUntilEvent(done: number): Promise<number> {
    const { config, phase, store, watcher } = this.setup;
    const { trainer } = this.resources;
    const { steps } = trainer.plan;
    const { logEvery, scoreEvery, checkpointEvery, panelsEvery } = config.logging;
    const next = [scoreEvery, checkpointEvery, panelsEvery]
      .filter((every) => every > 0)
      .map((every) => (Math.floor(done / every) + 1) * every);
    const end = Math.min(steps, ...next);
    let since = performance.now();
    let counted = 0;
    let waited: number | undefined;
    return await trainer.run(done, end, (metrics) => {
      this.assertFinite(metrics);
      counted++;
      const now = performance.now();
      const imagesPerSecond = (counted * config.training.batch * 1000) / (now - since);
      if (metrics.waited !== undefined) waited = (waited ?? 0) + metrics.waited;
      const waiting = waited === undefined ? {} : { waiting: round(Math.min(1, (1000 * waited) / (now - since))) };
      watcher.step({ ...metrics, imagesPerSecond, ...waiting });
      if (metrics.step % logEvery === 0 || metrics.step === steps - 1) {
        const { step, loss, parts, lr, gradNorm, scaling, sameClass } = metrics;
        const inHalf = scaling ? { lossScale: scaling.scale, skippedSteps: scaling.skipped } : {};
        const pairs = sameClass === undefined ? {} : { sameClass };
        store.appendMetrics({
          phase,
          step,
          loss,
          ...parts,
          ...pairs,
          lr,
          gradNorm,
          ...inHalf,
          imagesPerSecond: round(imagesPerSecond),
          ...waiting,
        });
        if (counted >= SHORTEST_WINDOW) [since, counted, waited] = [now, 0, undefined];
      }
      return watcher.stopRequested();
    });
  }

  /** A step that was skipped has changed nothing, and its gradient need not be finite. */
  private assertFinite({ step, loss, parts, gradNorm, scaling }: StepMetrics): void {
    for (const [name, value] of Object.entries({ ...parts, loss, ...(scaling?.isSkipped ? {} : { gradNorm }) })) {
      if (!Number.isFinite(value)) throw this.notFinite(step, `${name} is ${value}`);
    }
    if (scaling?.isSkipped && scaling.scale <= SMALLEST_SCALE) {
      throw this.notFinite(step, `its gradient overflows f16 even with a loss scale of ${scaling.scale}`);
    }
  }

  private notFinite(step: number, what: string): DivergedError {
    const kept = this.lastCheckpoint
      ? `The last good checkpoint is ${this.lastCheckpoint}`
      : 'There is no checkpoint yet';
    return new DivergedError(
      `Phase ${this.setup.phase}, step ${step}: ${what}; the run stops. ${kept}. ` +
        `Start a new run with a lower learning rate${this.setup.config.optimizer.muon > 0 ? ', a lower --muon' : ''} or --clip-norm 1.`,
    );
  }

  private async checkpoint(step: number): Promise<void> {
    const { model, trainer } = this.resources;
    const values = await model.parameters.read();
    // The last step's loss was that of the weights before its update.
    const broken = [...values].find(([, data]) => !data.every(Number.isFinite));
    if (broken) throw this.notFinite(step - 1, `its update of ${broken[0]} is not finite`);
    const metadata = {
      phase: this.setup.phase,
      step: String(step),
      format: 'pt',
      maskRatio: String(this.setup.config.masking.maskRatio),
      mask: maskOf(this.setup.config, this.setup.phase),
      ...trainedAs(this.setup.config, this.setup.phase),
      ...normalisationMetadata(this.resources.unmixer.normalisation),
    };
    const saved = saveModel(model, values, metadata);
    const state = await saveState(trainer.optimizer, {
      ...metadata,
      run: JSON.stringify(this.setup.identity),
      model: await digestTensors(readSafetensors(saved)),
    });
    this.lastCheckpoint = this.setup.store.writeCheckpoint(this.setup.phase, step, saved, state);
  }

  private async score(step: number): Promise<UnmixingScore> {
    const { data, store, phase, watcher } = this.setup;
    const { model, unmixer } = this.resources;
    const [low, high] = SCORED_ALPHAS;
    const pairs = heldOutPairs(data.test, SCORED_PAIRS, (index) => low + ((high - low) * (index + 0.5)) / SCORED_PAIRS);
    const sums = new UnmixingSums(model.size, await this.meanTarget(data.train), this.setup.config.model);
    await unmixer.unmixEach(pairs, await unmixer.orders(pairs), (part) => sums.add(part));
    const { score } = sums;
    store.appendMetrics({ phase, step, unmixing: score });
    watcher.score(phase, step, score);
    return score;
  }

  private mean: Promise<Float32Array> | undefined;

  private meanTarget(set: TrainingSet): Promise<Float32Array> {
    const { model, unmixer } = this.resources;
    this.mean ??= meanTarget(model.size, set, unmixer.normalisation, this.setup.config.model);
    return this.mean;
  }

  private async panels(step: number): Promise<void> {
    const { phase, data, store } = this.setup;
    const { model, unmixer } = this.resources;
    const pairs = heldOutPairs(data.test, SCORED_PAIRS, () => 0.5);
    const title = `${PHASE_TITLES[phase]} after ${step} steps, held-out images of ${data.test.name}`;
    const sheet =
      phase === 'imae'
        ? await unmixingSheet(unmixer, model.size, shownPairs(data.test, pairs), title)
        : await completionSheet(unmixer, model.size, pairs.slice(0, 8), title);
    await store.writePanels(`${phase}-${String(step).padStart(6, '0')}`, sheet);
  }
}

function round(value: number): number {
  return Number(value.toPrecision(4));
}
