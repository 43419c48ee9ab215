import type { Classification } from '../../imae/classify/classification';
import { counted } from '../../common/format';
import { UserError } from '../../common/userError';
import { accuracyWords, type ClassificationResult } from '../../imae/classify/classificationFigures';
import type { Probed } from '../../imae/classify/features';
import { KNN_DEFAULTS, runKnn, type KnnSettings } from '../../imae/classify/knn';
import { choice, integer, toggle } from '../../imae/config/optionKinds';
import { classifiedOptions, classifiedPage, describedImages, noteModel, readClassified } from '../classifierInputs';
import { runEvaluation } from '../evaluation';
import { fileName } from '../../runs/modelPath';
import { trainCommand } from '../../runs/session';
import { commandOption, makeCommand } from './command';
import { TITLES } from './probe';

const LEAD = [
  'Do images of a class lie near one another in what the encoder makes of them? Each test image is given the class for which its nearest ' +
    'training images vote, by the cosine of their features, each with exp(cosine / 0.07) (Wu et al. 2018). Nothing is trained.',
];

/** The quick look at features. */
export const knn = makeCommand({
  name: 'knn',
  about: 'nearest neighbours: a quick look at what features tell of classes, without training',
  options: {
    ...classifiedOptions,
    pool: commandOption(
      choice('class', 'mean'),
      KNN_DEFAULTS.pool,
      'features: the class token, or the mean of the patch tokens',
    ),
    k: commandOption(integer({ min: 1 }), KNN_DEFAULTS.k, 'neighbours that vote'),
    batch: commandOption(integer({ min: 1 }), KNN_DEFAULTS.batch, 'images encoded at once'),
    baselines: commandOption(toggle(), true, 'a random encoder of the same size and raw pixels as well'),
  },
  examples: [
    'node train.js knn --checkpoint runs/2025-01-31_12-00-00-cifar',
    'node train.js knn --checkpoint imae-2200.safetensors --data cifar-10-binary.tar.gz --pool mean',
  ],
  run: async (values) => {
    const classified = await readClassified(values);
    const { model, data } = classified;
    if (values.k > data.train.count) {
      throw new UserError(
        `--k: ${data.train.name} gives ${counted(data.train.count, 'image')} to learn from. Give as many neighbours or fewer.`,
        { usage: true },
      );
    }
    const { pool, k, batch, seed } = values;
    const settings: KnnSettings = { pool, k, batch, seed };
    const command = trainCommand(['knn', ...process.argv.slice(3)]);
    return await runEvaluation(
      {
        name: `knn-${fileName(data.train.name)}`,
        model: values.checkpoint,
        out: values.out,
        adapter: values.adapter,
        command,
      },
      async (engine, progress) => {
        noteModel(progress, classified);
        const results: Partial<Record<Probed, Classification>> = {};
        for (const probed of values.baselines ? (['trained', 'random', 'pixels'] as const) : (['trained'] as const)) {
          const result = await runKnn(engine, { model, probed, data, settings });
          results[probed] = result;
          progress.note(TITLES[probed], accuracyWords(result, data.train.classes.length));
        }
        const judged = Object.entries(results).map(([probed, result]): ClassificationResult => {
          return { title: TITLES[probed as Probed], reference: probed !== 'trained', result };
        }) as [ClassificationResult, ...ClassificationResult[]];
        const recipe = `${pool === 'class' ? 'Class token' : 'Mean of patch tokens'}, ${k} nearest by cosine.`;
        return {
          result: {
            model: model.name,
            ...describedImages(data),
            settings,
            classes: data.train.classes,
            neighbours: results,
          },
          page: classifiedPage(engine, classified, { title: 'Nearest neighbours', lead: LEAD, recipe }, judged),
        };
      },
    );
  },
});
