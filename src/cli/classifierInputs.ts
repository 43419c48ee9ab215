import type { LoadWatcher } from '../data/sources/fileSet';
import { fewerFiles, type FewerFiles } from '../data/sources/imageTree';
import type { TrainTest } from '../data/imageSet';
import { makeShapesTrainTest } from '../data/shapes';
import { counted, formatNumber } from '../common/format';
import { UserError } from '../common/userError';
import type { Engine } from '../engine/engine';
import { nameAdapter } from '../gpu/adapter';
import { someImages, type LearningWatcher } from '../imae/classify/classification';
import {
  accuracyWords,
  classificationSections,
  type ClassificationResult,
} from '../imae/classify/classificationFigures';
import { resolveConfig, type Config } from '../imae/config/config';
import { phaseTitle } from '../imae/config/describe';
import { readEncoder, type EncoderSource } from '../imae/checkpoint/encoderSource';
import { describeLoad } from '../imae/checkpoint/loadReport';
import { nullable, integer, text } from '../imae/config/optionKinds';
import type { NamedFile } from '../imae/checkpoint/namedFile';
import { BUILT_IN } from '../imae/train/trainingData';
import { commandOption, neededOption, type ValuesOf } from './commands/command';
import { IMAGES_OPTIONS, withImages } from './commands/images';
import type { Found } from './evaluation';
import { FolderStore, readNamed } from '../runs/folderStore';
import { loadTree } from '../node/images/loadTree';
import { findImageSet } from '../node/loadImageSet';
import { loadShown } from './loadWithProgress';
import { showListing } from './showListing';
import type { Progress } from './progress';
import { isRunPath } from '../runs/modelPath';
import { RunFolder } from '../runs/runFolder';
import type { LoadedData } from './trainingInputs';

/* What commands that classify images by a model's encoder share. */

/** A model, and the labelled images that it is to tell apart. */
export interface Classified {
  readonly model: NamedFile;
  readonly encoder: EncoderSource;
  readonly data: TrainTest;
  /** Model, images and seed in a line, for captions. */
  readonly about: string;
}

export const classifiedOptions = {
  checkpoint: neededOption(
    text('RUN|FILE', 'the folder of a run or of a model, or a file of one'),
    'model: the last that a run has left, or a file',
  ),
  ...IMAGES_OPTIONS,
  images: commandOption(
    nullable(integer({ min: 2 }), 'all'),
    null,
    'images of each split that are used, drawn by --seed',
  ),
  seed: commandOption(integer({ min: 0, max: 0xffffffff }), 0, 'of every random choice'),
  out: commandOption(
    nullable(text('FOLDER', 'a new or an empty folder'), 'none'),
    null,
    'folder of the results; a new one under runs/',
  ),
  adapter: commandOption(text('NAME', 'a part of an adapter’s name'), 'any', 'GPU to run on, as in training'),
};

/** @throws UserError where there is no such model or image set */
export async function readClassified(values: ValuesOf<typeof classifiedOptions>): Promise<Classified> {
  const { checkpoint, images, seed } = values;
  const run = isRunPath(checkpoint) ? readRun(checkpoint) : undefined;
  const model = run?.model ?? readNamed(checkpoint);
  const encoder = readEncoder(model);
  const config = withImages(
    run?.config ?? resolveConfig([{ source: 'a model’s file', values: { data: { set: null } } }]),
    values,
  );
  if (config.data.set === null)
    throw new UserError('--data is missing: a model’s file does not say which images it was trained on.', {
      usage: true,
    });
  const { train, test } = await loadShown((watcher) =>
    loadImages(
      config,
      encoder.size.image,
      images === null ? undefined : { train: images, test: images, seed },
      watcher,
    ),
  );
  const data =
    images === null
      ? { train, test }
      : { train: someImages(train, images, seed), test: someImages(test, images, seed) };
  const { dim, depth, heads, patch } = encoder.size;
  const trained =
    encoder.step === undefined
      ? ''
      : `, ${phaseTitle(encoder.phase, 'trained')} after ${counted(encoder.step, 'step')}`;
  const about =
    `Encoder ${dim}-${depth}-${heads}, patch ${patch}${trained}. ${data.train.name}: ${data.train.count.toLocaleString('en')} images to learn from, ` +
    `${data.test.count.toLocaleString('en')} to be judged on. Seed ${seed}.`;
  return { model, encoder, data, about };
}

