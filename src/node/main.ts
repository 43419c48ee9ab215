import type { TrainTest } from '../data/imageSet';
import { UserError } from '../files/userError';
import { describeAdapter, type Engine } from '../gpu/engine';
import { EngineError } from '../gpu/errors';
import { phasesOf, resolveConfig, type Config, type Phase, type PhasePlan } from '../imae/config';
import { assertSameRun, identify } from '../imae/identity';
import { PHASE_TITLES, rehearse } from '../imae/phaseResources';
import { runTraining, type ResumePoint, type RunOptions, type RunResult, type RunWatcher } from '../imae/run';
import { parseCommandLine, type CommandLine } from './commandLine';
import { openEngine } from './dawn';
import { describeRun } from './dryRun';
import { reason, reportFailure } from './failure';
import { FolderStore, resumePoint } from './folderStore';
import { formatSetting } from '../files/format';
import { Interrupt } from './interrupt';
import { createProgress, type Progress } from './progress';
import { ReportWriter } from './reportWriter';
import { RunFolder } from './runFolder';
import { describeScore, scoreTable } from './score';
import { sessionEnd, sessionStart } from './session';
import { loadData, readTeacher } from './trainingInputs';

/**
 * The command line of training.
 *
 * @returns the process's exit code: 2 for a wrong call, 1 for anything else that failed, 128 and its number where a
 *   signal ended it
 */
export async function main(argv: readonly string[]): Promise<number> {
  const args = argv.slice(2);
  try {
    return await train(parseCommandLine(args), args);
  } catch (error) {
    return reportFailure(error, args.includes('--debug'));
  }
}

async function train(line: CommandLine, args: readonly string[]): Promise<number> {
  if (line.help !== undefined) {
    console.log(line.help);
    return 0;
  }
  const resumed = line.resume === undefined ? undefined : RunFolder.open(line.resume);
  const config = resolveConfig([
    ...(resumed ? [{ source: `${resumed.path}/config.json`, values: resumed.readConfig() }] : []),
    ...line.layers,
  ]);
  if (!resumed) RunFolder.assertCreatable(line.out);
  if (line.dryRun && config.data.set === null) {
    console.log(describeRun(config));
    return 0;
  }
  if (resumed?.isFinished && !line.dryRun) {
    console.log(`finished  ${resumed.path} is done; to train longer, start a new run with --config ${resumed.path}/config.json`);
    reportFiles(resumed);
    return 0;
  }
  if (!line.dryRun) resumed?.claim();
  try {
    const progress = createProgress({ logEvery: config.logging.logEvery });
    const data = await loadData(config);
    const teacher = readTeacher(config);
    if (line.dryRun) {
      console.log(describeRun(config, data.train.count));
      return 0;
    }
    const resume = resumed && resumePoint(resumed);
    if (resume) assertSameRun(resume.state, await identify(config, data, teacher));
    const options: RunOptions = { ...(resume ? { resume } : {}), ...(teacher ? { teacher } : {}) };
    const engine = await openEngine({ adapterName: config.device.adapter, plain: config.device.kernels === 'plain' });
    const interrupt = new Interrupt((label, text) => progress.note(label, text));
    try {
      progress.note('data', describeData(data));
      progress.note('adapter', describeAdapter(engine.info));
      progress.note('prepare', `memory and kernels of ${phasesOf(config).map((phase) => PHASE_TITLES[phase]).join(' and ')}`);
      await rehearse(engine, config, data);
      const folder = resumed ?? newFolder(line, config);
      console.log(`run       ${folder.path}: see report.html in it`);
      const run = new Run(engine, config, folder, resumed !== undefined, progress, interrupt, args);
      return await run.train(data, options);
    } finally {
      progress.stop();
      engine.dispose();
    }
  } finally {
    resumed?.close();
  }
}

function newFolder({ out }: CommandLine, config: Config): RunFolder {
  const folder = RunFolder.create({ ...(out === undefined ? {} : { out }), preset: config.preset });
  folder.writeConfig(config);
  return folder;
}

/** Training in a run folder, as the user sees it. */
class Run implements RunWatcher {
  private at: { phase: Phase; step: number };
  private total = 0;
  private readonly reports: ReportWriter;

