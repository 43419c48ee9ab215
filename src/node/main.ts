import { makeShapesTrainTest } from '../data/shapes';
import type { TrainTest } from '../data/imageSet';
import { UserError } from '../files/userError';
import { describeAdapter } from '../gpu/engine';
import { assertTeacherFits } from '../imae/checkpoint';
import { resolveConfig, teacherSize, type Config, type Phase } from '../imae/config';
import {
  PHASE_TITLES,
  runTraining,
  type NamedFile,
  type ResumePoint,
  type RunOptions,
  type RunResult,
  type RunStore,
  type RunWatcher,
} from '../imae/run';
import type { UnmixingScore } from '../imae/unmixing';
import { parseCommandLine, type CommandLine } from './commandLine';
import { openEngine } from './dawn';
import { describeRun } from './dryRun';
import { reportFailure } from './failure';
import { loadImageSet } from './loadImageSet';
import { panelsPng } from './picture';
import { createProgress, type Progress } from './progress';
import { readTensors } from './readTensors';
import { RunFolder } from './runFolder';

/** Images of the built-in set. */
const SHAPES = { trainCount: 8192, testCount: 1024 } as const;

/**
 * The command line of training.
 *
 * @returns the process's exit code: 2 for a wrong call, 1 for anything else that failed
 */
export async function main(argv: readonly string[]): Promise<number> {
  const args = argv.slice(2);
  try {
    return await train(parseCommandLine(args));
  } catch (error) {
    return reportFailure(error, args.includes('--debug'));
  }
}

async function train(line: CommandLine): Promise<number> {
  if (line.help !== undefined) {
    console.log(line.help);
    return 0;
  }
  const resumed = line.resume === undefined ? undefined : RunFolder.open(line.resume);
  const layers = resumed
    ? [{ source: `${resumed.path}/config.json`, values: resumed.readConfig() }, ...line.layers]
    : line.layers;
  const config = resolveConfig(layers);
  if (line.dryRun) {
    console.log(describeRun(config));
    return 0;
  }

  const data = await loadData(config);
  const teacher = readTeacher(config);
  const engine = await openEngine({ adapterName: config.device.adapter, plain: config.device.kernels === 'plain' });
  const progress = createProgress({ logEvery: config.logging.logEvery });
  const interrupt = new Interrupt(progress);
  try {
    progress.note(`adapter   ${describeAdapter(engine.info)}`);
    const folder = resumed ?? RunFolder.create({ ...(line.out === undefined ? {} : { out: line.out }), preset: config.preset });
    progress.note(`run       ${folder.path}`);
    if (!resumed) folder.writeConfig(config);
    const options: RunOptions = { ...(resumed ? resumeOptions(resumed) : {}), ...(teacher ? { teacher } : {}) };
    const store = new FolderStore(folder, resumed && (options.resume ?? { phase: 'teacher', step: 0 }));
    const result = await runTraining(engine, config, data, store, watcher(progress, interrupt), options);
    folder.close();
    progress.stop();
    report(result, folder);
    return 0;
  } finally {
    progress.stop();
    interrupt.dispose();
    engine.dispose();
  }
}

async function loadData({ data, model, training }: Config): Promise<TrainTest> {
  const sets =
    data.set === 'shapes'
      ? makeShapesTrainTest({ ...SHAPES, size: model.image, seed: training.seed })
      : await loadImageSet(data.set);
  const { width, height, channels, name } = sets.train;
  if (width !== model.image || height !== model.image || channels !== model.channels) {
    throw new UserError(
      `The images of ${name} are ${width} × ${height} with ${channels} channels, the model takes ` +
        `${model.image} × ${model.image} with ${model.channels}. Give --image ${width} --channels ${channels}.`,
      { usage: true },
    );
  }
  return sets;
}

/** The teacher that the user names, which must fit: before anything is written. */
function readTeacher(config: Config): NamedFile | undefined {
  const { checkpoint } = config.teacher;
  if (checkpoint === null) return undefined;
  const teacher = readNamed(checkpoint);
  assertTeacherFits(teacherSize(config), teacher.file, teacher.name);
  return teacher;
}

