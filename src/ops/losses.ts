import source from '../../shaders/losses.wgsl';
import reduce from '../../shaders/reduce.wgsl';
import { EngineError } from '../gpu/errors';
import { workgroupRow } from '../gpu/recording';
import { kernelsOf } from '../gpu/shader';
import { graphOf, type Graph } from '../tensor/graph';
import { formatShape, matchShape, sizeOf, type Shape } from '../tensor/shape';
import type { Float, Scalar, Tensor } from '../tensor/tensor';
import { assertType } from './patchIndices';
import { blocksOf, recordRowSums } from './reduce';

const kernels = kernelsOf('losses', source, ['lossForward', 'lossSums', 'lossBackward'], { reduce });

/** In the order of their numbers in the shader. */
const FUNCTIONS = ['mse', 'l1', 'huber', 'smoothL1', 'bceWithLogits', 'klDiv'] as const;
type Name = (typeof FUNCTIONS)[number];

/** What becomes of the losses of elements: their mean, their sum, or nothing. */
export type LossReduction = 'mean' | 'sum' | 'none';

/**
 * A loss of each element, reduced.
 *
 * @param prediction f32, of any shape
 * @param target f32, of the same shape
 * @returns a scalar; of the prediction's shape for `reduction: 'none'`
 * @throws EngineError `bad-shape` where the shapes differ, for another type than f32, or a word that is no reduction
 */
export interface Loss<Options = unknown> {
  (prediction: Tensor, target: Tensor, options?: Options & { readonly reduction?: 'mean' | 'sum' }): Scalar<'f32'>;
  <S extends Shape>(
    prediction: Tensor<Float, S>,
    target: Tensor,
    options: Options & { readonly reduction: 'none' },
  ): Tensor<'f32', S>;
  (prediction: Tensor, target: Tensor, options?: Options & { readonly reduction?: LossReduction }): Tensor<'f32'>;
}

/** @throws EngineError `bad-shape` for a word that is no reduction */
export function assertReduction(operation: string, reduction: string, known: readonly string[]): void {
  if (known.includes(reduction)) return;
  throw new EngineError(
    'bad-shape',
    `${operation}: '${reduction}' is no reduction.`,
    `Take one of ${known.map((word) => `'${word}'`).join(', ')}.`,
  );
}

interface Elementwise {
  readonly name: Name;
  readonly prediction: Tensor;
  readonly target: Tensor;
  readonly reduction?: LossReduction | 'batchMean' | undefined;
  /** The shader's c. */
  readonly parameter?: number;
  readonly weight?: Tensor | undefined;
}

const REDUCTIONS = ['mean', 'sum', 'none'];

/** What a sum of losses is multiplied with. */
function scaleOf(reduction: string, { shape, size }: Tensor): number {
  return reduction === 'mean' ? 1 / size : reduction === 'batchMean' ? 1 / (shape[0] ?? 1) : 1;
}

/** A loss of each element, reduced. Gradients flow to prediction and target. @throws EngineError `bad-shape` */
export function elementwiseLoss(given: Elementwise): Tensor<'f32'> {
  const { name, prediction, target, weight, reduction = 'mean', parameter = 0 } = given;
  const graph = graphOf(name, prediction, target, weight);
  assertReduction(name, reduction, name === 'klDiv' ? [...REDUCTIONS, 'batchMean'] : REDUCTIONS);
  assertType(name, 'prediction', prediction, 'f32');
  assertType(name, 'target', target, 'f32');
  matchShape(name, 'target', target.shape, prediction.shape);
  const count = prediction.size;
  const isEach = reduction === 'none';
  const y = graph.empty(name, isEach ? prediction.shape : [], 'f32', prediction.requiresGrad || target.requiresGrad);
  const scale = scaleOf(reduction, prediction);
  const params = { FUNCTION: FUNCTIONS.indexOf(name), WEIGHTED: weight !== undefined };
  const uniforms = {
    ...{ count, c: parameter, weights: weight?.size ?? 1 },
    weightStep: weight ? weightStep(name, prediction.shape, weight) : 1,
  };
  const operands = { prediction, truth: target, ...(weight ? { weight } : {}) };
  const workgroups = workgroupRow(Math.ceil(count / 64));
  if (isEach) {
    const bindings = { ...operands, losses: y };
    graph.dispatch({ kernel: kernels.lossForward, params, uniforms, bindings, workgroups });
  } else {
    recordSum(graph, { params, uniforms, operands }, scale, y);
  }
  graph.record(name, [y], (gradients) => {
    const dLoss = gradients.of(y);
    if (!dLoss) return;
    for (const [operand, SECOND] of [
      [prediction, false],
      [target, true],
    ] as const) {
      const into = gradients.into(operand);
      if (!into) continue;
      graph.dispatch({
        kernel: kernels.lossBackward,
        params: { ...params, SECOND, EACH: isEach, ACCUMULATE: into.accumulate },
        uniforms: { ...uniforms, scale },
        bindings: { ...operands, dLoss, gradient: into.out },
        workgroups,
      });
    }
  });
  return y;
}

function recordSum(
  graph: Graph,
  given: {
    readonly params: Readonly<Record<string, number | boolean>>;
    readonly uniforms: Readonly<Record<string, number>> & { readonly count: number };
    readonly operands: Readonly<Record<string, Tensor>>;
  },
  scale: number,
  out: Tensor,
): void {
  const { params, uniforms, operands } = given;
  const blocks = blocksOf(uniforms.count);
  const sums = graph.empty('loss sums', [1, blocks]);
  const bindings = { ...operands, sums };
  graph.dispatch({ kernel: kernels.lossSums, params, uniforms, bindings, workgroups: workgroupRow(blocks) });
  recordRowSums(graph, sums, { rows: 1, width: blocks, scale }, out);
}

