import { counted, formatShare } from '../common/format';
import { sessionEnd } from '../report/session';
import { kernelFileText } from '../formats/kernelFile';
import { UserError } from '../common/userError';
import type { Engine } from '../engine/engine';
import { nameAdapter } from '../gpu/adapter';
import { EngineError } from '../gpu/errors';
import type { Config, Phase, PhasePlan } from '../imae/config/config';
import { describePlan, PHASE_TITLES } from '../imae/config/describe';
import { train } from '../imae/train/train';
import type { RunOptions, RunResult, RunWatcher } from '../imae/train/runStore';
import { BROKEN_IMAGES, KERNELS, type RunPosition } from '../imae/train/runFiles';
import { StorageError } from '../node/durableFile';
import { reason } from '../node/failure';
import { FolderStore } from '../runs/folderStore';
import type { Interrupt } from './interrupt';
import { usedChoices } from '../node/kernels';
import type { Progress } from './progress';
import { RunLogs } from '../runs/runLogs';
import { ReportWriter } from '../runs/reportWriter';
import type { RunFolder } from '../runs/runFolder';
import { describeScore, scoreTable } from './score';
import { sessionStart, trainCommand } from '../runs/session';
import type { LoadedData } from './trainingInputs';

/** What a run works with. */
export interface TrainingSetup {
  readonly engine: Engine;
  readonly config: Config;
  readonly data: LoadedData;
  readonly folder: RunFolder;
  readonly isResumed: boolean;
  readonly progress: Progress;
  readonly interrupt: Interrupt;
  /** The arguments of the command line. */
  readonly args: readonly string[];
  /** The command that goes on, where that is not `--resume`: its caller says so. */
  readonly goOn?: string;
}

/** Training in a run folder, as the user sees it. */
export class TrainingRun implements RunWatcher {
  /** Where it stands; undefined before its first step. */
  private at: RunPosition | undefined;
  private total = 0;
  /** Steps of pairs in this session, and the sum of their shares of one class. */
  private pairs = { steps: 0, sameClass: 0 };
  private readonly reports: ReportWriter;

  constructor(private readonly setup: TrainingSetup) {
    this.reports = new ReportWriter(setup.folder, (label, text) => setup.progress.note(label, text));
  }

  /**
   * Trains to the end, or until it is interrupted.
   *
   * @returns the process's exit code
   * @throws UserError, EngineError as `train` of src/imae
   */
  async train(options: RunOptions): Promise<number> {
    const { engine, config, data, folder, isResumed, progress, interrupt } = this.setup;
    try {
      this.listBroken(data);
      const logs = new RunLogs(folder, config.logging.log);
      const store = new FolderStore(folder, isResumed, () => this.reports.update({ now: true }), logs);
      const result = await train(engine, config, data, { ...options, store, watcher: this });
      logs.table(); // with what was measured after the last checkpoint
      await this.leave(result.stopped ? 'stopped' : 'finished');
      progress.stop();
      this.report(result);
      return result.stopped ? interrupt.exitCode : 0;
    } catch (error) {
      progress.stop();
      await this.leave('failed', reason(error)).catch(() => undefined); // on a full disk, the first failure says it all
      throw withAdvice(error, this.setup.goOn ?? resumeCommand(folder.path));
    } finally {
      folder.close();
    }
  }

  phase(phase: Phase, plan: PhasePlan, start: number): void {
    const { engine, config, data, folder, progress, args } = this.setup;
    if (!this.at) {
      this.noteOtherAdapter();
      const kernels = engine.traits.plain ? 'plain' : KERNELS;
      if (!engine.traits.plain) folder.writeFile(KERNELS, kernelFileText(usedChoices(engine)));
      const facts = { trainingImages: data.train.count, kernels };
      folder.appendSession(sessionStart({ phase, step: start }, args, engine.info, facts));
    }
    this.at = { phase, step: start };
    this.total = plan.steps;
    this.reports.update({ now: true });
    progress.phase(PHASE_TITLES[phase], plan.steps, start);
    progress.note(PHASE_TITLES[phase], describePlan(plan, config));
  }

