import { cpSync, existsSync } from 'node:fs';
import { counted, formatCount, formatDuration } from '../../common/format';
import { shellQuoted } from '../../common/shell';
import { UserError } from '../../common/userError';
import { describeAdapter } from '../../gpu/adapter';
import { resolveConfig, type Config } from '../../imae/config/config';
import { FINETUNE_DEFAULTS } from '../../imae/classify/finetune';
import { identifyData } from '../../imae/train/identity';
import { integer, list, nullable, number, pair, text, type Kind } from '../../imae/config/optionKinds';
import { staysOnGpu } from '../../imae/train/gpuResidency';
import { STUDIES } from '../../imae/studies/index';
import {
  findStudy,
  planRuns,
  runFlopsOf,
  shardOf,
  studyFlops,
  type Shard,
  type StudyPlan,
} from '../../imae/studies/plan';
import { PROBE_DEFAULTS } from '../../imae/classify/probe';
import { parseCommandLine } from '../commandLine';
import { makeFolder } from '../../node/durableFile';
import { Interrupt } from '../interrupt';
import { loadShown } from '../loadWithProgress';
import { describeData, openTrainingEngine, withFullPaths } from '../prepareRun';
import { createProgress } from '../progress';
import { trainCommand } from '../../runs/session';
import { assertSame, StudyFolder, type StudyFile } from '../../runs/studyFolder';
import { writeStudyReport } from '../../runs/studyReport';
import { runStudy } from '../studyRun';
import { loadData } from '../trainingInputs';
import { commandOption, makeCommand } from './command';
import { MOST_MIXTURES } from '../evaluated';

const shardKind: Kind<Shard> = {
  expects: 'a part and how many there are, such as 2/8',
  placeholder: 'I/N',
  read: (value) => {
    const [, index = 0, of = 0] = (/^(\d+)\/(\d+)$/.exec(String(value)) ?? []).map(Number);
    return index >= 1 && index <= of ? { index, of } : undefined;
  },
  parse: (value) => value,
  show: ({ index, of }) => `${index}/${of}`,
};

/** Runs a grid of trainings that answers a question, and writes one report. */
export const study = makeCommand({
  name: 'study',
  about: 'trains and measures a whole grid, resumable run by run, and writes one report',
  operands: { shown: 'NAME, or --merge OUT FOLDER…', least: 1, most: Infinity },
  passesOn: true,
  options: {
    seeds: commandOption(
      list(integer({ min: 0, max: 0xffffffff }), 'seeds'),
      [0],
      'every cell is trained with each of these',
    ),
    alphas: commandOption(
      list(number({ above: 0, max: 0.5 }), 'weights of the subordinate'),
      [0.1, 0.2, 0.3, 0.4, 0.5],
      'weights of the subordinate at which runs are measured',
    ),
    images: commandOption(integer({ min: 2, max: MOST_MIXTURES }), 1000, 'held-out mixtures that runs are measured on'),
    'fit-images': commandOption(
      integer({ min: 2, max: MOST_MIXTURES }),
      2000,
      'mixtures of training images that linear maps are fitted on',
    ),
    'probe-epochs': commandOption(
      number({ above: 0 }),
      PROBE_DEFAULTS.epochs,
      'length of the linear probe, where the study has one',
    ),
    'probe-blr': commandOption(
      number({ above: 0 }),
      PROBE_DEFAULTS.blr,
      'its learning rate for 256 images; sets much smaller than ImageNet need 1 to 10',
    ),
    'probe-crop': commandOption(
      nullable(pair({ above: 0, max: 1, ascending: true }), 'none'),
      PROBE_DEFAULTS.crop,
      'its random resized crops, with flips; none sees images whole, and computes their features once',
    ),
    'finetune-epochs': commandOption(
      number({ min: 0 }),
      FINETUNE_DEFAULTS.epochs,
      'length of fine-tuning, where the study has it; 0 leaves it out',
    ),
    shard: commandOption(
      nullable(shardKind, 'all'),
      null,
      'runs every N-th run only, from the I-th: other machines run the rest',
    ),
    merge: commandOption(
      nullable(text('OUT', 'a new or an empty folder'), 'none'),
      null,
      'joins the folders of shards into a new one, with one report',
    ),
    out: commandOption(
      nullable(text('FOLDER', 'a folder'), 'none'),
      null,
      'folder of the study; one that was begun goes on. By default a new one under runs/',
    ),
  },
  examples: [
    'node train.js study alpha --preset cifar --patch 4 --data cifar-10-binary.tar.gz --epochs 5 --seeds 0,1',
    'node train.js study semantics … --shard 2/8 --out part2',
    'node train.js study --merge whole part1 part2 …',
    '',
    'Studies:',
    ...STUDIES.map(({ name, question }) => `  ${name.padEnd(13)} ${question}?`),
    '',
    'Every option of training may follow (node train.js --help); --dry-run lists the runs.',
  ],
  run: async (values, operands, passed) => {
    if (values.merge !== null) return merge(values.merge, operands, passed);
    const [name = '', extra] = operands;
    if (extra !== undefined)
      throw new UserError(`'${extra}' is too much: a study has one name. See node train.js study --help.`, {
        usage: true,
      });
    findStudy(name);
    const line = parseCommandLine(passed);
    const base = baseConfig(line.layers);
    const { seeds, alphas, images } = values;
    const plan: StudyPlan = {
      study: name,
      base,
      seeds,
      alphas,
      images,
      fitImages: values['fit-images'],
      probeEpochs: values['probe-epochs'],
      probeBlr: values['probe-blr'],
      probeCrop: values['probe-crop'],
      finetuneEpochs: values['finetune-epochs'],
    };
    const out = values.out ?? undefined;
    if (!line.dryRun) StudyFolder.assertUsable(out);
    const data = await loadShown((watcher) => loadData(base, watcher));
    const runs = shardOf(planRuns(plan, data.train.count), values.shard ?? undefined);
    if (line.dryRun) {
      console.log(describeStudy(plan, runs, data.train.count));
      return 0;
    }
    const file: StudyFile = {
      plan,
      data: { name: data.train.name, trainingImages: data.train.count, digest: await identifyData(data) },
    };
    StudyFolder.assertUsable(out, file);
    const progress = createProgress({ logEvery: base.logging.logEvery });
    const engine = await openTrainingEngine(base);
    try {
      progress.note('data', describeData(data, staysOnGpu(engine, base, data.train)));
      progress.note('adapter', describeAdapter(engine.info));
      const folder = StudyFolder.begin(out, file);
      const args = process.argv.slice(2);
      const command = trainCommand(out === undefined ? [...args, '--out', folder.path] : args);
      const interrupt = new Interrupt((label, said) => progress.note(label, said));
      const isDone = await runStudy({ engine, data, folder, file, progress, interrupt, args, command }, runs);
      console.log(isDone ? `study     ${folder.path}/figures.html: open it in a browser` : `go on     ${command}`);
      return isDone ? 0 : interrupt.exitCode;
    } finally {
      progress.stop();
      engine.dispose();
    }
  },
});