/** Neighbours of a tensor that share a weight. @throws EngineError `bad-shape` unless the weights' axes are neighbours in `shape` */
function weightStep(operation: string, shape: Shape, { shape: own, size }: Tensor): number {
  const first = own.findIndex((extent) => extent !== 1);
  const last = own.findLastIndex((extent) => extent !== 1);
  if (first < 0) return 1;
  const offset = shape.length - own.length;
  const axes = own.slice(first, last + 1);
  if (offset >= 0 && axes.every((extent, axis) => extent === shape[offset + first + axis])) {
    return size === 0 ? 1 : sizeOf(shape.slice(offset + last + 1));
  }
  throw new EngineError(
    'bad-shape',
    `${operation}: posWeight has shape ${formatShape(own)}, which can't be stretched to ${formatShape(shape)}.`,
    'Give it the extents of one axis, or of neighbours, and 1 elsewhere.',
  );
}

/**
 * |p − t|. Gradients flow to both; 0 where they are equal. As `F.l1_loss`.
 *
 * @throws EngineError `bad-shape`
 */
export const l1: Loss = ((prediction: Tensor, target: Tensor, options: { reduction?: LossReduction } = {}) =>
  elementwiseLoss({ name: 'l1', prediction, target, ...options })) as Loss;

/** What `huber` may be told. */
export interface HuberOptions {
  /** From which distance on it grows linearly; 1 by default. */
  readonly delta?: number;
}

/**
 * d²/2 for a distance d up to `delta`, δ·(d − δ/2) beyond (Huber 1964). Gradients flow to both.
 *
 * @throws EngineError `bad-shape`, also where delta is not above 0
 */
export const huber: Loss<HuberOptions> = ((
  prediction: Tensor,
  target: Tensor,
  { delta = 1, reduction }: HuberOptions & { reduction?: LossReduction } = {},
) => {
  if (!(delta > 0)) throw new EngineError('bad-shape', `huber: a delta of ${delta}.`, 'Give a number above 0.');
  return elementwiseLoss({ name: 'huber', prediction, target, reduction, parameter: delta });
}) as Loss<HuberOptions>;

/** What `smoothL1` may be told. */
export interface SmoothL1Options {
  /** From which distance on it grows linearly; 1 by default. At 0 it is `l1`. */
  readonly beta?: number;
}

/**
 * d²/(2β) for a distance d below `beta`, d − β/2 beyond (Girshick 2015). Gradients flow to both.
 *
 * @throws EngineError `bad-shape`, also where beta is below 0
 */
export const smoothL1: Loss<SmoothL1Options> = ((
  prediction: Tensor,
  target: Tensor,
  { beta = 1, reduction }: SmoothL1Options & { reduction?: LossReduction } = {},
) => {
  if (!(beta >= 0)) throw new EngineError('bad-shape', `smoothL1: a beta of ${beta}.`, 'Give a number from 0.');
  return elementwiseLoss({ name: 'smoothL1', prediction, target, reduction, parameter: beta });
}) as Loss<SmoothL1Options>;

/** What `bceWithLogits` may be told. */
export interface BceOptions {
  /** A factor of the loss of targets that are 1, such as [C] for classes along the last axis. No gradient flows to it. */
  readonly posWeight?: Tensor;
}

/**
 * Binary cross-entropy of logits with targets from 0 to 1: (1 − t)·x + (1 + (w − 1)·t)·ln(1 + e⁻ˣ). Gradients flow to
 * both. As `F.binary_cross_entropy_with_logits`.
 *
 * @throws EngineError `bad-shape`
 */
export const bceWithLogits: Loss<BceOptions> = ((
  prediction: Tensor,
  target: Tensor,
  { posWeight, reduction }: BceOptions & { reduction?: LossReduction } = {},
) => {
  if (posWeight) assertType('bceWithLogits', 'posWeight', posWeight, 'f32');
  return elementwiseLoss({ name: 'bceWithLogits', prediction, target, reduction, weight: posWeight });
}) as Loss<BceOptions>;

/** As `Loss`, with one more reduction. */
interface KlDiv extends Loss {
  /** `batchMean`: the sum divided by the first extent, which is the divergence that is meant where rows are distributions. */
  (logProbabilities: Tensor, targets: Tensor, options: { readonly reduction: 'batchMean' }): Scalar<'f32'>;
}

/**
 * The divergence of Kullback and Leibler of each element: t·(ln t − p), 0 where t is 0; p are logarithms. Gradients
 * flow to both; that of a target of 0 is NaN, as PyTorch's. As `F.kl_div`.
 *
 * @param logProbabilities f32, of any shape: logarithms
 * @param targets f32, of the same shape: probabilities
 * @returns a scalar; of that shape for `reduction: 'none'`
 * @throws EngineError `bad-shape` where the shapes differ, for another type than f32, or a word that is no reduction
 */
export const klDiv: KlDiv = ((
  prediction: Tensor,
  target: Tensor,
  options: { reduction?: LossReduction | 'batchMean' } = {},
) => elementwiseLoss({ name: 'klDiv', prediction, target, ...options })) as KlDiv;
