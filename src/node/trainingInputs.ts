import type { TrainTest } from '../data/imageSet';
import { UserError } from '../files/userError';
import { assertTeacherFits } from '../imae/checkpoint';
import type { Config } from '../imae/config';
import type { NamedFile } from '../imae/run';
import { assertFits, assertTrainable, builtInSize, drawBuiltIn } from '../imae/trainingData';
import { readNamed } from './folderStore';
import { loadImageSet } from './loadImageSet';

/**
 * Loads the images that the configuration names.
 *
 * @throws UserError where they are missing, damaged, not of the model's size, or fewer than a batch
 */
export async function loadData(config: Config): Promise<TrainTest> {
  const { data, preset } = config;
  if (data.set === null) {
    throw new UserError(
      `--data: the preset ${preset} needs images. Give a folder or an archive of CIFAR-10 or CIFAR-100, or ` +
        '--data shapes for the built-in drawings.',
      { usage: true },
    );
  }
  const sets = data.set === 'shapes' ? drawBuiltIn(config) : await loadImageSet(data.set);
  assertTrainable(config, sets);
  return sets;
}

/** The images to train on; undefined where the configuration names none. @throws UserError as `loadData` */
export async function countTrainingImages(config: Config): Promise<number | undefined> {
  const { set } = config.data;
  if (set === null) return undefined;
  if (set !== 'shapes') return (await loadData(config)).train.count;
  const size = builtInSize(config); // no need to draw them
  assertFits(config, size);
  return size.count;
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
