import { counted } from '../../common/format';
import { UserError } from '../../common/userError';
import { nameAdapter } from '../../gpu/adapter';
import { loadModel } from '../../imae/checkpoint/checkpoint';
import { patchCount, resolveConfig, visiblePatches, type Config } from '../../imae/config/config';
import { phaseTitle } from '../../imae/config/describe';
import { analyse as analyseModel, type Analysis } from '../../imae/lcmae/analyse';
import { ANALYSIS_LEAD, analysisSections } from '../../imae/lcmae/analysisFigures';
import { allocateModel, maeParameters } from '../../imae/model/mae';
import { FREE_MASKS, freeMaskOf } from '../../imae/mask/maskOrders';
import { describeLoaded } from '../../imae/checkpoint/loadReport';
import { describeModel, type ModelFacts } from '../../imae/checkpoint/modelFile';
import { choice, integer, list, nullable, number, text } from '../../imae/config/optionKinds';
import type { NamedFile } from '../../imae/checkpoint/namedFile';
import { configOf } from '../evaluated';
import { runEvaluation } from '../evaluation';
import { readNamed } from '../../runs/folderStore';
import { fileName, isRunPath } from '../../runs/modelPath';
import { showParts } from '../progress';
import { RunFolder } from '../../runs/runFolder';
import { trainCommand } from '../../runs/session';
import { loadShown } from '../loadWithProgress';
import { loadPairable } from '../trainingInputs';
import { commandOption, makeCommand, neededOption } from './command';
import { IMAGES_OPTIONS, withImages } from './images';

/** The seven measurements of a vanilla MAE or an LC-MAE. */
export const analyseCommand = makeCommand({
  name: 'analyse',
  about: 'seven measurements of what an MAE or LC-MAE has learnt, in the spirit of LC-MAE, beside random weights',
  options: {
    checkpoint: neededOption(
      text('RUN|FILE', 'the folder of a run or a .safetensors file'),
      'what is analysed: a vanilla MAE, a teacher or an LC-MAE',
    ),
    ...IMAGES_OPTIONS,
    images: commandOption(integer({ min: 2 }), 64, 'held-out images that are shown'),
    'mask-ratios': commandOption(
      list(number({ above: 0, below: 1 }), 'mask ratios'),
      [0.25, 0.5, 0.75],
      'shares of the patches that are hidden',
    ),
    mask: commandOption(
      nullable(choice(...FREE_MASKS), 'auto'),
      null,
      'what is hidden, as in training; auto: as the model was trained',
    ),
    out: commandOption(
      nullable(text('FOLDER', 'a new or an empty folder'), 'none'),
      null,
      'folder of result.json and figures.html; a new one under runs/',
    ),
    adapter: commandOption(text('NAME', 'a part of an adapter’s name'), 'any', 'GPU to run on, as in training'),
  },
  examples: [
    'node train.js analyse --checkpoint runs/2025-01-31_12-00-00-cifar',
    'node train.js analyse --checkpoint lcmae-2200.safetensors --data cifar-10-binary.tar.gz --mask-ratios 0.5,0.75',
  ],
  run: async (values) => {
    const { file, config: known } = readModel(values.checkpoint);
    const facts = describeModel(file.file, file.name);
    assertAnalysable(file, facts, values['mask-ratios']);
    const config = withImages(known ?? configOf(facts), values);
    if (config.data.set === null)
      throw new UserError('--data is missing: a model’s file does not say which images it was trained on.', {
        usage: true,
      });
    const data = await loadShown((watcher) =>
      loadPairable(config, watcher, { train: 64, test: values.images, seed: 0 }),
    ); // it looks at held-out ones alone
    const { test } = data;
    if (values.images > test.count) {
      throw new UserError(
        `--images: ${test.name} has ${counted(test.count, 'held-out image')}. Give as many or fewer.`,
        { usage: true },
      );
    }
    const command = trainCommand(['analyse', ...process.argv.slice(3)]);
    const name = describe(facts, known);
    const mask = values.mask ?? freeMaskOf(config.masking.mask);
    return await runEvaluation(
      {
        name: `analyse-${fileName(test.name)}`,
        model: values.checkpoint,
        out: values.out,
        adapter: values.adapter,
        command,
      },
      async (engine, progress) => {
        const { size, branches } = facts;
        progress.note('model', `${describeLoaded(file, maeParameters(size, branches))}. ${name}`);
        for (const rule of facts.assumed ?? []) progress.note('assumed', rule);
        const model = allocateModel(engine, file.name, { size, branches }, { frozen: true });
        try {
          loadModel(model, file.file, file.name);
          const analysis = await analyseModel(engine, model, facts, test, {
            images: values.images,
            mask,
            ratios: values['mask-ratios'],
            progress: showParts(progress, 'analyse'),
          });
          progress.stop();
          console.log(`result    ${summary(analysis)}`);
          return {
            result: { checkpoint: file.name, data: test.name, ...analysis },
            page: {
              title: `${facts.phase === 'lcmae' ? 'LC-MAE' : 'MAE'}, looked into in the spirit of LC-MAE`,
              lead: ANALYSIS_LEAD,
              settings: [
                { name: 'checkpoint', value: file.name },
                { name: 'model', value: name },
                { name: 'data', value: `${test.name}, ${values.images} held-out images` },
                { name: 'masks', value: `${mask}, ratios ${values['mask-ratios'].join(', ')}` },
                {
                  name: 'random weights',
                  value: 'the same architecture, drawn as before a training, but others than any run begins with',
                },
              ],
              sections: analysisSections(
                analysis,
                `In the spirit of LC-MAE. ${name}; ${test.name}; ${mask} masks. Adapter: ${nameAdapter(engine.info)}.`,
              ),
            },
          };
        } finally {
          model.parameters.dispose();
        }
      },
    );
  },
});

