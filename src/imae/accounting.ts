import type { Precision } from '../tensor/tensor';
import {
  distillationWeights,
  patchCount,
  studentSize,
  teacherSize,
  visiblePatches,
  type Config,
  type ModelSize,
  type Phase,
} from './config';

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
  const decoder =
    decoderDim + decoderDepth * block(decoderDim) + 2 * decoderDim + linear(decoderDim, patchValues);
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
  /** The size of the frozen teacher that gives targets in the step. */
  readonly teacher?: ModelSize;
  /** In what activations are stored where products read them, and a copy of the weights; f32, without a copy, by default. */
  readonly precision?: Precision;
}

/** What a step of a phase computes on, all micro-batches together. */
export function stepShape(config: Config, phase: Phase): StepShape {
  const imae = phase === 'imae';
  const weights = distillationWeights(config);
  const distils = imae && (weights.subordinate > 0 || weights.dominant > 0);
  return {
    size: phase === 'teacher' ? teacherSize(config) : studentSize(config),
    branches: imae && config.imae.branches === 'two-way' ? 2 : 1,
    maskRatio: config.masking.maskRatio,
    batch: config.training.batch,
    ...(distils ? { teacher: teacherSize(config) } : {}),
    precision: config.device.precision,
  };
}

/**
 * Model arithmetic of a training step, in floating-point operations, by the usual rule: 6 × parameters × tokens for
 * what is trained, 2 × for the frozen teacher, which sees an image a branch; the products of attention count by half.
 * Only the blocks count: embeddings, norms, losses and the optimizer do not.
 */
export function stepFlops({ size, branches, maskRatio, batch, teacher }: StepShape): number {
  const visible = visiblePatches(size, maskRatio) + 1;
  const all = patchCount(size) + 1;
  const encoder = blocksForward(size.dim, size.depth, visible);
  const decoder = blocksForward(size.decoderDim, size.decoderDepth, all);
  const target = teacher ? blocksForward(teacher.dim, teacher.depth, visible) : 0;
  return batch * (6 * (encoder + branches * decoder) + 2 * branches * target);
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

/**
 * Estimates the GPU memory of training, roughly: the activations are what the backward pass of each block reads (16
 * widths a token, of which all but the three of the residual stream are f16 in that precision) plus the batch's images, targets and predictions; workspace and rounding of buffers are left out.
 *
 * @param shape with `batch` the images of one micro-batch
 * @param imageBytes size of the resident image set, 0 where it is streamed
 */
export function estimateMemory(shape: StepShape, imageBytes: number): MemoryEstimate {
  const { size, branches, maskRatio, batch, teacher, precision } = shape;
  const visible = visiblePatches(size, maskRatio) + 1;
  const all = patchCount(size) + 1;
  const widths = visible * size.dim * size.depth + branches * all * size.decoderDim * size.decoderDepth;
  const pixels = size.channels * size.image ** 2;
  const { trained, positions } = countParameters(size, branches);
  const frozen = teacher ? countParameters(teacher, 1) : undefined;
  const isHalf = precision === 'f16';
  const copy = isHalf ? 2 : 0;
  const parts = {
    parameters: (16 + copy) * trained + 4 * positions,
    teacher: frozen ? (4 + copy) * (frozen.trained + frozen.positions) : 0,
    images: imageBytes,
    activations: batch * ((isHalf ? 3 * 4 + 13 * 2 : 16 * 4) * widths + 4 * (1 + 3 * branches) * pixels),
  };
  return { ...parts, total: parts.parameters + parts.teacher + parts.images + parts.activations };
}

/** Bytes of the largest tensor of a step: the images, or the hidden layer of an MLP, of all branches together. */
function largestTensor({ size, branches, maskRatio, batch, precision }: StepShape): number {
  const visible = visiblePatches(size, maskRatio) + 1;
  const all = patchCount(size) + 1;
  const pixels = size.channels * size.image ** 2;
  const element = precision === 'f16' ? 2 : 4;
  return batch * Math.max(4 * 2 * pixels, element * visible * 4 * size.dim, element * branches * all * 4 * size.decoderDim);
}

/**
 * What to change where a phase does not fit: the fewest micro-batches that should, else a smaller model.
 *
 * @param room bytes that there are, `Infinity` where nobody knows, and bytes that a kernel can be given at once
 */
export function adviseOnMemory(
  config: Config,
  phase: Phase,
  trainingImages: number,
  room: { readonly budget: number; readonly binding: number },
): string {
  const { batch, accumulate } = config.training;
  const shape = stepShape(config, phase);
  const setBytes = trainingImages * shape.size.channels * shape.size.image ** 2;
  const fits = (parts: number): boolean => {
    const part = { ...shape, batch: batch / parts };
    return estimateMemory(part, setBytes).total < room.budget && largestTensor(part) <= room.binding;
  };
  const parts = Array.from({ length: batch }, (_, index) => index + 1).filter(
    (count) => count > accumulate && batch % count === 0,
  );
  const enough = parts.find(fits);
  if (enough === undefined) {
    const { dim, decoderDim } = shape.size;
    const weightsFit =
      estimateMemory({ ...shape, batch: 0 }, setBytes).total < room.budget && 16 * Math.max(dim, decoderDim) ** 2 <= room.binding;
    return `Give a smaller model (--dim, --depth)${weightsFit ? ', larger patches (--patch) or a smaller --batch' : ''}.`;
  }
  return (
    `Give --accumulate ${enough}: the same batch of ${batch} images, computed ${batch / enough} at a time. ` +
    'Else a smaller --batch or model.'
  );
}