  step({ step, loss, imagesPerSecond, waiting, sameClass }: Parameters<RunWatcher['step']>[0]): void {
    if (this.at) this.at = { ...this.at, step: step + 1 };
    const { progress } = this.setup;
    progress.step(step + 1, { loss, imagesPerSecond, ...(waiting === undefined ? {} : { waiting }) });
    this.reports.update();
    if (sameClass === undefined) return;
    this.pairs = { steps: this.pairs.steps + 1, sameClass: this.pairs.sameClass + sameClass };
    if (step + 1 === this.total) progress.note('pairs', this.describePairs());
  }

  /** Keeps a list of the files that have another image in their place, also of those that are met on the way. */
  private listBroken({ broken }: LoadedData): void {
    if (!broken) return;
    const { folder, progress } = this.setup;
    const write = (): void =>
      void folder.writeFile(BROKEN_IMAGES, broken.all.map(({ path, why }) => `${path}: ${why}\n`).join(''));
    const { length } = broken.all;
    if (length > 0) {
      write();
      progress.note(
        'broken',
        `${counted(length, 'image file')} could not be decoded: see ${folder.path}/${BROKEN_IMAGES}`,
      );
    }
    broken.listener = ({ path, why }) => {
      write();
      progress.note('broken', `${path}: ${why}; another image of its class is in its place`);
    };
  }

  /** What came of `--same-prob`. */
  private describePairs(): string {
    const { steps, sameClass } = this.pairs;
    const { sameProb } = this.setup.config.masking;
    const asked = sameProb === 'random' ? 'random partners' : `${formatShare(sameProb)} asked for`;
    return `${formatShare(sameClass / steps)} of one class (${asked}), over ${counted(steps, 'step')}`;
  }

  score(_: Phase, step: number, score: Parameters<RunWatcher['score']>[2]): void {
    this.reports.update({ now: true });
    if (step < this.total) this.setup.progress.note(`step ${step}`, describeScore(score)); // the last comes as a table
  }

  stopRequested(): boolean {
    return this.setup.interrupt.requested;
  }

  /** A session that has begun says how it ends, and the report with it. */
  private async leave(ended: 'finished' | 'stopped' | 'failed', message?: string): Promise<void> {
    if (!this.at) return;
    this.setup.folder.appendSession(sessionEnd(this.at, ended, message));
    await this.reports.close();
  }

  private noteOtherAdapter(): void {
    const { engine, folder, progress } = this.setup;
    const before = folder.sessions().at(-1)?.adapter;
    const now = nameAdapter(engine.info);
    if (before === undefined || before === now) return;
    progress.note(
      'note',
      `this run was on ${before} before: on another adapter or driver it goes on, but not bit for bit`,
    );
  }

  private report({ stopped, score }: RunResult): void {
    const { folder, goOn } = this.setup;
    if (stopped) {
      console.log(
        `stopped   ${PHASE_TITLES[stopped.phase]} after ${stopped.step} steps, saved as ${stopped.checkpoint}`,
      );
      if (goOn === undefined) console.log(`go on     ${resumeCommand(folder.path)}`);
      return;
    }
    if (score) console.log(`result    ${scoreTable(score)}`);
    reportFiles(folder);
  }
}

/** What was saved is not lost where disk or device fail. @param goOn the command that goes on */
export function withAdvice(error: unknown, goOn: string): unknown {
  if (!(error instanceof StorageError || error instanceof EngineError)) return error;
  return new UserError(`${error.message} What was written before is kept: when that is mended, go on with ${goOn}`);
}

/** Says where a run's results are. */
export function reportFiles({ path }: RunFolder): void {
  console.log(`report    ${path}/report.html: open it in a browser`);
  console.log(`pictures  ${path}/panels`);
  console.log(`model     ${path}/checkpoints`);
}

function resumeCommand(path: string): string {
  return trainCommand(['--resume', path]);
}
