import { UserError } from '../../common/userError';
import type { TrainTest } from '../../data/imageSet';
import { describeModel, type ModelFacts } from '../checkpoint/modelFile';
import type { NamedFile } from '../checkpoint/namedFile';
import type { ModelSize } from '../config/config';

/** @throws UserError where a model is not of the images, patches and normalisation of another, or no teacher for it */
export function assertAlike(
  { size, normalisation }: ModelFacts,
  name: string,
  other: NamedFile,
  isTeacher: boolean,
): void {
  const found = describeModel(other.file, other.name);
  if (isTeacher && found.branches !== 1)
    throw new UserError(`${other.name} is an i-MAE. A teacher is a vanilla MAE: give a checkpoint teacher-… or mae-….`);
  const keys: (keyof ModelSize)[] = ['image', 'channels', 'patch', ...(isTeacher ? (['decoderDim'] as const) : [])];
  const key = keys.find((each) => found.size[each] !== size[each]);
  if (key)
    throw new UserError(
      `${other.name} has ${key} ${found.size[key]}, but ${name} has ${size[key]}. Give models that agree in it.`,
    );
  if (JSON.stringify(found.normalisation) !== JSON.stringify(normalisation)) {
    throw new UserError(
      `${other.name} takes images of another mean and deviation than ${name}. Give models that were trained on the same images.`,
    );
  }
}

/** @throws UserError where a set does not fit the model, or has too few images for pairs */
export function assertSet(size: ModelSize, { train, test }: TrainTest): void {
  const { channels, name } = train;
  if (channels !== size.channels) {
    throw new UserError(
      `--data: the images of ${name} have ${channels} channels, the model takes ${size.channels}. Give other images, or another model.`,
    );
  }
  for (const set of [train, test])
    if (set.count < 2) throw new UserError(`--data: ${name} has fewer than two images in a part; pairs need two.`);
}