function readNamed(path: string): NamedFile {
  return { name: path, file: readTensors(path) };
}

function resumeOptions(folder: RunFolder): { resume?: ResumePoint } {
  const last = folder.lastCheckpoint();
  if (!last) return {};
  const { phase, step, modelPath, statePath } = last;
  try {
    return { resume: { phase, step, model: readNamed(modelPath), state: readNamed(statePath) } };
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    throw new UserError(`${error.message} Or delete it: --resume then goes on from the checkpoint before, if there is one.`);
  }
}

/** A run folder as the place where a run leaves what it makes. */
class FolderStore implements RunStore {
  /**
   * @param resumedAt metrics from there on are taken back when the first new line comes: a resumption that fails before
   *   loses none
   */
  constructor(
    private readonly folder: RunFolder,
    private resumedAt: Pick<ResumePoint, 'phase' | 'step'> | undefined,
  ) {}

  appendMetrics(line: Parameters<RunStore['appendMetrics']>[0]): void {
    if (this.resumedAt) this.folder.truncateMetrics(this.resumedAt.phase, this.resumedAt.step);
    this.resumedAt = undefined;
    this.folder.appendMetrics(line);
  }

  writeCheckpoint(phase: Phase, step: number, model: Uint8Array, state: Uint8Array): string {
    return this.folder.writeCheckpoint(phase, step, model, state).modelPath;
  }

  async writePanels(name: string, sheet: Parameters<RunStore['writePanels']>[1]): Promise<void> {
    this.folder.writeFile(`panels/${name}.png`, await panelsPng(sheet));
  }

  finished(phase: Phase): NamedFile | undefined {
    const last = this.folder.checkpoints().filter((checkpoint) => checkpoint.phase === phase).at(-1);
    return last && readNamed(last.modelPath);
  }
}

/** Turns the first Ctrl-C or SIGTERM into a wish to stop after the step; a second Ctrl-C ends the process at once. */
class Interrupt {
  requested = false;
  private readonly onSignal = (): void => {
    if (this.requested) process.exit(130);
    this.requested = true;
    this.progress.note('stopping after this step (Ctrl-C again: at once, without saving)');
  };

  constructor(private readonly progress: Progress) {
    process.on('SIGINT', this.onSignal);
    process.on('SIGTERM', this.onSignal);
  }

  dispose(): void {
    process.off('SIGINT', this.onSignal);
    process.off('SIGTERM', this.onSignal);
  }
}

function watcher(progress: Progress, interrupt: Interrupt): RunWatcher {
  return {
    phase: (phase, steps, start) => progress.phase(PHASE_TITLES[phase], steps, start),
    step: ({ step, loss, imagesPerSecond }) => progress.step(step + 1, { loss, imagesPerSecond }),
    score: (_, step, score) => progress.note(`step ${step}: ${describeScore(score)}`),
    stopRequested: () => interrupt.requested,
  };
}

/** One line: how much better than the mean image each branch is, and whether it beats all that it must. */
function describeScore({ subordinate, dominant, takenApart }: UnmixingScore): string {
  const branches = Object.entries({ subordinate, dominant }).flatMap(([name, branch]) =>
    branch
      ? [
          `${name} ${branch.score.toFixed(2)} (error ${branch.own.toFixed(3)}; other image ${branch.other.toFixed(3)}, ` +
            `mean image ${branch.mean.toFixed(3)}, mixture ${branch.mixture.toFixed(3)})`,
        ]
      : [],
  );
  return `unmixing score ${branches.join(', ')}: ${takenApart ? 'taken apart' : 'not taken apart'}`;
}

function report({ stopped, score }: RunResult, folder: RunFolder): void {
  if (stopped) {
    console.log(`stopped   ${PHASE_TITLES[stopped.phase]} after ${stopped.step} steps, saved as ${stopped.checkpoint}`);
    console.log(`go on     node train.js --resume ${folder.path}`);
    return;
  }
  if (score) console.log(`result    ${describeScore(score)}`);
  console.log(`pictures  ${folder.path}/panels`);
  console.log(`model     ${folder.path}/checkpoints`);
}
