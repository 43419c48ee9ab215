import { resolve } from 'node:path';
import { counted } from '../../common/format';
import { UserError } from '../../common/userError';
import type { Engine } from '../../engine/engine';
import { nameAdapter } from '../../gpu/adapter';
import { digestTensors } from '../../imae/checkpoint/checkpoint';
import type { LearningWatcher } from '../../imae/classify/classification';
import { accuracyWords } from '../../imae/classify/classificationFigures';
import {
  FINETUNE_DEFAULTS,
  runFinetune,
  type FinetuneSettings,
  type FinetuneCheckpointing,
} from '../../imae/classify/finetune';
import { identifyData } from '../../imae/train/identity';
import { LearningStopped } from '../../imae/classify/learning';
import { choice, integer, nullable, number, orWord, pair, text, toggle } from '../../imae/config/optionKinds';
import type { SavedState } from '../../imae/checkpoint/namedFile';
import {
  assertBatch,
  classifiedOptions,
  classifiedPage,
  describedImages,
  noteModel,
  readClassified,
  showLearning,
  type Classified,
} from '../classifierInputs';
import { leaveResults, withEngine, type Found } from '../evaluation';
import { FinetuneFolder, type FinetuneFile } from '../../runs/finetuneFolder';
import { Interrupt } from '../interrupt';
import type { Progress } from '../progress';
import { RunFolder } from '../../runs/runFolder';
import { trainCommand } from '../../runs/session';
import { withAdvice } from '../trainingRun';
import { commandOption, makeCommand, type CommandOption, type ValuesOf } from './command';
import { IMAGES_OPTIONS } from './images';

const share = number({ min: 0, below: 1 });
const D = FINETUNE_DEFAULTS;

const LEAD = [
  'How well does the encoder classify once all of it is trained to? Beginning from its weights, encoder and a linear layer on top learn ' +
    'the training images’ classes by the published recipe, and are judged on the test images.',
];

const OPTIONS = {
  ...classifiedOptions,
  checkpoint: commandOption(
    nullable(classifiedOptions.checkpoint.kind, 'none'),
    null,
    `${classifiedOptions.checkpoint.help}; needed, but with --resume`,
  ),
  resume: commandOption(
    nullable(text('FOLDER', 'the folder of a fine-tuning'), 'none'),
    null,
    'go on with the fine-tuning in this folder, bit for bit as if never interrupted',
  ),
  from: commandOption(
    choice('trained', 'random'),
    'trained',
    'begin from the weights of the model, or from random ones, the baseline',
  ),
  pool: commandOption(
    choice('mean', 'class'),
    D.pool,
    'classify by the mean of the patch tokens, or by the class token',
  ),
  epochs: commandOption(integer({ min: 1 }), D.epochs, 'passes over the training images; i-MAE was fine-tuned for 20'),
  'warmup-epochs': commandOption(
    orWord(number({ min: 0 }), 'auto'),
    'auto',
    'linear warm-up; auto: a twentieth of the epochs, as published (i-MAE: 2 of 20)',
  ),
  batch: commandOption(integer({ min: 2 }), D.batch, 'images a step'),
  blr: commandOption(number({ above: 0 }), D.blr, 'peak learning rate for 256 images; i-MAE was fine-tuned with 5e-5'),
  'weight-decay': commandOption(
    number({ min: 0 }),
    D.weightDecay,
    'of weights; never of biases, norms, class token and positions',
  ),
  'layer-decay': commandOption(
    number({ above: 0, max: 1 }),
    D.layerDecay,
    'each block learns this much slower than the one above it (ViT-B 0.65, ViT-L 0.75)',
  ),
  'drop-path': commandOption(
    share,
    D.dropPath,
    'probability that the last block leaves out a branch, rising from 0 at the first',
  ),
  'label-smoothing': commandOption(share, D.labelSmoothing, 'share of a label that all classes divide'),
  mixup: commandOption(number({ min: 0 }), D.mixup, 'α of mixup; 0 leaves it out'),
  cutmix: commandOption(
    number({ min: 0 }),
    D.cutmix,
    'α of cutmix; 0 leaves it out. With both, each batch has one of them',
  ),
  erase: commandOption(number({ min: 0, max: 1 }), D.erase, 'probability that a box of an image is filled with noise'),
  'clip-norm': commandOption(number({ min: 0 }), D.clipNorm, 'largest norm of the whole gradient; 0 clips nothing'),
  crop: commandOption(
    nullable(pair({ above: 0, max: 1, ascending: true }), 'none'),
    D.crop,
    'random resized crop, share of the area',
  ),
  flip: commandOption(toggle(), D.flip, 'mirror half of the images'),
  'rand-augment': commandOption(
    toggle(),
    D.randAugment,
    'change colours and geometry by RandAugment: two operations an image, each half of the time',
  ),
};

type Values = ValuesOf<typeof OPTIONS>;

