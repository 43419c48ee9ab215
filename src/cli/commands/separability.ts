import { basename } from 'node:path';
import { UserError } from '../../common/userError';
import { nameAdapter } from '../../gpu/adapter';
import { integer, list, nullable, number, text } from '../../imae/config/optionKinds';
import { evaluateSeparability } from '../../imae/eval/separability';
import type { NamedFile } from '../../imae/checkpoint/namedFile';
import { type SeparabilityResult } from '../../imae/eval/separabilityResult';
import { SEPARABILITY_LEAD, separabilitySections } from '../../imae/eval/separabilityFigures';
import { describeEvaluated, MOST_MIXTURES, noteModels, readEvaluated } from '../evaluated';
import { runEvaluation } from '../evaluation';
import { readNamed } from '../../runs/folderStore';
import { showParts } from '../progress';
import { fileName } from '../../runs/modelPath';
import { trainCommand } from '../../runs/session';
import { commandOption, makeCommand } from './command';
import { IMAGES_OPTIONS } from './images';

const file = nullable(text('FILE', 'a .safetensors file'), 'none');
const alphas = list(number({ above: 0, max: 0.5 }), 'weights of the subordinate');

/** Whether the latent of a mixture is linearly separable. */
export const separability = makeCommand({
  name: 'evaluate separability',
  about: 'is each image linearly in the latent of a mixture? M_ls and R² over α',
  options: {
    run: commandOption(
      nullable(text('RUN', 'the folder of a run'), 'none'),
      null,
      'run that left the i-MAE, its teacher and its images',
    ),
    checkpoint: commandOption(file, null, 'i-MAE by its file, in place of --run'),
    teacher: commandOption(file, null, 'vanilla MAE whose latents are looked for; the teacher of --run'),
    baseline: commandOption(
      nullable(text('FILE,…', '.safetensors files, separated by commas'), 'none'),
      null,
      'vanilla MAEs to compare with, such as one of the same budget (--only mae)',
    ),
    ...IMAGES_OPTIONS,
    alphas: commandOption(alphas, [0.1, 0.2, 0.3, 0.4, 0.5], 'weights of the subordinate'),
    'fit-images': commandOption(
      integer({ min: 2, max: MOST_MIXTURES }),
      2000,
      'mixtures of training images that maps are fitted on',
    ),
    images: commandOption(integer({ min: 2, max: MOST_MIXTURES }), 1000, 'held-out mixtures that are reported'),
    seed: commandOption(
      integer({ min: 0, max: 0xffffffff }),
      0,
      'of masks, of the random encoder and of the intervals',
    ),
    out: commandOption(
      nullable(text('FOLDER', 'a new or an empty folder'), 'none'),
      null,
      'folder of result.json and figures.html; a new one under runs/',
    ),
    adapter: commandOption(text('NAME', 'a part of an adapter’s name'), 'any', 'GPU to run on, as in training'),
  },
  examples: [
    'node train.js evaluate separability --run runs/2025-01-31_12-00-00-cifar',
    'node train.js evaluate separability --checkpoint imae-2200.safetensors --teacher teacher-2000.safetensors --data cifar-10-binary.tar.gz',
  ],
  run: async (values) => {
    const evaluated = await readEvaluated(values);
    const { imae, teacher, config, data } = evaluated;
    if (!teacher)
      throw new UserError(
        '--teacher is missing: the i-MAE has none beside it. Give the vanilla MAE whose latents are looked for.',
        { usage: true },
      );
    const baselines = (values.baseline ?? '').split(',').flatMap((path) => {
      if (path === '') return [];
      const model = readNamed(path);
      return [{ title: `MAE ${basename(path, '.safetensors')}`, model }];
    });
    const { mask, maskRatio } = config.masking;
    const settings = {
      fitImages: values['fit-images'],
      images: values.images,
      alphas: values.alphas,
      seed: values.seed,
      mask,
      maskRatio,
    };
    const command = trainCommand(['evaluate', 'separability', ...process.argv.slice(4)]);
    return await runEvaluation(
      {
        name: `separability-${fileName(data.train.name)}`,
        model: values.run ?? values.checkpoint ?? '',
        out: values.out,
        adapter: values.adapter,
        command,
      },
      async (engine, progress) => {
        noteModels(progress, [
          ['i-MAE', imae],
          ['teacher', teacher],
          ...baselines.map(({ model }): [string, NamedFile] => ['baseline', model]),
        ]);
        const result = await evaluateSeparability(engine, {
          imae,
          teacher,
          baselines,
          data,
          settings,
          progress: showParts(progress, 'latents'),
        });
        progress.stop();
        console.log(`result    ${summary(result)}`);
        return {
          result,
          page: {
            title: 'Linear separability of mixtures',
            lead: SEPARABILITY_LEAD,
            settings: [
              { name: 'i-MAE', value: imae.name },
              { name: 'teacher', value: teacher.name },
              ...baselines.map(({ model }) => ({ name: 'baseline', value: model.name })),
              { name: 'data', value: data.train.name },
              { name: 'model', value: describeEvaluated(evaluated) },
              { name: 'ridge', value: '1e-6 of the mean square of the inputs; sums and solution in float64' },
            ],
            sections: separabilitySections(
              result,
              `${describeEvaluated(evaluated)} Adapter: ${nameAdapter(engine.info)}.`,
            ),
          },
        };
      },
    );
  },
});

/** R² of patches at each α, of each encoder. */
function summary({ fitted, settings }: SeparabilityResult): string {
  const rows = fitted.filter(({ tokens, source }) => tokens === 'patches' && source.form !== 'mean');
  const groups = [...new Set(rows.map(({ source, target }) => `${target.padEnd(12)} ${source.title}`))];
  const head = `R² of patch tokens${' '.repeat(33)}${settings.alphas.map((alpha) => `α ${alpha}`.padStart(7)).join('')}`;
  const lines = groups.map((group) => {
    const own = rows.filter(({ source, target }) => `${target.padEnd(12)} ${source.title}` === group);
    return `  ${group.padEnd(49)}${own.map(({ r2 }) => r2.value.toFixed(3).padStart(7)).join('')}`;
  });
  return [head, ...lines].join('\n');
}