/** @throws UserError where --images leaves less than a batch: said before anything is decoded */
export function assertBatch({ images, batch }: { readonly images: number | null; readonly batch: number }): void {
  if (images === null || images >= batch) return;
  throw new UserError(
    `--batch: ${batch} is more than the ${images} images of --images. Give a smaller batch, or more images.`,
    { usage: true },
  );
}

function readRun(path: string): { readonly model: NamedFile; readonly config: Config } {
  const folder = RunFolder.open(path, '--checkpoint');
  const config = resolveConfig([{ source: `${path}/config.json`, values: folder.readConfig() }]);
  const store = new FolderStore(folder, false, () => undefined);
  const model = store.finished('imae') ?? store.finished('mae') ?? store.finished('teacher');
  if (!model) throw new UserError(`--checkpoint: ${path} has no checkpoint yet. Let it train, or give another.`);
  return { model, config };
}

/** Images of any size and number: what a view of them makes is of the model's size. Decoded as a run decodes them. */
async function loadImages(
  { data, training }: Config,
  image: number,
  fewer: FewerFiles | undefined,
  watcher: LoadWatcher,
): Promise<LoadedData> {
  const path = data.set ?? 'shapes';
  if (path === 'shapes') return makeShapesTrainTest({ ...BUILT_IN, size: image, seed: training.seed });
  const found = await findImageSet(path, {
    labelColumn: data.labelColumn ?? undefined,
    listing: showListing((text) => watcher.note(text)),
  });
  if (found.kind === 'cifar') return await found.load();
  const { decodeSize, broken, stream, workers } = data;
  return await loadTree(
    fewer ? fewerFiles(found.tree, fewer) : found.tree,
    { image, decodeSize, broken, stream, workers, ownStatistics: false },
    watcher,
  );
}

/** The page of a command that classifies. @param judged what is compared, the model's own first */
export function classifiedPage(
  { info }: Engine,
  { model, data, about }: Classified,
  { title, lead, recipe }: { readonly title: string; readonly lead: readonly string[]; readonly recipe: string },
  judged: readonly [ClassificationResult, ...ClassificationResult[]],
): Found['page'] {
  return {
    title,
    lead,
    settings: [
      { name: 'model', value: model.name },
      { name: 'data', value: data.train.name },
      { name: 'recipe', value: recipe },
    ],
    sections: classificationSections(judged, data.train.classes, `${about} ${recipe} Adapter: ${nameAdapter(info)}.`),
  };
}

/** What `result.json` says of the images. */
export function describedImages({ train, test }: TrainTest): {
  readonly data: string;
  readonly images: { readonly train: number; readonly test: number };
} {
  return { data: train.name, images: { train: train.count, test: test.count } };
}

/** Says which model it is, what of its file was used, and what of it is taken to be so because its file does not say. */
export function noteModel(progress: Progress, { model, data, encoder: { assumed = [], report } }: Classified): void {
  progress.note('model', `${model.name}: ${describeLoad(report)}`);
  progress.note(
    'images',
    `${data.train.count.toLocaleString('en')} to learn from, ${data.test.count.toLocaleString('en')} to be judged on`,
  );
  for (const rule of assumed) progress.note('assumed', rule);
}

/** Times in a training that a display is moved: often enough to be looked at, not so often that it fills a log. */
const SHOWN = 20;

/** Shows how a classifier comes along. */
export function showLearning(progress: Progress, title: string, batch: number, classes: number): LearningWatcher {
  let began = 0;
  let first = 0;
  return {
    begin: (steps, start) => {
      [began, first] = [performance.now(), start];
      progress.phase(title, steps, start);
    },
    step: (done, steps, loss) => {
      if (done % Math.ceil(steps / SHOWN) !== 0 && done !== steps) return;
      progress.step(done, { loss, imagesPerSecond: (1000 * (done - first) * batch) / (performance.now() - began) });
    },
    epoch: ({ epoch, loss, ...accuracy }) =>
      progress.note(title, `epoch ${epoch}  loss ${formatNumber(loss)}  ${accuracyWords(accuracy, classes)}`),
  };
}