/** What may be another when a fine-tuning goes on: what computes, and where model and images lie. Digests tell whether those are the same. */
const FREE: ReadonlySet<string> = new Set(['checkpoint', ...Object.keys(IMAGES_OPTIONS), 'adapter', 'resume']);
/** What each call says for itself. */
const OWN: ReadonlySet<string> = new Set(['adapter', 'resume', 'out']);

/** Trains the whole encoder to classify. */
export const finetune = makeCommand({
  name: 'finetune',
  about: 'fine-tuning: train the encoder and a linear layer on top to classify, and keep the classifier',
  options: OPTIONS,
  examples: [
    'node train.js finetune --checkpoint runs/2025-01-31_12-00-00-cifar --epochs 50',
    'node train.js finetune --checkpoint imae-2200.safetensors --data cifar-10-binary.tar.gz --epochs 20 --blr 5e-5 --warmup-epochs 2',
    'node train.js finetune --resume runs/2025-02-01_09-00-00-finetune',
  ],
  run: async (values, _operands, _passed, given) => {
    if (values.resume === null) return await start(values);
    const { folder, file } = FinetuneFolder.open(values.resume);
    try {
      const resumed = goneOnWith(file, values, given);
      if (!folder.isFinished) return await start(resumed, { folder, file });
      console.log(`finished  ${folder.path} is done: see figures.html, result.json and classifier.safetensors in it`);
      return 0;
    } finally {
      folder.close();
    }
  },
});

interface Resumed {
  readonly folder: FinetuneFolder;
  readonly file: FinetuneFile;
}

/**
 * The values that a fine-tuning was begun with, but for those that may be others.
 *
 * @throws UserError that names the option which differs, or was spoilt in the file
 */
function goneOnWith({ options }: FinetuneFile, values: Values, given: ReadonlySet<string>): Values {
  const known = Object.entries<CommandOption<unknown>>(OPTIONS).map(([flag, { kind, default: fallback }]) => {
    const now = values[flag as keyof Values];
    if (FREE.has(flag) && (given.has(flag) || options[flag] === undefined)) return [flag, now];
    const then = options[flag] === undefined ? fallback : kind.read(options[flag]);
    if (then === undefined)
      throw new UserError(
        `finetune.json: ${flag} is ${JSON.stringify(options[flag])}. Give ${kind.expects}, as it was.`,
      );
    if (given.has(flag) && JSON.stringify(now) !== JSON.stringify(then)) {
      throw new UserError(
        `--${flag} cannot be changed by --resume: this fine-tuning goes on with ${flag === 'out' ? 'its folder' : kind.show(then)}. ` +
          'Leave it out, or begin a new one.',
        { usage: true },
      );
    }
    return [flag, then];
  });
  return Object.fromEntries(known) as Values;
}

/** What is kept of the values: files are found from wherever it goes on. */
function keptOptions(values: Values): Readonly<Record<string, unknown>> {
  const { checkpoint, data } = values;
  return {
    ...Object.fromEntries(Object.entries(values).filter(([flag]) => !OWN.has(flag))),
    checkpoint: checkpoint === null ? null : resolve(checkpoint),
    data: data === null || data === 'shapes' ? data : resolve(data),
  };
}

/** @throws UserError where what a fine-tuning goes on with is not what it was begun with */
function assertSame({ model, data }: FinetuneFile, now: Pick<FinetuneFile, 'model' | 'data'>): void {
  const restore = 'Give the one that it was begun with, or begin a new one.';
  if (model !== now.model)
    throw new UserError(`--checkpoint: this is another model than the fine-tuning began from. ${restore}`);
  if (data !== now.data)
    throw new UserError(`--data: these are other images than the fine-tuning has seen so far. ${restore}`);
}

