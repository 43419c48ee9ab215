import { storedTensor, writeSafetensors } from '../../files/safetensors';
import { nameAdapter } from '../../gpu/engine';
import { accuracyWords, classificationSections } from '../../imae/classificationFigures';
import { FINETUNE_DEFAULTS, runFinetune, type FinetuneSettings } from '../../imae/finetune';
import { normalisationMetadata } from '../../imae/modelFile';
import { choice, integer, nullable, number, orWord, pair, toggle } from '../../imae/optionKinds';
import { classifiedOptions, noteModel, readClassified, showLearning } from '../classified';
import { runEvaluation } from '../evaluation';
import { trainCommand } from '../session';
import { commandOption, makeCommand } from './command';

const share = number({ min: 0, below: 1 });
const D = FINETUNE_DEFAULTS;

const LEAD = [
  'How well does the encoder classify once all of it is trained to? Beginning from its weights, encoder and a linear layer on top learn ' +
    'the training images’ classes by the published recipe, and are judged on the test images.',
];

/** Trains the whole encoder to classify. */
export const finetune = makeCommand({
  name: 'finetune',
  about: 'fine-tuning: train the encoder and a linear layer on top to classify, and keep the classifier',
  options: {
    ...classifiedOptions,
    from: commandOption(choice('trained', 'random'), 'trained', 'begin from the weights of the model, or from random ones, the baseline'),
    pool: commandOption(choice('mean', 'class'), D.pool, 'classify by the mean of the patch tokens, or by the class token'),
    epochs: commandOption(integer({ min: 1 }), D.epochs, 'passes over the training images; i-MAE was fine-tuned for 20'),
    'warmup-epochs': commandOption(orWord(number({ min: 0 }), 'auto'), 'auto', 'linear warm-up; auto: a twentieth of the epochs, as published (i-MAE: 2 of 20)'),
    batch: commandOption(integer({ min: 2 }), D.batch, 'images a step'),
    blr: commandOption(number({ above: 0 }), D.blr, 'peak learning rate for 256 images; i-MAE was fine-tuned with 5e-5'),
    'weight-decay': commandOption(number({ min: 0 }), D.weightDecay, 'of weights; never of biases, norms, class token and positions'),
    'layer-decay': commandOption(number({ above: 0, max: 1 }), D.layerDecay, 'each block learns this much slower than the one above it (ViT-B 0.65, ViT-L 0.75)'),
    'drop-path': commandOption(share, D.dropPath, 'probability that the last block leaves out a branch, rising from 0 at the first'),
    'label-smoothing': commandOption(share, D.labelSmoothing, 'share of a label that all classes divide'),
    mixup: commandOption(number({ min: 0 }), D.mixup, 'α of mixup; 0 leaves it out'),
    cutmix: commandOption(number({ min: 0 }), D.cutmix, 'α of cutmix; 0 leaves it out. With both, each batch has one of them'),
    erase: commandOption(number({ min: 0, max: 1 }), D.erase, 'probability that a box of an image is filled with noise'),
    'clip-norm': commandOption(number({ min: 0 }), D.clipNorm, 'largest norm of the whole gradient; 0 clips nothing'),
    crop: commandOption(nullable(pair({ above: 0, max: 1, ascending: true }), 'none'), D.crop, 'random resized crop, share of the area'),
    flip: commandOption(toggle(), D.flip, 'mirror half of the images'),
    'rand-augment': commandOption(toggle(), D.randAugment, 'change colours and geometry by RandAugment: two operations an image, each half of the time'),
  },
  examples: [
    'node train.js finetune --checkpoint runs/2025-01-31_12-00-00-cifar --epochs 50',
    'node train.js finetune --checkpoint imae-2200.safetensors --data cifar-10-binary.tar.gz --epochs 20 --blr 5e-5 --warmup-epochs 2',
  ],
  run: async (values) => {
    const classified = await readClassified(values);
    const { model, encoder, data, about } = classified;
    const { pool, epochs, batch, blr, mixup, cutmix, erase, crop, flip, seed, from } = values;
    const warmup = values['warmup-epochs'];
    const settings: FinetuneSettings = {
      ...{ pool, epochs, batch, blr, mixup, cutmix, erase, crop, flip, seed },
      warmupEpochs: warmup === 'auto' ? epochs / 20 : warmup,
      weightDecay: values['weight-decay'],
      layerDecay: values['layer-decay'],
      dropPath: values['drop-path'],
      labelSmoothing: values['label-smoothing'],
      clipNorm: values['clip-norm'],
      randAugment: values['rand-augment'],
    };
    const command = trainCommand(['finetune', ...process.argv.slice(3)]);
    return await runEvaluation({ name: 'finetune', out: values.out, adapter: values.adapter, command }, async (engine, progress) => {
      noteModel(progress, classified);
      const title = from === 'random' ? 'from random weights' : 'fine-tuned';
      const { classifier, ...result } = await runFinetune(engine, { model, from, data, settings, watcher: showLearning(progress, title, batch, data.train.classes.length) });
      progress.stop();
      console.log(`${title}  ${accuracyWords(result, data.train.classes.length)}`);
      const recipe = describe(settings);
      const tensors = new Map([...classifier].map(([name, { shape, data: values }]) => [name, storedTensor(shape, values)]));
      const metadata = {
        ...normalisationMetadata(encoder.normalisation),
        ...{ phase: 'classifier', pool, heads: String(encoder.size.heads), classes: JSON.stringify(data.train.classes) },
      };
      return {
        result: { model: model.name, from, settings, classes: data.train.classes, ...result },
        files: { 'classifier.safetensors': writeSafetensors(tensors, metadata) },
        page: {
          title: 'Fine-tuning',
          lead: LEAD,
          settings: [
            { name: 'model', value: model.name },
            { name: 'data', value: data.train.name },
            { name: 'recipe', value: recipe },
          ],
          sections: classificationSections([{ title, reference: false, result }], data.train.classes, `${about} ${recipe} Adapter: ${nameAdapter(engine.info)}.`),
        },
      };
    });
  },
});

function describe(settings: FinetuneSettings): string {
  const { pool, epochs, warmupEpochs, batch, blr, weightDecay, layerDecay, dropPath, labelSmoothing, mixup, cutmix, erase, crop, flip, randAugment } = settings;
  const views = [crop ? `random resized crops ${crop.join('–')}` : 'whole images', ...(flip ? ['flips'] : []), ...(randAugment ? ['RandAugment'] : [])].join(', ');
  return (
    `${pool === 'class' ? 'Class token' : 'Mean of patch tokens'}; AdamW, blr ${blr}, batch ${batch}, ${epochs} epochs, warm-up ${Number(warmupEpochs.toFixed(2))}, ` +
    `weight decay ${weightDecay}, layer decay ${layerDecay}, drop path ${dropPath}, label smoothing ${labelSmoothing}, mixup ${mixup}, ` +
    `cutmix ${cutmix}, erasing ${erase}; ${views}.`
  );
}
