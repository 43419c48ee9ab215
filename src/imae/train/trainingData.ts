import type { ImageSet, TrainTest } from '../../data/imageSet';
import { makeShapesTrainTest } from '../../data/shapes';
import { counted } from '../../common/format';
import { UserError } from '../../common/userError';
import { phasesOf, planPhase, type Config } from '../config/config';
import { normalisation } from '../model/normalisation';

/** Images of the built-in set, the drawings that `data.set` calls `shapes`. */
export const BUILT_IN = { trainCount: 8192, testCount: 1024 } as const;

/** Draws the built-in set for a run: its size is the model's, its chance the run's. @throws UserError where it cannot be drawn so small */
export function drawBuiltIn({ model, training }: Config): TrainTest {
  return makeShapesTrainTest({ ...BUILT_IN, size: model.image, seed: training.seed });
}

/** What the built-in set will be, without drawing it. */
export function builtInSize({ model }: Config): SetSize {
  return { name: 'shapes', width: model.image, height: model.image, channels: 3, count: BUILT_IN.trainCount };
}

export type SetSize = Pick<ImageSet, 'name' | 'width' | 'height' | 'channels' | 'count'>;

/** @throws UserError (usage) where the training images are not of the model's size, or fewer than a batch */
export function assertFits(config: Config, { name, width, height, channels, count }: SetSize): void {
  const { model } = config;
  // Larger images are scaled where they are augmented; smaller ones are mostly a mistake.
  if (width < model.image || height < model.image || channels !== model.channels) {
    throw new UserError(
      `The images of ${name} are ${width} × ${height} with ${channels} channels, the model takes ` +
        `${model.image} × ${model.image} with ${model.channels}. Give --image ${width} --channels ${channels}.`,
      { usage: true },
    );
  }
  for (const phase of phasesOf(config)) planPhase(config, phase, count);
}

/** @throws UserError where a run cannot be trained on the images: of another size, too few, or without any contrast */
export function assertTrainable(config: Config, { train, test }: TrainTest): void {
  assertFits(config, train);
  for (const set of [train, test]) {
    if (set.count < 2)
      throw new UserError(
        `--data: ${train.name} has ${counted(set.count, 'image')} in a part; pairs need two or more.`,
      );
  }
  if (config.masking.sameProb !== 'random' && train.classes.length < 2) {
    throw new UserError(
      `--same-prob asks for partners of other classes, but ${train.name} has one class. Give --same-prob random.`,
      { usage: true },
    );
  }
  const constant = normalisation(config, train).std.findIndex((deviation) => deviation === 0);
  if (constant >= 0) {
    throw new UserError(
      `--data: channel ${constant} is the same in all training images of ${train.name}, so that it cannot be normalised. ` +
        'Give other images, or --statistics imagenet.',
    );
  }
}
