import type { Precision } from '../../tensor/tensor';
import {
  distillationWeights,
  patchCount,
  phasesOf,
  planPhase,
  studentSize,
  teacherSize,
  visiblePatches,
  type Config,
  type ModelSize,
  type Phase,
} from '../config/config';
import { maskOf } from '../mask/masks';
import { objectiveOf } from './objectives';

/** Trained parameters of a model by part; `positions` are the two fixed tables. */
export interface ParameterCount {
  readonly encoder: number;
  /** The linear layers from the encoder's width to the decoder's, one a branch. */
  readonly decoderEmbed: number;
  readonly decoder: number;
  /** Sum of the above. */
  readonly trained: number;
  readonly positions: number;
}

/**
 * Counts the parameters of an MAE (`branches` 1) or an i-MAE, as the published checkpoints hold them: patch embedding,
 * class token, blocks and norm of the encoder; mask token, blocks, norm and prediction of the decoder.
 */
export function countParameters(size: ModelSize, branches: 1 | 2): ParameterCount {
  const { channels, patch, dim, depth, decoderDim, decoderDepth } = size;
  const patchValues = channels * patch ** 2;
  const encoder = linear(patchValues, dim) + dim + depth * block(dim) + 2 * dim;
  const decoderEmbed = branches * linear(dim, decoderDim);
  const decoder = decoderDim + decoderDepth * block(decoderDim) + 2 * decoderDim + linear(decoderDim, patchValues);
  return {
    encoder,
    decoderEmbed,
    decoder,
    trained: encoder + decoderEmbed + decoder,
    positions: (patchCount(size) + 1) * (dim + decoderDim),
  };
}

function linear(inputs: number, outputs: number): number {
  return inputs * outputs + outputs;
}

/** Two LayerNorms, qkv, projection, and an MLP four times as wide. */
function block(dim: number): number {
  return 4 * dim + linear(dim, 3 * dim) + linear(dim, dim) + linear(dim, 4 * dim) + linear(4 * dim, dim);
}

/** What a training step computes on. */
export interface StepShape {
  readonly size: ModelSize;
  readonly branches: 1 | 2;
  readonly maskRatio: number;
  /** Images a step. */
  readonly batch: number;
  /** Masks under which each image is seen; one by default. */
  readonly masks?: number;
  /** The size of a frozen teacher that looks at whole images to say what is hidden. */
  readonly guide?: ModelSize;
  /** The size of the frozen teacher that gives targets in the step. */
  readonly teacher?: ModelSize;
  /** Whether it sees the mixture once, not an image a branch. */
  readonly teacherSeesMixture?: boolean;
  /** Whether of each trained block only the input is kept, and the rest computed once more. */
  readonly recompute?: boolean;
  /** In what activations are stored where products read them, and a copy of the weights; f32, without a copy, by default. */
  readonly precision?: Precision;
}

/** What a step of a phase computes on, all micro-batches together. */
export function stepShape(config: Config, phase: Phase): StepShape {
  const { branches, masks } = objectiveOf(config, phase);
  const imae = phase === 'imae';
  const weights = distillationWeights(config);
  const distils = imae && (weights.subordinate > 0 || weights.dominant > 0);
  return {
    size: phase === 'teacher' ? teacherSize(config) : studentSize(config),
    branches,
    maskRatio: config.masking.maskRatio,
    batch: config.training.batch,
    masks,
    ...(maskOf(config, phase) === 'attention' ? { guide: teacherSize(config) } : {}),
    recompute: config.training.recompute === 'blocks',
    ...(distils ? { teacher: teacherSize(config), teacherSeesMixture: config.imae.teacherInput === 'mixed' } : {}),
    precision: config.device.precision,
  };
}

/**
 * Model arithmetic of a training step, in floating-point operations, by the usual rule: 6 × parameters × tokens for
 * what is trained, 2 × for the frozen teacher, which sees an image a branch or the mixture, and the mixture where it says what is
 * hidden; the products of attention count by half. Only the blocks count: embeddings, norms, losses and the optimizer do not, nor
 * what is computed a second time.
 */
export function stepFlops({
  size,
  branches,
  maskRatio,
  batch,
  masks = 1,
  teacher,
  teacherSeesMixture,
  guide,
}: StepShape): number {
  const visible = visiblePatches(size, maskRatio) + 1;
  const all = patchCount(size) + 1;
  const encoder = blocksForward(size.dim, size.depth, visible);
  const decoder = blocksForward(size.decoderDim, size.decoderDepth, all);
  const target = teacher ? blocksForward(teacher.dim, teacher.depth, visible) : 0;
  const looks = guide ? blocksForward(guide.dim, guide.depth, all) : 0;
  const targets = (teacherSeesMixture ? 1 : branches) * target;
  return batch * (6 * masks * (encoder + branches * decoder) + 2 * targets + 2 * looks);
}

/** Model arithmetic of all steps of a run, by the same rule. */
export function runFlops(config: Config, trainingImages: number): number {
  const ofPhase = (phase: Phase): number =>
    planPhase(config, phase, trainingImages).steps * stepFlops(stepShape(config, phase));
  return phasesOf(config).reduce((sum, phase) => sum + ofPhase(phase), 0);
}

/** Multiplications (pairs with their additions) of blocks on one sequence. */
function blocksForward(dim: number, depth: number, tokens: number): number {
  return 12 * dim * dim * depth * tokens + (4 * dim * tokens ** 2 * depth) / 2;
}

