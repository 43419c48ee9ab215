import type { ImageSet, TrainTest } from '../data/imageSet';
import { makeShapesTrainTest } from '../data/shapes';
import { counted } from '../files/format';
import { UserError } from '../files/userError';
import { assertTeacherFits } from '../imae/checkpoint';
import { phasesOf, planPhase, type Config } from '../imae/config';
import { normalisation } from '../imae/normalisation';
import type { NamedFile } from '../imae/run';
import { readNamed } from './folderStore';
import { loadImageSet } from './loadImageSet';

/** Images of the built-in set. */
const SHAPES = { trainCount: 8192, testCount: 1024 } as const;

/**
 * Loads the images that the configuration names.
 *
 * @throws UserError where they are missing, damaged, not of the model's size, or fewer than a batch
 */
export async function loadData(config: Config): Promise<TrainTest> {
  const { data, model, training, preset } = config;
  if (data.set === null) {
    throw new UserError(
      `--data: the preset ${preset} needs images. Give a folder or an archive of CIFAR-10 or CIFAR-100, or ` +
        '--data shapes for the built-in drawings.',
      { usage: true },
    );
  }
  const sets =
    data.set === 'shapes'
      ? makeShapesTrainTest({ ...SHAPES, size: model.image, seed: training.seed })
      : await loadImageSet(data.set);
  assertFits(config, sets.train);
  const { name } = sets.train;
  for (const set of [sets.train, sets.test]) {
    if (set.count < 2) throw new UserError(`--data: ${name} has ${counted(set.count, 'image')} in a part; pairs need two or more.`);
  }
  const constant = normalisation(config, sets.train).std.findIndex((deviation) => deviation === 0);
  if (constant >= 0) {
    throw new UserError(
      `--data: channel ${constant} is the same in all training images of ${name}, so that it cannot be normalised. ` +
        'Give other images, or --statistics imagenet.',
    );
  }
  return sets;
}

/** The images to train on; undefined where the configuration names none. @throws UserError as `loadData` */
export async function countTrainingImages(config: Config): Promise<number | undefined> {
  const { data, model } = config;
  if (data.set === null) return undefined;
  if (data.set !== 'shapes') return (await loadData(config)).train.count;
  // No need to draw them.
  assertFits(config, { name: 'shapes', width: model.image, height: model.image, channels: 3, count: SHAPES.trainCount });
  return SHAPES.trainCount;
}

type SetSize = Pick<ImageSet, 'name' | 'width' | 'height' | 'channels' | 'count'>;

/** @throws UserError (usage) where the images are not of the model's size, or fewer than a batch */
function assertFits(config: Config, { name, width, height, channels, count }: SetSize): void {
  const { model } = config;
  if (width !== model.image || height !== model.image || channels !== model.channels) {
    throw new UserError(
      `The images of ${name} are ${width} × ${height} with ${channels} channels, the model takes ` +
        `${model.image} × ${model.image} with ${model.channels}. Give --image ${width} --channels ${channels}.`,
      { usage: true },
    );
  }
  for (const phase of phasesOf(config)) planPhase(config, phase, count);
}

/** The teacher that the user names; undefined without. @throws UserError where it does not fit */
export function readTeacher(config: Config): NamedFile | undefined {
  const { checkpoint } = config.teacher;
  if (checkpoint === null) return undefined;
  try {
    const teacher = readNamed(checkpoint);
    assertTeacherFits(config, teacher.file, teacher.name);
    return teacher;
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    throw new UserError(`--teacher: ${error.message}`, { usage: error.exitCode === 2 });
  }
}
