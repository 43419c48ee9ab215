import { UNWATCHED, type FileSet, type LoadWatcher } from '../data/sources/fileSet';
import type { DetectedDataset } from '../data/sources/datasetDetection';
import { describeClasses } from '../data/sources/fileTree';
import { fewerFiles, type FewerFiles } from '../data/sources/imageTree';
import type { TrainTest } from '../data/imageSet';
import { counted } from '../common/format';
import { UserError } from '../common/userError';
import { assertTeacherFits } from '../imae/checkpoint/checkpoint';
import { MAE_EPS } from '../imae/checkpoint/encoderMetadata';
import { describeModel, type ModelFacts } from '../imae/checkpoint/modelFile';
import { teacherSize, type Config, type ModelSize } from '../imae/config/config';
import { describeLoaded } from '../imae/checkpoint/loadReport';
import { maeParameters } from '../imae/model/mae';
import type { NamedFile } from '../imae/checkpoint/namedFile';
import { assertFits, assertTrainable, builtInSize, drawBuiltIn } from '../imae/train/trainingData';
import { readNamed } from '../runs/folderStore';
import { showListing } from './showListing';
import { loadTree } from '../node/images/loadTree';
import { findImageSet } from '../node/loadImageSet';

/** Images to train on, and the files among them that could not be decoded. */
export type LoadedData = TrainTest & Partial<Pick<FileSet, 'broken'>>;

/**
 * Loads the images that the configuration names.
 *
 * @throws UserError where they are missing, damaged, not of the model's size, or fewer than a batch
 */
export async function loadData(config: Config, watcher: LoadWatcher = UNWATCHED): Promise<LoadedData> {
  const found = config.data.set === 'shapes' ? undefined : await find(config, watcher);
  if (found?.kind === 'tree') {
    const { root, train } = found.tree;
    assertFits(config, treeSize(config, root.name, train.paths.length)); // before hours of decoding
  }
  const sets = await loadFound(config, found, watcher);
  assertTrainable(config, sets);
  return sets;
}

/** Loads the images that the configuration names to evaluate a model on: of any size, and as few as a pair. @throws UserError where they are missing, damaged or fewer */
export async function loadPairable(config: Config, watcher: LoadWatcher, most?: FewerFiles): Promise<LoadedData> {
  const found = config.data.set === 'shapes' ? undefined : await find(config, watcher);
  const sets = await loadFound(
    config,
    found?.kind === 'tree' && most ? { ...found, tree: fewerFiles(found.tree, most) } : found,
    watcher,
  );
  for (const { name, count } of [sets.train, sets.test]) {
    if (count < 2)
      throw new UserError(`--data: ${name} has ${counted(count, 'image')} in a part; two or more are needed.`);
  }
  return sets;
}

async function find({ data, preset }: Config, watcher: LoadWatcher): Promise<DetectedDataset> {
  if (data.set !== null)
    return await findImageSet(data.set, {
      labelColumn: data.labelColumn ?? undefined,
      listing: showListing((text) => watcher.note(text)),
    });
  throw new UserError(
    `--data: the preset ${preset} needs images. Give a folder or an archive of CIFAR-10 or CIFAR-100, a folder of image files, or ` +
      '--data shapes for the built-in drawings.',
    { usage: true },
  );
}

/** @param found undefined: the built-in drawings */
async function loadFound(
  config: Config,
  found: DetectedDataset | undefined,
  watcher: LoadWatcher,
): Promise<LoadedData> {
  if (!found) return drawBuiltIn(config);
  if (found.kind === 'cifar') return await found.load();
  const { tree } = found;
  const { decodeSize, broken, stream, workers, statistics } = config.data;
  return await loadTree(
    tree,
    { image: config.model.image, decodeSize, broken, stream, workers, ownStatistics: statistics === 'own' },
    watcher,
  );
}

/** What a tree will be once it is decoded: never smaller than the model's images. */
function treeSize({ model }: Config, name: string, count: number): Parameters<typeof assertFits>[1] {
  return { name, width: model.image, height: model.image, channels: 3, count };
}

/** What is known of the images to train on without decoding any. */
export interface KnownImages {
  readonly count: number;
  /** Classes, and what was left out: a line each. */
  readonly notes: readonly string[];
}

/** The images to train on; undefined where the configuration names none. @throws UserError as `loadData` */
export async function knownImages(config: Config): Promise<KnownImages | undefined> {
  const { set, labelColumn } = config.data;
  if (set === null) return undefined;
  if (set !== 'shapes') {
    const found = await findImageSet(set, {
      labelColumn: labelColumn ?? undefined,
      listing: showListing(console.log),
    });
    if (found.kind === 'tree') {
      const { root, classes, train, notes } = found.tree;
      assertFits(config, treeSize(config, root.name, train.paths.length));
      return { count: train.paths.length, notes: [describeClasses(classes, train.labels), ...notes] };
    }
    const sets = await found.load();
    assertTrainable(config, sets);
    return { count: sets.train.count, notes: [describeClasses(sets.train.classes, sets.train.labels)] };
  }
  const size = builtInSize(config); // no need to draw them
  assertFits(config, size);
  return { count: size.count, notes: [] };
}

/** The teacher that the user names; undefined without. @throws UserError where it does not fit */
export function readTeacher(config: Config): NamedFile | undefined {
  const { checkpoint } = config.teacher;
  if (checkpoint === null) return undefined;
  let teacher: NamedFile | undefined;
  try {
    teacher = readNamed(checkpoint);
    assertTeacherFits(config, teacher.file, teacher.name);
    return teacher;
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    const advice = teacher ? optionsOfTeacher(config, teacher) : '';
    throw new UserError(`--teacher: ${error.message}${advice}`, { usage: error.exitCode === 2 });
  }
}

/** All options at once that make a run's teacher such a model; nothing where the file does not tell enough, or they are there. */
function optionsOfTeacher(config: Config, { name, file }: NamedFile): string {
  let facts: ModelFacts;
  try {
    facts = describeModel(file, name);
  } catch {
    return ''; // what is wrong has been said
  }
  const [own, wanted] = [teacherSize(config), { layerNormEps: MAE_EPS, ...facts.size }];
  const options = (Object.keys(wanted) as (keyof ModelSize)[])
    .filter((key) => wanted[key] !== own[key])
    .map((key) => `--${key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)} ${wanted[key]}`);
  if (facts.normPix !== config.model.normPix) options.push(facts.normPix ? '--norm-pix' : '--no-norm-pix');
  return options.length === 0 ? '' : ` All that this teacher asks for: ${options.join(' ')}.`;
}

/** What became of the tensors of a teacher's file. */
export function describeTeacher(config: Config, teacher: NamedFile): string {
  return describeLoaded(teacher, maeParameters(teacherSize(config), 1));
}