/** What every cell shares. @throws UserError where the options name a part of a training: a study trains all that it needs */
function baseConfig(layers: Parameters<typeof resolveConfig>[0]): Config {
  const base = withFullPaths(resolveConfig(layers));
  const { mode } = base.training;
  if (mode === 'all' || (mode === 'imae' && base.teacher.checkpoint !== null)) return base;
  throw new UserError(
    `--only ${mode}: a study trains what it needs. Leave it out; --teacher FILE spares the teacher.`,
    { usage: true },
  );
}

function describeStudy(plan: StudyPlan, runs: ReturnType<typeof planRuns>, trainingImages: number): string {
  const { question, measures } = findStudy(plan.study);
  const teachers = [...new Set(runs.flatMap(({ teacher }) => teacher?.name ?? []))];
  const total = studyFlops(runs, trainingImages);
  const at = (flops: number): string => `${formatCount(flops)}FLOP`;
  return [
    `study ${plan.study}: ${question}?`,
    `${counted(runs.length, 'run')}, ${counted(teachers.length, 'teacher')} beside them; measured by ${measures.join(', ')}`,
    ...runs.map(
      (run) =>
        `  ${run.name.padEnd(24)} ${run.cell.title}, seed ${run.seed}: ${at(runFlopsOf(run, trainingImages))}${run.teacher ? `, from ${run.teacher.name}` : ''}`,
    ),
    `training: ${at(total)}, ${formatDuration(total / 1e12)} at 1 TFLOP/s; measuring comes on top`,
  ].join('\n');
}

function copyRun(from: StudyFolder, to: StudyFolder, name: string): void {
  makeFolder(to.runPath(name));
  cpSync(from.runPath(name), to.runPath(name), { recursive: true });
}

/** @throws UserError where the folders are of different studies, or none is given */
function merge(out: string, folders: readonly string[], passed: readonly string[]): number {
  if (passed[0] !== undefined)
    throw new UserError(`${passed[0]} has no place beside --merge. Give the folders of the shards.`, { usage: true });
  const parts = folders.map((path) => ({ path, ...StudyFolder.open(path) }));
  const first = parts[0];
  if (!first) throw new UserError('--merge needs the folders of the shards.', { usage: true });
  for (const { path, file } of parts.slice(1)) assertSame(file, first.file, path);
  const whole = StudyFolder.begin(out, first.file);
  for (const { folder, path } of parts) {
    for (const name of folder.finished()) {
      const other = whole.result(name);
      if (other) {
        if (JSON.stringify(other.values) !== JSON.stringify(folder.result(name)?.values)) {
          throw new UserError(
            `${path} has another result of ${name} than a folder before it. Leave one of the two out.`,
          );
        }
        continue;
      }
      copyRun(folder, whole, name);
    }
    // Teachers have no result, and each part has trained those that it needs.
    for (const name of folder.trained()) if (!existsSync(whole.runPath(name))) copyRun(folder, whole, name);
  }
  const command = `node train.js study --merge ${[out, ...folders].map(shellQuoted).join(' ')}`;
  const path = writeStudyReport(whole, first.file, command);
  const { finished, all } = {
    finished: whole.finished().length,
    all: planRuns(first.file.plan, first.file.data.trainingImages).length,
  };
  console.log(`merged    ${finished} of ${counted(all, 'run')}\nstudy     ${path}: open it in a browser`);
  return 0;
}
