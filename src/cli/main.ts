import { counted } from '../common/format';
import { UserError } from '../common/userError';
import { shellQuoted } from '../common/shell';
import { describeAdapter } from '../gpu/adapter';
import { resolveConfig, type Config } from '../imae/config/config';
import { describeClasses } from '../data/sources/fileTree';
import { PHASE_TITLES } from '../imae/config/describe';
import { staysOnGpu } from '../imae/train/gpuResidency';
import type { ResumePoint } from '../imae/train/runStore';
import { COMMANDS, findCommand } from './commands/index';
import { parseCommandLine, type CommandLine } from './commandLine';
import { describeRun } from './dryRun';
import { reportFailure } from '../node/failure';
import { resumePoint } from '../runs/folderStore';
import { Interrupt } from './interrupt';
import { freeMemory } from '../node/memory';
import { showLoading } from './loadWithProgress';
import { describeData, makeRunFolder, openTrainingEngine, prepareKernels } from './prepareRun';
import { profileInto } from './profile';
import { createProgress } from './progress';
import { RunFolder } from '../runs/runFolder';
import { softwareAdvice } from './softwareAdvice';
import { knownImages, describeTeacher, loadData, readTeacher } from './trainingInputs';
import { reportFiles, TrainingRun } from './trainingRun';

/**
 * The command line: training, or the command that it begins with.
 *
 * @param missing what to say where packages that a run needs are not installed: help and wrong calls do without them
 * @returns the process's exit code: 2 for a wrong call, 1 for anything else that failed, 128 and its number where a
 *   signal ended it
 */
export async function main(argv: readonly string[], missing?: string): Promise<number> {
  const args = argv.slice(2);
  try {
    const found = findCommand(args);
    if (!found) return await start(parseCommandLine(args, COMMANDS), args, missing);
    if (missing !== undefined && !found.rest.some((arg) => arg === '--help' || arg === '-h'))
      throw new UserError(missing);
    return await found.command.run(found.rest);
  } catch (error) {
    return reportFailure(error, args.includes('--debug'));
  }
}

async function start(line: CommandLine, args: readonly string[], missing: string | undefined): Promise<number> {
  if (line.answer !== undefined) {
    console.log(line.answer);
    return 0;
  }
  const resumed = line.resume === undefined ? undefined : RunFolder.open(line.resume);
  const config = resolveConfig([
    ...(resumed ? [{ source: `${resumed.path}/config.json`, values: resumed.readConfig() }] : []),
    ...line.layers,
  ]);
  if (missing !== undefined) throw new UserError(missing);
  if (line.dryRun) return await dryRun(config);
  if (!resumed) RunFolder.assertCreatable(line.out);
  if (resumed && isFinished(resumed)) return alreadyFinished(resumed);
  resumed?.claim();
  try {
    return await train(line, config, resumed, args);
  } finally {
    resumed?.close();
  }
}

async function dryRun(config: Config): Promise<number> {
  const images = await knownImages(config);
  const teacher = readTeacher(config);
  for (const note of images?.notes ?? []) console.log(`data      ${note}`);
  if (teacher) console.log(`teacher   ${describeTeacher(config, teacher)}`);
  console.log(describeRun(config, images?.count, freeMemory()));
  return 0;
}

/** Whether a run is done, with the model that it came to. @throws UserError where that is damaged */
function isFinished(folder: RunFolder): boolean {
  const end = folder.sessions().at(-1)?.end;
  if (end?.ended !== 'finished') return false;
  const last = resumePoint(folder);
  // Who deletes all checkpoints of a run that is done wants the room; who deletes the last one alone wants it anew.
  return !last || (last.phase === end.phase && last.step === end.step);
}

function alreadyFinished(folder: RunFolder): number {
  const config = shellQuoted(`${folder.path}/config.json`);
  console.log(`finished  ${folder.path} is done. To train longer, start a new run: --config ${config} with more steps`);
  reportFiles(folder);
  return 0;
}

/** Everything is looked at before anything is written. */
async function train(
  line: CommandLine,
  config: Config,
  resumed: RunFolder | undefined,
  args: readonly string[],
): Promise<number> {
  const progress = createProgress({ logEvery: config.logging.logEvery });
  const data = await loadData(config, showLoading(progress));
  progress.stop();
  const teacher = readTeacher(config);
  const resume = resumed && resumePoint(resumed);
  const engine = await openTrainingEngine(config, line);
  try {
    progress.note('data', describeData(data, staysOnGpu(engine, config, data.train)));
    progress.note('data', describeClasses(data.train.classes, data.train.labels));
    if (teacher) progress.note('teacher', describeTeacher(config, teacher));
    if (resumed) progress.note('resume', describeResume(resume));
    progress.note('adapter', describeAdapter(engine.info));
    await prepareKernels(engine, config, data, (text) => progress.note('prepare', text), resumed?.path);
    const advice = resumed ? undefined : await softwareAdvice(engine, config, data.train.count);
    if (advice !== undefined) progress.note('slow', advice);
    const interrupt = new Interrupt((label, text) => progress.note(label, text)); // until now, nothing is to be saved
    const folder = resumed ?? makeRunFolder(config, line.out);
    console.log(`run       ${folder.path}: see report.html in it`);
    const run = new TrainingRun({
      engine,
      config,
      data,
      folder,
      isResumed: resumed !== undefined,
      progress,
      interrupt,
      args,
    });
    const profiler = line.profile
      ? await profileInto(folder, engine, (text) => progress.note('profile', text))
      : undefined;
    return await run.train({
      ...(resume ? { resume } : {}),
      ...(teacher ? { teacher } : {}),
      ...(profiler ? { profiler } : {}),
    });
  } finally {
    engine.dispose();
  }
}

function describeResume(point: ResumePoint | undefined): string {
  if (!point) return 'from the beginning: there is no complete checkpoint';
  return `from ${PHASE_TITLES[point.phase]} after ${counted(point.step, 'step')}, the last complete checkpoint`;
}