  constructor(
    private readonly engine: Engine,
    private readonly config: Config,
    private readonly folder: RunFolder,
    private readonly isResumed: boolean,
    private readonly progress: Progress,
    private readonly interrupt: Interrupt,
    private readonly args: readonly string[],
  ) {
    this.at = { phase: phasesOf(config)[0] as Phase, step: 0 };
    this.reports = new ReportWriter(folder, (label, text) => progress.note(label, text));
  }

  /** @returns the process's exit code */
  async train(data: TrainTest, options: RunOptions): Promise<number> {
    const { engine, config, folder, progress, args } = this;
    const start: Pick<ResumePoint, 'phase' | 'step'> = options.resume ?? this.at;
    this.at = { phase: start.phase, step: start.step };
    folder.appendSession(sessionStart(this.at, args, engine.info, data.train.count));
    this.reports.update({ now: true });
    try {
      const store = new FolderStore(folder, this.isResumed ? start : undefined, () => this.reports.update({ now: true }));
      const result = await runTraining(engine, config, data, store, this, options);
      folder.appendSession(sessionEnd(this.at, result.stopped ? 'stopped' : 'finished'));
      await this.reports.close();
      progress.stop();
      this.report(result);
      return result.stopped ? this.interrupt.exitCode : 0;
    } catch (error) {
      progress.stop();
      throw await this.failed(error);
    } finally {
      folder.close();
    }
  }

  phase(phase: Phase, plan: PhasePlan, start: number): void {
    this.at = { phase, step: start };
    this.reports.update({ now: true });
    this.total = plan.steps;
    this.progress.phase(PHASE_TITLES[phase], plan.steps, start);
    this.progress.note(PHASE_TITLES[phase], describePlan(plan, this.config.training.batch));
  }

  step({ step, loss, imagesPerSecond }: Parameters<RunWatcher['step']>[0]): void {
    this.at.step = step + 1;
    this.progress.step(step + 1, { loss, imagesPerSecond });
    this.reports.update();
  }

  score(_: Phase, step: number, score: Parameters<RunWatcher['score']>[2]): void {
    this.reports.update({ now: true });
    if (step < this.total) this.progress.note(`step ${step}`, describeScore(score)); // the last comes as a table
  }

  stopRequested(): boolean {
    return this.interrupt.requested;
  }

  /** What to throw for an error of the run: what was saved is not lost, and the folder says how it ended. */
  private async failed(error: unknown): Promise<unknown> {
    const { folder } = this;
    try {
      folder.appendSession(sessionEnd(this.at, 'failed', reason(error)));
      await this.reports.close();
    } catch {
      // On a full disk, the first failure says it all.
    }
    const isSaved = error instanceof EngineError && folder.lastCheckpoint() !== undefined;
    return isSaved ? new UserError(`${error.message} To go on: node train.js --resume ${folder.path}`) : error;
  }

  private report({ stopped, score }: RunResult): void {
    const { folder } = this;
    if (stopped) {
      console.log(`stopped   ${PHASE_TITLES[stopped.phase]} after ${stopped.step} steps, saved as ${stopped.checkpoint}`);
      console.log(`go on     node train.js --resume ${folder.path}`);
      return;
    }
    if (score) console.log(`result    ${scoreTable(score)}`);
    reportFiles(folder);
  }
}

function describeData({ train, test }: TrainTest): string {
  const size = `${train.width} × ${train.height} pixels, ${train.classes.length} classes`;
  return `${train.name}: ${train.count} images to train on and ${test.count} held out, ${size}`;
}

/** `300 steps of 32 images, learning rate 0.008 after 20 steps of warm-up` */
function describePlan({ steps, warmupSteps, peakLearningRate }: PhasePlan, batch: number): string {
  const rate = formatSetting(peakLearningRate);
  const warmup =
    warmupSteps < steps
      ? `learning rate ${rate}${warmupSteps > 0 ? ` after ${formatSetting(warmupSteps)} steps of warm-up` : ''}`
      : `all of them warm-up: the learning rate never reaches ${rate}`;
  return `${steps} steps of ${batch} images, ${warmup}`;
}

function reportFiles({ path }: RunFolder): void {
  console.log(`report    ${path}/report.html: open it in a browser`);
  console.log(`pictures  ${path}/panels`);
  console.log(`model     ${path}/checkpoints`);
}
