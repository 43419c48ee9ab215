import { formatNumber } from '../../common/format';
import type { Learned } from '../../imae/classify/classification';
import { accuracyWords, type ClassificationResult } from '../../imae/classify/classificationFigures';
import type { Probed } from '../../imae/classify/features';
import { choice, integer, nullable, number, orWord, pair, toggle } from '../../imae/config/optionKinds';
import { PROBE_DEFAULTS, runProbe, type ProbeSettings } from '../../imae/classify/probe';
import {
  assertBatch,
  classifiedOptions,
  classifiedPage,
  describedImages,
  noteModel,
  readClassified,
  showLearning,
} from '../classifierInputs';
import { runEvaluation } from '../evaluation';
import { fileName } from '../../runs/modelPath';
import { trainCommand } from '../../runs/session';
import { commandOption, makeCommand } from './command';

const LEAD = [
  'Are the classes of images linearly in what the encoder makes of them? The encoder is frozen; a linear classifier is trained on its ' +
    'features of the training images, and judged on the test images.',
  'The same classifier by the same recipe on the features of an encoder of the same size with random weights, and on raw pixels, says ' +
    'how much of that the training of the encoder has brought.',
];

/** What the curves and tables call it. */
export const TITLES: Readonly<Record<Probed, string>> = {
  trained: 'this encoder',
  random: 'random encoder',
  pixels: 'raw pixels',
};

/** How much a linear classifier gets out of frozen features. */
export const probe = makeCommand({
  name: 'probe',
  about: 'linear probe: how well does a linear classifier do on the features of a frozen encoder?',
  options: {
    ...classifiedOptions,
    pool: commandOption(
      choice('class', 'mean'),
      PROBE_DEFAULTS.pool,
      'features: the class token, or the mean of the patch tokens',
    ),
    epochs: commandOption(integer({ min: 1 }), PROBE_DEFAULTS.epochs, 'passes over the training images'),
    'warmup-epochs': commandOption(
      orWord(number({ min: 0 }), 'auto'),
      'auto',
      'linear warm-up; auto: a ninth of the epochs, as published',
    ),
    batch: commandOption(integer({ min: 2 }), PROBE_DEFAULTS.batch, 'images a step'),
    blr: commandOption(
      number({ above: 0 }),
      PROBE_DEFAULTS.blr,
      'peak learning rate for 256 images; LARS moves weights by shares of their norm, so that a set much smaller than ImageNet needs more: 1 to 10',
    ),
    crop: commandOption(
      nullable(pair({ above: 0, max: 1, ascending: true }), 'none'),
      PROBE_DEFAULTS.crop,
      'random resized crop, share of the area',
    ),
    flip: commandOption(
      toggle(),
      PROBE_DEFAULTS.flip,
      'mirror half of the images; with --crop none and --no-flip features are computed once',
    ),
    baselines: commandOption(toggle(), true, 'probe a random encoder of the same size and raw pixels as well'),
  },
  examples: [
    'node train.js probe --checkpoint runs/2025-01-31_12-00-00-cifar --blr 1',
    'node train.js probe --checkpoint imae-2200.safetensors --data cifar-10-binary.tar.gz --pool mean --crop none --no-flip --epochs 30',
  ],
  run: async (values) => {
    assertBatch(values);
    const classified = await readClassified(values);
    const { model, data } = classified;
    const { pool, epochs, batch, blr, crop, flip, seed } = values;
    const warmup = values['warmup-epochs'];
    const settings: ProbeSettings = {
      pool,
      epochs,
      batch,
      blr,
      crop,
      flip,
      seed,
      warmupEpochs: warmup === 'auto' ? epochs / 9 : warmup,
    };
    const command = trainCommand(['probe', ...process.argv.slice(3)]);
    return await runEvaluation(
      {
        name: `probe-${fileName(data.train.name)}`,
        model: values.checkpoint,
        out: values.out,
        adapter: values.adapter,
        command,
      },
      async (engine, progress) => {
        noteModel(progress, classified);
        const results: Partial<Record<Probed, Learned>> = {};
        for (const probed of values.baselines ? (['trained', 'random', 'pixels'] as const) : (['trained'] as const)) {
          const watcher = showLearning(progress, TITLES[probed], batch, data.train.classes.length);
          results[probed] = await runProbe(engine, { model, probed, data, settings, watcher });
          progress.stop();
        }
        const judged = Object.entries(results).map(([probed, result]): ClassificationResult => {
          return { title: TITLES[probed as Probed], reference: probed !== 'trained', result };
        }) as [ClassificationResult, ...ClassificationResult[]];
        for (const { title, result } of judged)
          console.log(`${title.padEnd(16)} ${accuracyWords(result, data.train.classes.length)}`);
        const idle = results.trained && idleHead(results.trained, data.train.classes.length);
        if (idle !== undefined) progress.note('note', idle);
        const recipe = describe(settings);
        return {
          result: {
            model: model.name,
            ...describedImages(data),
            settings,
            classes: data.train.classes,
            probes: results,
          },
          page: classifiedPage(engine, classified, { title: 'Linear probe', lead: LEAD, recipe }, judged),
        };
      },
    );
  },
});

/** Below this share of the loss of guessing, a head has learnt something. */
const IDLE_SHARE = 0.97;

/**
 * Says where a head has hardly moved: it began with every class as likely as any other, and its loss is nearly what that
 * costs, ln(classes). Undefined where it has learnt, or there is but one class.
 */
export function idleHead({ curve }: Pick<Learned, 'curve'>, classes: number): string | undefined {
  const loss = curve.at(-1)?.loss;
  const guessing = Math.log(classes);
  if (loss === undefined || classes < 2 || !(loss > IDLE_SHARE * guessing && loss < guessing / IDLE_SHARE))
    return undefined;
  return (
    `the head has hardly moved: its loss is ${formatNumber(loss)}, and guessing costs ${formatNumber(guessing)}. That says nothing of the ` +
    'encoder. Give a larger --blr (1 to 10) or more --epochs'
  );
}

function describe({ pool, epochs, warmupEpochs, batch, blr, crop, flip }: ProbeSettings): string {
  const features = pool === 'class' ? 'Class token' : 'Mean of patch tokens';
  const views = [crop ? `random resized crops ${crop.join('–')}` : 'whole images', ...(flip ? ['flips'] : [])].join(
    ', ',
  );
  return `${features}, BatchNorm, linear layer; LARS, blr ${blr}, batch ${batch}, ${epochs} epochs, warm-up ${Number(warmupEpochs.toFixed(2))}; ${views}.`;
}