/** Bytes of GPU memory that a run takes, by part. */
export interface MemoryEstimate {
  /** Weights, gradients and AdamW's two moments of the student: four arenas of f32, and in f16 one of f16. */
  readonly parameters: number;
  readonly teacher: number;
  readonly images: number;
  readonly activations: number;
  readonly total: number;
}

/** What the backward pass of a block reads, in widths a token. */
const BLOCK_WIDTHS = 16;
/** Of them, those of the residual stream, which is f32 in any precision. */
const STREAM_WIDTHS = 3;

/**
 * Estimates the GPU memory of training, roughly: the activations are what the backward pass of each block reads plus the
 * batch's images and targets, and the predictions with their gradients; where blocks are computed twice, it is the input of
 * each, and the insides and the gradient of the largest, by when the predictions are gone. In f16, all but the residual stream takes half. Workspace and rounding of buffers are left out.
 *
 * @param shape with `batch` the images of one micro-batch
 * @param imageBytes size of the resident image set, 0 where it is streamed
 */
export function estimateMemory(shape: StepShape, imageBytes: number): MemoryEstimate {
  const { size, branches, maskRatio, batch, masks = 1, teacher, recompute = false, precision } = shape;
  const encoderBlock = (visiblePatches(size, maskRatio) + 1) * size.dim;
  const decoderBlock = branches * (patchCount(size) + 1) * size.decoderDim;
  const inputs = encoderBlock * size.depth + decoderBlock * size.decoderDepth;
  const isHalf = precision === 'f16';
  const blockBytes = 4 * STREAM_WIDTHS + (isHalf ? 2 : 4) * (BLOCK_WIDTHS - STREAM_WIDTHS);
  const pixels = size.channels * size.image ** 2;
  const images = 4 * (1 + branches) * pixels;
  const predictions = 4 * 2 * branches * pixels;
  const insides = (blockBytes + 4) * Math.max(encoderBlock, decoderBlock);
  const activations =
    images + (recompute ? 4 * inputs + Math.max(insides, predictions) : blockBytes * inputs + predictions);
  const { trained, positions } = countParameters(size, branches);
  const frozen = teacher ? countParameters(teacher, 1) : undefined;
  const copy = isHalf ? 2 : 0;
  const parts = {
    parameters: (16 + copy) * trained + 4 * positions,
    teacher: frozen ? (4 + copy) * (frozen.trained + frozen.positions) : 0,
    images: imageBytes,
    activations: batch * masks * activations,
  };
  return { ...parts, total: parts.parameters + parts.teacher + parts.images + parts.activations };
}

/** Bytes of the largest tensor of a step: the images, or the hidden layer of an MLP, of all branches together. */
function largestTensor({ size, branches, maskRatio, batch, masks = 1, precision }: StepShape): number {
  const visible = visiblePatches(size, maskRatio) + 1;
  const all = patchCount(size) + 1;
  const pixels = size.channels * size.image ** 2;
  const element = precision === 'f16' ? 2 : 4;
  return (
    batch *
    masks *
    Math.max(4 * 2 * pixels, element * visible * 4 * size.dim, element * branches * all * 4 * size.decoderDim)
  );
}

/**
 * What to change where a phase does not fit: blocks that are computed twice where that is enough, else the fewest
 * micro-batches that should be, else a smaller model.
 *
 * @param room bytes that there are, `Infinity` where nobody knows, and bytes that a kernel can be given at once
 * @param short which of the two was too little
 */
export function adviseOnMemory(
  config: Config,
  phase: Phase,
  trainingImages: number,
  room: { readonly budget: number; readonly binding: number },
  short: keyof typeof room,
): string {
  const { batch, accumulate } = config.training;
  const shape = stepShape(config, phase);
  const setBytes = trainingImages * shape.size.channels * shape.size.image ** 2;
  const counts = Array.from({ length: batch }, (_, index) => index + 1).filter((count) => batch % count === 0);
  const fewest = (from: number, recompute = shape.recompute ?? false): number | undefined =>
    counts.find((count) => {
      const part = { ...shape, batch: batch / count, recompute };
      return count >= from && estimateMemory(part, setBytes).total < room.budget && largestTensor(part) <= room.binding;
    });
  const enough = fewest(accumulate + 1);
  const recomputing = shape.recompute ? undefined : fewest(short === 'budget' ? accumulate : accumulate + 1, true);
  const parts = (count: number): string => `the same batch of ${batch} images, computed ${batch / count} at a time`;
  if (recomputing !== undefined && recomputing <= accumulate) {
    const other = enough === undefined ? '' : `Or --accumulate ${enough}: ${parts(enough)}. `;
    return `Give --recompute blocks: the same bits from less memory, for up to a third more work. ${other}Else a smaller --batch or model.`;
  }
  if (enough !== undefined) {
    const fewer =
      recomputing !== undefined && recomputing < enough ? ` With --recompute blocks, ${recomputing} will do.` : '';
    return `Give --accumulate ${enough}: ${parts(enough)}.${fewer} Else a smaller --batch or model.`;
  }
  if (recomputing !== undefined) {
    return `Give --recompute blocks --accumulate ${recomputing}: ${parts(recomputing)}, for up to a third more work. Else a smaller model.`;
  }
  const { dim, decoderDim } = shape.size;
  const weightsFit =
    estimateMemory({ ...shape, batch: 0 }, setBytes).total < room.budget &&
    16 * Math.max(dim, decoderDim) ** 2 <= room.binding;
  return `Give a smaller model (--dim, --depth)${weightsFit ? ', larger patches (--patch) or a smaller --batch' : ''}.`;
}
