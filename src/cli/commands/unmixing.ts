import { nameAdapter } from '../../gpu/adapter';
import { integer, list, nullable, number, text } from '../../imae/config/optionKinds';
import { unmixingByAlpha } from '../../imae/eval/unmixingByAlpha';
import { UNMIXING_LEAD, unmixingSection } from '../../imae/eval/unmixingFigures';
import { describeEvaluated, MOST_MIXTURES, noteModels, readEvaluated } from '../evaluated';
import { runEvaluation } from '../evaluation';
import { showParts } from '../progress';
import { describeScore } from '../score';
import { fileName } from '../../runs/modelPath';
import { trainCommand } from '../../runs/session';
import { commandOption, makeCommand } from './command';
import { IMAGES_OPTIONS } from './images';

/** How well mixtures are taken apart, over α. */
export const unmixing = makeCommand({
  name: 'evaluate unmixing',
  about: 'the unmixing score over α: errors of both reconstructions beside what they must beat',
  options: {
    run: commandOption(
      nullable(text('RUN', 'the folder of a run'), 'none'),
      null,
      'run that left the i-MAE and its images',
    ),
    checkpoint: commandOption(
      nullable(text('FILE', 'a .safetensors file'), 'none'),
      null,
      'i-MAE by its file, in place of --run',
    ),
    ...IMAGES_OPTIONS,
    alphas: commandOption(
      list(number({ above: 0, max: 0.5 }), 'weights of the subordinate'),
      [0.1, 0.2, 0.3, 0.4, 0.5],
      'weights of the subordinate',
    ),
    images: commandOption(integer({ min: 2, max: MOST_MIXTURES }), 1000, 'held-out mixtures'),
    out: commandOption(
      nullable(text('FOLDER', 'a new or an empty folder'), 'none'),
      null,
      'folder of result.json and figures.html; a new one under runs/',
    ),
    adapter: commandOption(text('NAME', 'a part of an adapter’s name'), 'any', 'GPU to run on, as in training'),
  },
  examples: ['node train.js evaluate unmixing --run runs/2025-01-31_12-00-00-cifar'],
  run: async (values) => {
    const evaluated = await readEvaluated({ ...values, teacher: null });
    const { imae, teacher, config, data } = evaluated;
    const command = trainCommand(['evaluate', 'unmixing', ...process.argv.slice(4)]);
    return await runEvaluation(
      {
        name: `unmixing-${fileName(data.train.name)}`,
        model: values.run ?? values.checkpoint ?? '',
        out: values.out,
        adapter: values.adapter,
        command,
      },
      async (engine, progress) => {
        const { alphas, images } = values;
        noteModels(progress, [['i-MAE', imae], ...(teacher ? [['teacher', teacher] as const] : [])]);
        const rows = await unmixingByAlpha(engine, config, imae, data, {
          alphas,
          images,
          teacher,
          progress: showParts(progress, 'unmixing'),
        });
        progress.stop();
        for (const { alpha, score } of rows) console.log(`α ${String(alpha).padEnd(7)} ${describeScore(score)}`);
        const caption = `${data.train.name}, ${values.images} held-out mixtures, ${config.masking.mask} masks, ratio ${config.masking.maskRatio}. ${describeEvaluated(evaluated)} Adapter: ${nameAdapter(engine.info)}.`;
        return {
          result: {
            model: imae.name,
            data: data.train.name,
            images,
            maskRatio: config.masking.maskRatio,
            mask: config.masking.mask,
            rows,
          },
          page: {
            title: 'Taking mixtures apart',
            lead: UNMIXING_LEAD,
            settings: [
              { name: 'i-MAE', value: imae.name },
              { name: 'data', value: data.train.name },
              { name: 'model', value: describeEvaluated(evaluated) },
            ],
            sections: [unmixingSection(rows, caption)],
          },
        };
      },
    );
  },
});