/** Begins, or goes on with what is `resumed`. */
async function start(values: Values, resumed?: Resumed): Promise<number> {
  const { checkpoint, out, adapter } = values;
  if (checkpoint === null) {
    throw new UserError(
      '--checkpoint is missing: give the folder of a run, or a file; or --resume FOLDER, to go on with a fine-tuning.',
      { usage: true },
    );
  }
  if (!resumed) RunFolder.assertCreatable(out ?? undefined);
  assertBatch(values);
  const classified = await readClassified({ ...values, checkpoint });
  const digests = { model: await digestTensors(classified.model.file), data: await identifyData(classified.data) };
  if (resumed) assertSame(resumed.file, digests);
  return await withEngine(adapter, async (engine, progress) => {
    noteModel(progress, classified);
    const file: FinetuneFile = { options: keptOptions(values), ...digests, adapter: nameAdapter(engine.info) };
    const folder = resumed?.folder ?? FinetuneFolder.plan(out ?? undefined, file);
    const goOn = (): string => trainCommand(['finetune', '--resume', folder.path]);
    let interrupt: Interrupt | undefined;
    try {
      const resume = resumed && checkpointOf(resumed, file.adapter, progress);
      const identity = JSON.stringify({ from: values.from, settings: settingsOf(values), ...digests });
      const checkpointing = folder.checkpoints.checkpointing(identity, resume, () => interrupt?.requested ?? false);
      const begun = (): void => {
        progress.note('folder', folder.begin());
        interrupt = new Interrupt((label, said) => progress.note(label, said)); // until now, nothing is to be saved
      };
      const found = await train(values, classified, { engine, progress, checkpointing, begun });
      const command = trainCommand(['finetune', ...process.argv.slice(3)]);
      folder.finish((results) => leaveResults(results, found, { engine, progress, command }));
      return 0;
    } catch (error) {
      progress.stop();
      if (!(error instanceof LearningStopped)) throw folder.hasBegun ? withAdvice(error, goOn()) : error;
      console.log(`stopped   after ${counted(error.step, 'step')}, saved in ${folder.path}\ngo on     ${goOn()}`);
      return interrupt?.exitCode ?? 1;
    } finally {
      folder.close();
    }
  });
}

/** Where a fine-tuning is gone on with; undefined where it is to begin anew. @throws UserError where the checkpoint is damaged */
function checkpointOf({ folder, file }: Resumed, adapter: string, progress: Progress): SavedState | undefined {
  const last = folder.checkpoints.last();
  progress.note(
    'resume',
    last
      ? `after ${counted(last.step, 'step')}, the last complete checkpoint`
      : 'from the beginning: there is no complete checkpoint',
  );
  if (file.adapter !== adapter) {
    progress.note(
      'note',
      `it was begun on ${file.adapter}: on another adapter or driver it goes on, but not bit for bit`,
    );
  }
  return last;
}

interface Session {
  readonly engine: Engine;
  readonly progress: Progress;
  readonly checkpointing: FinetuneCheckpointing;
  /** Is told when all is ready for the first step. */
  readonly begun: () => void;
}

/** @throws UserError, LearningStopped, EngineError as `runFinetune` */
async function train(
  values: Values,
  classified: Classified,
  { engine, progress, checkpointing, begun }: Session,
): Promise<Found> {
  const { model, data } = classified;
  const { from } = values;
  const settings = settingsOf(values);
  const title = from === 'random' ? 'from random weights' : 'fine-tuned';
  const { classes } = data.train;
  const shown = showLearning(progress, title, settings.batch, classes.length);
  const watcher: LearningWatcher = {
    ...shown,
    begin: (steps, first) => {
      begun();
      shown.begin(steps, first);
    },
  };
  const { classifier, ...result } = await runFinetune(engine, { model, from, data, settings, watcher, checkpointing });
  progress.stop();
  console.log(`${title}  ${accuracyWords(result, classes.length)}`);
  const recipe = describe(settings);
  return {
    result: { model: model.name, ...describedImages(data), from, settings, classes, ...result },
    files: { 'classifier.safetensors': classifier },
    page: classifiedPage(engine, classified, { title: 'Fine-tuning', lead: LEAD, recipe }, [
      { title, reference: false, result },
    ]),
  };
}

function settingsOf(values: Values): FinetuneSettings {
  const { pool, epochs, batch, blr, mixup, cutmix, erase, crop, flip, seed } = values;
  const warmup = values['warmup-epochs'];
  return {
    ...{ pool, epochs, batch, blr, mixup, cutmix, erase, crop, flip, seed },
    warmupEpochs: warmup === 'auto' ? epochs / 20 : warmup,
    weightDecay: values['weight-decay'],
    layerDecay: values['layer-decay'],
    dropPath: values['drop-path'],
    labelSmoothing: values['label-smoothing'],
    clipNorm: values['clip-norm'],
    randAugment: values['rand-augment'],
  };
}

function describe(settings: FinetuneSettings): string {
  const {
    pool,
    epochs,
    warmupEpochs,
    batch,
    blr,
    weightDecay,
    layerDecay,
    dropPath,
    labelSmoothing,
    mixup,
    cutmix,
    erase,
    crop,
    flip,
    randAugment,
  } = settings;
  const views = [
    crop ? `random resized crops ${crop.join('–')}` : 'whole images',
    ...(flip ? ['flips'] : []),
    ...(randAugment ? ['RandAugment'] : []),
  ].join(', ');
  return (
    `${pool === 'class' ? 'Class token' : 'Mean of patch tokens'}; AdamW, blr ${blr}, batch ${batch}, ${epochs} epochs, warm-up ${Number(warmupEpochs.toFixed(2))}, ` +
    `weight decay ${weightDecay}, layer decay ${layerDecay}, drop path ${dropPath}, label smoothing ${labelSmoothing}, mixup ${mixup}, ` +
    `cutmix ${cutmix}, erasing ${erase}; ${views}.`
  );
}
