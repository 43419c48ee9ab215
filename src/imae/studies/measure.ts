import type { TrainTest } from '../../data/imageSet';
import type { Engine } from '../../engine/engine';
import { stepFlops, stepShape } from '../train/accounting';
import type { LearningWatcher } from '../classify/classification';
import { planPhase, type Config, type Phase } from '../config/config';
import { FINETUNE_DEFAULTS, runFinetune, type FinetuneCheckpointing } from '../classify/finetune';
import { PROBE_DEFAULTS, runProbe } from '../classify/probe';
import type { NamedFile } from '../checkpoint/namedFile';
import { evaluateSeparability } from '../eval/separability';
import { SIDES } from '../eval/separabilityResult';
import { unmixingByAlpha } from '../eval/unmixingByAlpha';
import type { Measure } from './study';
import type { CellValues } from './table';

/** How cells are measured, the same for all of a study. */
export interface MeasureSettings {
  readonly alphas: readonly number[];
  /** Held-out mixtures, and mixtures of training images that linear maps are fitted on. */
  readonly images: number;
  readonly fitImages: number;
  readonly probeEpochs: number;
  readonly probeBlr: number;
  /** Random resized crops, and flips with them; null sees images whole, so that features are computed once. */
  readonly probeCrop: readonly [number, number] | null;
  readonly finetuneEpochs: number;
}

export interface MeasuredRun {
  readonly config: Config;
  readonly model: NamedFile;
  /** Whose latents are looked for. */
  readonly teacher: NamedFile;
  /** Of the teacher that trained it, for the budget. */
  readonly teacherConfig: Config;
  readonly data: TrainTest;
}

/** Is told how the measuring comes along; what it throws ends it. */
export interface MeasureWatcher {
  begin(measure: Measure): void;
  /** `done` of `total` parts of the measure are done: batches, or steps. */
  step(done: number, total: number): void;
  /** Where given, fine-tuning is saved, can be stopped, and goes on. */
  readonly finetuning?: FinetuneCheckpointing;
}

/** Smallest batches that make sense; toy sets have fewer images than the published batches. */
const CLASSIFIER_BATCH = 128;

/** What a trained cell comes to, as numbers by name. @throws UserError as the evaluations */
export async function measureRun(
  engine: Engine,
  run: MeasuredRun,
  measures: readonly Measure[],
  settings: MeasureSettings,
  watcher: MeasureWatcher,
): Promise<CellValues> {
  const values: Record<string, number> = { ...budget(run) };
  for (const measure of measures) {
    if (measure === 'unmixing' && run.config.training.mode === 'mae') continue; // it does not take mixtures apart
    watcher.begin(measure);
    Object.assign(values, await MEASURES[measure](engine, run, settings, watcher));
  }
  return values;
}

type Measurement = (
  engine: Engine,
  run: MeasuredRun,
  settings: MeasureSettings,
  watcher: Omit<MeasureWatcher, 'begin'>,
) => Promise<CellValues>;

const MEASURES: Readonly<Record<Measure, Measurement>> = {
  unmixing: async (engine, { config, model, teacher, data }, settings, { step }) => {
    const values: Record<string, number> = {};
    for (const { alpha, score } of await unmixingByAlpha(engine, config, model, data, {
      ...settings,
      teacher,
      progress: step,
    })) {
      for (const side of SIDES) {
        const errors = score[side];
        if (!errors) continue;
        values[`score.${side}@${alpha}`] = errors.score;
        values[`needed.${side}@${alpha}`] = 1 - Math.min(errors.other, errors.mean, errors.mixture) / errors.mean;
      }
    }
    return values;
  },

  separability: async (engine, { config, model, teacher, data }, { alphas, images, fitImages }, { step }) => {
    const { mask, maskRatio } = config.masking;
    const settings = { alphas, images, fitImages, mask, maskRatio, seed: config.training.seed };
    const { fitted, branches } = await evaluateSeparability(engine, {
      imae: model,
      teacher,
      baselines: [],
      data,
      settings,
      progress: step,
    });
    const values: Record<string, number> = {};
    for (const { source, target, alpha, tokens, r2 } of fitted) {
      if (tokens === 'patches') values[`r2.${source.id}.${target}@${alpha}`] = r2.value;
    }
    for (const row of config.training.mode === 'mae' ? [] : branches) {
      const of = { imae: 'nearest', teacher: 'nearest.before', random: undefined }[row.model];
      if (of) values[`${of}.${row.branch}@${row.alpha}`] = row.nearest[row.branch].value;
    }
    return values;
  },

  probe: async (engine, { model, data, config }, { probeEpochs: epochs, probeBlr: blr, probeCrop: crop }, { step }) => {
    const views = { crop, flip: crop !== null };
    const settings = {
      ...PROBE_DEFAULTS,
      ...lengthOf(epochs, PROBE_DEFAULTS),
      ...views,
      blr,
      seed: config.training.seed,
      batch: CLASSIFIER_BATCH,
    };
    const { top1, top5 } = await runProbe(engine, {
      model,
      probed: 'trained',
      data,
      settings,
      watcher: { ...SILENT, step },
    });
    return { 'probe.top1': top1, 'probe.top5': top5 };
  },

  finetune: async (engine, { model, data, config }, { finetuneEpochs: epochs }, { step, finetuning }) => {
    if (epochs === 0) return {};
    const settings = {
      ...FINETUNE_DEFAULTS,
      ...lengthOf(epochs, FINETUNE_DEFAULTS),
      seed: config.training.seed,
      batch: CLASSIFIER_BATCH,
    };
    const { top1, top5 } = await runFinetune(engine, {
      model,
      from: 'trained',
      data,
      settings,
      watcher: { ...SILENT, step },
      ...(finetuning ? { checkpointing: finetuning } : {}),
    });
    return { 'finetune.top1': top1, 'finetune.top5': top5 };
  },
};

const SILENT: LearningWatcher = { begin: () => undefined, step: () => undefined, epoch: () => undefined };

/** A shorter recipe keeps its share of warm-up. */
function lengthOf(
  epochs: number,
  recipe: { readonly epochs: number; readonly warmupEpochs: number },
): { epochs: number; warmupEpochs: number } {
  return { epochs, warmupEpochs: (recipe.warmupEpochs * epochs) / recipe.epochs };
}

/** What training took, the teacher's with it: steps, images shown (both of a pair) and arithmetic. */
function budget({ config, teacherConfig, data }: MeasuredRun): CellValues {
  const phases: readonly (readonly [Config, Phase])[] =
    config.training.mode === 'mae'
      ? [[config, 'mae']]
      : [
          [teacherConfig, 'teacher'],
          [config, 'imae'],
        ];
  const sums = { steps: 0, images: 0, flops: 0 };
  for (const [of, phase] of phases) {
    const { steps } = planPhase(of, phase, data.train.count);
    sums.steps += steps;
    sums.images += steps * of.training.batch * (phase === 'imae' ? 2 : 1);
    sums.flops += steps * stepFlops(stepShape(of, phase));
  }
  return { 'budget.steps': sums.steps, 'budget.images': sums.images, 'budget.tflop': sums.flops / 1e12 };
}
