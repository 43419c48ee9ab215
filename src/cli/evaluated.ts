import type { TrainTest } from '../data/imageSet';
import { counted } from '../common/format';
import { UserError } from '../common/userError';
import { resolveConfig, type Config } from '../imae/config/config';
import { phaseTitle } from '../imae/config/describe';
import { describeLoaded } from '../imae/checkpoint/loadReport';
import { describeModel, type ModelFacts } from '../imae/checkpoint/modelFile';
import { maeParameters } from '../imae/model/mae';
import { IMAGENET } from '../imae/model/normalisation';
import type { NamedFile } from '../imae/checkpoint/namedFile';
import type { ValuesOf } from './commands/command';
import { withImages, type IMAGES_OPTIONS } from './commands/images';
import { FolderStore, readNamed } from '../runs/folderStore';
import { loadShown } from './loadWithProgress';
import type { Progress } from './progress';
import { RunFolder } from '../runs/runFolder';
import { loadPairable } from './trainingInputs';

/** More say nothing that fewer don't, and intervals would take gigabytes. */
export const MOST_MIXTURES = 50_000;

/** What an evaluation of an i-MAE works on. */
export interface Evaluated {
  readonly imae: NamedFile;
  readonly facts: ModelFacts;
  readonly teacher: NamedFile | undefined;
  /** Of the run, or what is known of it by the model's file. */
  readonly config: Config;
  /** Whether the configuration is that of a run: a file tells of no batch and no seed. */
  readonly isRun: boolean;
  readonly data: TrainTest;
}

/** How the user says what is to be evaluated: a run folder, or files. */
export interface Wanted extends ValuesOf<typeof IMAGES_OPTIONS> {
  readonly run: string | null;
  readonly checkpoint: string | null;
  readonly teacher: string | null;
}

/**
 * Reads what is to be evaluated.
 *
 * @throws UserError (usage) where neither a run nor a checkpoint is given, or both; as reading them does
 */
export async function readEvaluated(wanted: Wanted): Promise<Evaluated> {
  const { run, checkpoint, teacher } = wanted;
  if ((run === null) === (checkpoint === null)) {
    throw new UserError(
      'Give --run, a folder that training has left, or --checkpoint, an i-MAE’s .safetensors file: one of the two.',
      { usage: true },
    );
  }
  const fromRun = run === null ? undefined : readRunModels(run);
  const imae = fromRun?.imae ?? readNamed(checkpoint ?? '');
  const facts = describeModel(imae.file, imae.name);
  if (facts.phase !== undefined && facts.phase !== 'imae') {
    throw new UserError(
      `--checkpoint: ${imae.name} is a vanilla MAE (${phaseTitle(facts.phase, 'MAE')}), which takes no mixtures apart. Give an i-MAE.`,
      { usage: true },
    );
  }
  const config = withImages(fromRun?.config ?? configOf(facts), wanted);
  if (config.data.set === null)
    throw new UserError('--data is missing: a model’s file does not say which images it was trained on.', {
      usage: true,
    });
  return {
    imae,
    facts,
    teacher: teacher === null ? fromRun?.teacher : readNamed(teacher),
    config,
    isRun: fromRun !== undefined,
    data: await loadShown((watcher) => loadPairable(config, watcher)),
  };
}

interface RunModels {
  readonly imae: NamedFile;
  readonly teacher: NamedFile | undefined;
  readonly config: Config;
}

/** The i-MAE that a run has left, and its teacher. @throws UserError where there is none yet */
export function readRunModels(path: string): RunModels {
  const folder = RunFolder.open(path, '--run');
  const config = resolveConfig([{ source: `${path}/config.json`, values: folder.readConfig() }]);
  const store = new FolderStore(folder, false, () => undefined);
  const imae = store.finished('imae');
  if (!imae) throw new UserError(`--run: ${path} has no checkpoint of an i-MAE yet. Let it train, or give another.`);
  const { checkpoint } = config.teacher;
  const teacher = checkpoint === null ? store.finished('teacher') : readNamed(checkpoint);
  return { imae, teacher, config };
}

/** A configuration that has what a model's file tells. */
export function configOf({ size, normPix, normalisation, maskRatio, mask, branches, phase }: ModelFacts): Config {
  const isImageNet = JSON.stringify(normalisation) === JSON.stringify(IMAGENET);
  return resolveConfig([
    {
      source: 'the model’s file',
      values: {
        data: { set: null, statistics: isImageNet ? 'imagenet' : 'own' },
        model: { ...size, normPix },
        imae: { branches: branches === 2 ? 'two-way' : 'subordinate' },
        masking: { ...(maskRatio === undefined ? {} : { maskRatio }), ...(mask === undefined ? {} : { mask }) },
        training: { batch: 1, ...(phase === 'mae' || phase === 'lcmae' ? { mode: phase } : {}) },
      },
    },
  ]);
}

/** Says of models by their files what of them is used, and what is taken to be so because a file does not say. */
export function noteModels(progress: Progress, models: readonly (readonly [label: string, NamedFile])[]): void {
  for (const [label, model] of models) {
    const { size, branches, assumed = [] } = describeModel(model.file, model.name);
    progress.note(label, describeLoaded(model, maeParameters(size, branches)));
    for (const rule of assumed) progress.note('assumed', rule);
  }
}

/** Sizes, budget and seed of a model in one line, for captions. */
export function describeEvaluated({ facts, config: { training }, isRun }: Evaluated): string {
  const { dim, depth, heads, decoderDim, decoderDepth, decoderHeads, patch } = facts.size;
  const steps =
    facts.step === undefined
      ? ''
      : `, ${counted(facts.step, 'step')}${isRun ? ` of ${counted(training.batch, 'image')}` : ''}`;
  return `i-MAE ${dim}-${depth}-${heads}, decoder ${decoderDim}-${decoderDepth}-${decoderHeads}, patch ${patch}${steps}${isRun ? `, seed ${training.seed}` : ''}.`;
}