/** A file, or the last model of a run that can be analysed. */
function readModel(path: string): { file: NamedFile; config?: Config } {
  if (!isRunPath(path)) return { file: readNamed(path) };
  const folder = RunFolder.open(path, '--checkpoint');
  const config = resolveConfig([{ source: `${path}/config.json`, values: folder.readConfig() }]);
  const last = folder
    .checkpoints()
    .filter(({ phase }) => phase !== 'imae')
    .at(-1);
  if (!last)
    throw new UserError(
      `--checkpoint: ${path} has no checkpoint of an MAE, a teacher or an LC-MAE yet. Let it train, or give another.`,
    );
  return { file: readNamed(last.modelPath), config };
}

function assertAnalysable({ name }: NamedFile, { phase, branches, size }: ModelFacts, ratios: readonly number[]): void {
  if (phase === 'imae' || branches === 2) {
    throw new UserError(
      `--checkpoint: ${name} is an i-MAE, which takes mixtures apart. Give a vanilla MAE, a teacher or an LC-MAE.`,
      { usage: true },
    );
  }
  for (const ratio of ratios) {
    const visible = visiblePatches(size, ratio);
    if (visible >= 2 && visible < patchCount(size)) continue;
    throw new UserError(
      `--mask-ratios: ${ratio} leaves ${visible} of ${patchCount(size)} patches visible; two or more, and one hidden, are needed.`,
      { usage: true },
    );
  }
}

function describe({ size, phase, step }: ModelFacts, run: Config | undefined): string {
  const { dim, depth, heads, decoderDim, decoderDepth, decoderHeads, patch } = size;
  const title = phaseTitle(phase, 'MAE');
  const mu = phase === 'lcmae' && run ? `, μ ${run.lcmae.mu}` : '';
  const steps =
    step === undefined ? '' : `, ${counted(step, 'step')}${run ? ` of ${counted(run.training.batch, 'image')}` : ''}`;
  return `${title} ${dim}-${depth}-${heads}, decoder ${decoderDim}-${decoderDepth}-${decoderHeads}, patch ${patch}${mu}${steps}`;
}

/** The main figures at each ratio, trained and with random weights. */
function summary({ trained, random }: Analysis): string {
  const row = (title: string, at: Analysis['trained'][number]): string => {
    const last = at.invariance.at(-1);
    const gap = (last?.same ?? 0) - (last?.different ?? 0);
    const numbers = [at.identity.share, gap, at.field.half, at.field.most, at.consistency.at(-1)?.rank ?? 0];
    return `  ${title.padEnd(16)}${String(at.ratio).padStart(6)}${numbers.map((value) => value.toFixed(3).padStart(12)).join('')}`;
  };
  const head = `  ${''.padEnd(16)}${'ratio'.padStart(6)}${['alignment', 'invariance', 'field 50 %', 'field 90 %', 'rank'].map((title) => title.padStart(12)).join('')}`;
  return [
    'in the spirit of LC-MAE',
    head,
    ...trained.map((at) => row('trained', at)),
    ...random.map((at) => row('random weights', at)),
  ].join('\n');
}
