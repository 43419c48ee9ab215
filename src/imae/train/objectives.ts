import type { PatchMasks } from '../../ops/mask';
import type { BlockOptions } from '../../nn/layers';
import { concat } from '../../ops/concat';
import type { LossPart } from '../../report/metrics';
import type { Scalar, Tensor } from '../../tensor/tensor';
import { distillationWeights, needsTeacher, type Config, type Phase } from '../config/config';
import { lcmaeObjective } from '../lcmae/objective';
import type { Branches, Model } from '../model/mae';
import { imaeObjective, maeObjective } from '../model/objective';

/** What a phase minimises: the trainer knows it by this alone. */
export interface Objective {
  /** Whether a step takes images, or pairs of them that are blended by α. */
  readonly inputs: 'images' | 'pairs';
  /** How many branches the model has. */
  readonly branches: Branches;
  /** Under how many masks each image is seen. */
  readonly masks: 1 | 2;
  /** The parts of the loss, in the order in which they are recorded. */
  readonly parts: readonly LossPart[];
  /** Appends the loss of a batch to the program of its images. */
  record(batch: ObjectiveBatch): ObjectiveLosses;
}

/** A batch, or one of its micro-batches, and what computes on it. */
export interface ObjectiveBatch {
  readonly model: Model;
  /** A frozen vanilla MAE; absent where the phase has none. */
  readonly teacher?: Model | undefined;
  /** [B, C, H, W], normalised: the images, or the first of each pair. */
  readonly images: Tensor;
  /** Of pairs: the second of each, and the weight of the first, [1] or [B]. */
  readonly pairs?: { readonly second: Tensor; readonly alpha: Tensor };
  /** Draws masks for what the model is shown. */
  readonly masksOf: (seen: Tensor) => PatchMasks;
  /** The share of this micro-batch in the loss. */
  readonly share: number;
  readonly blocks: BlockOptions;
}

/** What was recorded. */
export interface ObjectiveLosses {
  /** What is minimised. */
  readonly loss: Scalar<'f32'>;
  /** The parts of it, unweighted: an element each, in one tensor or several. */
  readonly parts: readonly Tensor[];
}

const SIDES = ['Subordinate', 'Dominant'] as const;

/** Vanilla MAE (He et al. 2021). */
function mae({ model: { normPix } }: Config): Objective {
  return {
    inputs: 'images',
    branches: 1,
    masks: 1,
    parts: ['pixel'],
    record: ({ model, images, masksOf, share, blocks }) => {
      const { loss, pixel } = maeObjective(model, images, masksOf(images), { normPix, share, blocks });
      return { loss, parts: [pixel] };
    },
  };
}

/** An MAE that sees each image under two masks. */
function lcmae({ model: { normPix }, lcmae: { mu } }: Config): Objective {
  return {
    inputs: 'images',
    branches: 1,
    masks: 2,
    parts: ['pixel', 'align', 'centre'],
    record: ({ model, images, masksOf, share, blocks }) => {
      const twice = concat([images, images]);
      const { loss, pixel, align, centre } = lcmaeObjective(model, twice, masksOf(twice), {
        mu,
        normPix,
        share,
        blocks,
      });
      return { loss, parts: [pixel, align, centre] };
    },
  };
}

/** i-MAE: the images of a mixture from what is visible of it, with distillation where there is a teacher. */
function imae(config: Config): Objective {
  const { normPix } = config.model;
  const { branches: form, teacherInput } = config.imae;
  const branches = form === 'two-way' ? 2 : 1;
  const { subordinate, dominant } = distillationWeights(config);
  const named = (part: 'pixel' | 'distill'): LossPart[] =>
    SIDES.slice(0, branches).map((side): LossPart => `${part}${side}`);
  return {
    inputs: 'pairs',
    branches,
    masks: 1,
    parts: [...named('pixel'), ...(needsTeacher(config) ? named('distill') : [])],
    record: ({ model, teacher, images, pairs, masksOf, share, blocks }) => {
      if (!pairs) throw new Error('i-MAE trains on pairs of images.');
      const batch = { image1: images, image2: pairs.second, alpha: pairs.alpha };
      const weights = { lambda: [subordinate, dominant], normPix, share, teacherInput, blocks } as const;
      const { loss, pixel, distill } = imaeObjective(model, teacher, batch, masksOf, weights);
      return { loss, parts: distill ? [pixel, distill] : [pixel] };
    },
  };
}

const OBJECTIVES: { readonly [P in Phase]: (config: Config) => Objective } = { teacher: mae, mae, lcmae, imae };

/** What a phase of a run minimises. */
export function objectiveOf(config: Config, phase: Phase): Objective {
  return OBJECTIVES[phase](config);
}
