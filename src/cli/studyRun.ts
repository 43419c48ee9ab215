import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { TrainTest } from '../data/imageSet';
import type { Engine } from '../engine/engine';
import { isSoftware, nameAdapter } from '../gpu/adapter';
import { resolveConfig, type Config, type Phase } from '../imae/config/config';
import { LearningStopped } from '../imae/classify/learning';
import type { NamedFile } from '../imae/checkpoint/namedFile';
import { CONFIG } from '../imae/train/runFiles';
import { measureRun, type MeasureWatcher } from '../imae/studies/measure';
import { findStudy, type StudyRun, type TeacherRun } from '../imae/studies/plan';
import { ClassifierCheckpoints } from '../runs/classifierCheckpoints';
import { FolderStore, readNamed, resumePoint } from '../runs/folderStore';
import type { Interrupt } from './interrupt';
import { makeRunFolder, prepareKernels } from './prepareRun';
import { showParts, type Progress } from './progress';
import { RunFolder } from '../runs/runFolder';
import type { StudyFile, StudyFolder } from '../runs/studyFolder';
import { writeStudyReport } from '../runs/studyReport';
import { TrainingRun } from './trainingRun';

export interface StudySetup {
  readonly engine: Engine;
  readonly data: TrainTest;
  readonly folder: StudyFolder;
  readonly file: StudyFile;
  readonly progress: Progress;
  readonly interrupt: Interrupt;
  /** The arguments of the command line, and the command that goes on with the study. */
  readonly args: readonly string[];
  readonly command: string;
}

/**
 * Trains and measures runs of a study, those that are not done yet: each is a run folder, so that one which was interrupted
 * goes on where it was. The report is written anew after each.
 *
 * @returns whether all are done; false where it was interrupted
 * @throws UserError, EngineError as training and evaluating do
 */
export async function runStudy(setup: StudySetup, runs: readonly StudyRun[]): Promise<boolean> {
  const { folder, file, progress, command, interrupt } = setup;
  for (const [index, run] of runs.entries()) {
    if (folder.result(run.name)) continue;
    progress.note('study', `run ${index + 1} of ${runs.length}: ${run.cell.title}, seed ${run.seed}`);
    if (!(await completeRun(setup, run))) return false;
    progress.note('report', writeStudyReport(folder, file, command));
    if (interrupt.requested && index < runs.length - 1) return false;
  }
  writeStudyReport(folder, file, command);
  return true;
}

async function completeRun(setup: StudySetup, run: StudyRun): Promise<boolean> {
  const { engine, data, folder, file, progress, interrupt } = setup;
  const { base } = file.plan;
  const teacherPath = run.teacher ? await trainTeacher(setup, run.teacher) : base.teacher.checkpoint;
  if (teacherPath === null || teacherPath === undefined) return false;
  const config = run.configFor(teacherPath);
  const phase: Phase = config.training.mode === 'mae' ? 'mae' : 'imae';
  const model = await train(setup, run.name, config, phase, phase === 'imae' ? readNamed(teacherPath) : undefined);
  if (!model) return false;
  const measured = { config, model, teacher: readNamed(teacherPath), teacherConfig: run.teacher?.config ?? base, data };
  const { measures } = findStudy(file.plan.study);
  const checkpoints = new ClassifierCheckpoints(() => join(folder.runPath(run.name), 'finetuning'));
  const identity = JSON.stringify({ run: run.name, epochs: file.plan.finetuneEpochs, data: file.data.digest });
  const finetuning = checkpoints.checkpointing(identity, checkpoints.last(), () => interrupt.requested);
  const watcher = { ...showMeasuring(progress, interrupt), finetuning };
  const values = await measureRun(engine, measured, measures, file.plan, watcher).catch((error: unknown) => {
    if (error instanceof Interrupted || error instanceof LearningStopped) return undefined;
    throw error;
  });
  progress.stop();
  if (!values) return false;
  checkpoints.remove();
  const { seed, cell } = run;
  folder.writeResult(run.name, {
    cell: cell.name,
    seed,
    values,
    adapter: nameAdapter(engine.info),
    software: isSoftware(engine.info),
  });
  return true;
}

/** Ends a measure where the user has asked to stop; fine-tuning ends by itself, since it saves what it has. */
class Interrupted extends Error {}

function showMeasuring(progress: Progress, interrupt: Interrupt): MeasureWatcher {
  let show: ReturnType<typeof showParts> | undefined;
  let saves = false;
  return {
    begin: (measure) => {
      if (interrupt.requested) throw new Interrupted();
      progress.stop();
      show = showParts(progress, measure);
      saves = measure === 'finetune';
    },
    step: (done, total) => {
      if (interrupt.requested && !saves) throw new Interrupted();
      show?.(done, total);
    },
  };
}

/** @returns the path of the trained teacher; undefined where it was interrupted */
async function trainTeacher(setup: StudySetup, { name, config }: TeacherRun): Promise<string | undefined> {
  return (await train(setup, name, config, 'teacher', undefined))?.name;
}

/** Trains a run to its end, from the beginning or where it was left. @returns undefined where it was interrupted */
async function train(
  setup: StudySetup,
  name: string,
  config: Config,
  phase: Phase,
  teacher: NamedFile | undefined,
): Promise<NamedFile | undefined> {
  const { engine, data, folder, progress, interrupt, args, command: goOn } = setup;
  const path = folder.runPath(name);
  const resumed = existsSync(join(path, CONFIG)) ? RunFolder.open(path, '--out') : undefined;
  const trained = (run: RunFolder): NamedFile | undefined =>
    new FolderStore(run, false, () => undefined).finished(phase);
  if (resumed?.sessions().at(-1)?.end?.ended === 'finished') return trained(resumed);
  if (interrupt.requested) return undefined;
  resumed?.claim();
  const resume = resumed && resumePoint(resumed);
  // What it was begun with, where files lie now: the two are compared bit by bit when it goes on.
  const settled = resolveConfig([{ source: 'study', values: config }]);
  await prepareKernels(engine, settled, data, (text) => progress.note('prepare', text), resumed?.path);
  const run = resumed ?? makeRunFolder(settled, path);
  const training = new TrainingRun({
    engine,
    config: settled,
    data,
    folder: run,
    isResumed: resumed !== undefined,
    progress,
    interrupt,
    args,
    goOn,
  });
  const exitCode = await training.train({ ...(resume ? { resume } : {}), ...(teacher ? { teacher } : {}) });
  return exitCode === 0 ? trained(run) : undefined;
}
