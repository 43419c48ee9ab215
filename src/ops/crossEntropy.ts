import source from '../../shaders/crossEntropy.wgsl';
import reduce from '../../shaders/reduce.wgsl';
import { EngineError } from '../gpu/errors';
import { workgroupRow } from '../gpu/recording';
import { kernelsOf } from '../gpu/shader';
import { graphOf, type Graph } from '../tensor/graph';
import { matchShape } from '../tensor/shape';
import type { DType, Scalar, Tensor } from '../tensor/tensor';
import { assertReduction, type LossReduction } from './losses';
import { assertType } from './patchIndices';
import { lanesFor, recordRowSums } from './reduce';

const kernels = kernelsOf(
  'crossEntropy',
  source,
  ['crossEntropyForward', 'crossEntropyGradient', 'indexEntropyForward', 'indexEntropyMean', 'indexEntropyGradient'],
  { reduce },
);

/** What `nll` may be told. */
export interface NllOptions {
  /** Of the losses of rows their mean, over those that are not ignored ('mean', by default), their sum, or all of them, [B]. */
  readonly reduction?: LossReduction;
  /** Rows of this index count for nothing. */
  readonly ignoreIndex?: number;
}

/** What `crossEntropy` may be told. */
export interface CrossEntropyOptions extends NllOptions {
  /** s, from 0 to 1: (1 − s)·t + s/K takes the place of t (Szegedy et al. 2016). 0 by default. */
  readonly labelSmoothing?: number;
}

/**
 * A loss of each row, reduced.
 *
 * @param logits [B, K] f32; of `nll` logarithms of probabilities
 * @param targets [B] u32; of `crossEntropy` also [B, K] f32
 * @returns a scalar; [B] for `reduction: 'none'`
 */
interface ClassLoss<Targets extends Tensor<DType>, Options> {
  (logits: Tensor, targets: Targets, options?: Options & { readonly reduction?: 'mean' | 'sum' }): Scalar<'f32'>;
  (logits: Tensor, targets: Targets, options?: Options): Tensor<'f32'>;
}

const REDUCTIONS = ['mean', 'sum', 'none'];

/**
 * Cross-entropy of targets with the softmax of logits: −Σ t · logSoftmax(x) of each row; the mean over the batch,
 * unless `reduction` says otherwise. Targets are classes by index, or probabilities. Gradients flow to the logits, and
 * to targets that are probabilities. As `F.cross_entropy`.
 *
 * @param logits [B, K]
 * @param targets [B], u32; or [B, K], f32: one-hot, smoothed or mixed; rows need not sum to 1
 * @returns a scalar, or [B]; NaN where an index is no class and not `ignoreIndex`
 * @throws EngineError `bad-shape`
 */
export const crossEntropy: ClassLoss<Tensor | Tensor<'u32'>, CrossEntropyOptions> = ((
  logits: Tensor,
  targets: Tensor<DType>,
  options: CrossEntropyOptions = {},
) => {
  const { labelSmoothing = 0, ignoreIndex } = options;
  if (!(labelSmoothing >= 0 && labelSmoothing <= 1)) {
    const what = `crossEntropy: a label smoothing of ${labelSmoothing}.`;
    throw new EngineError('bad-shape', what, 'Give a number from 0 to 1.');
  }
  if (isIndices(targets)) return indexEntropy('crossEntropy', logits, targets, options);
  if (ignoreIndex !== undefined) {
    const what = 'crossEntropy: targets that are probabilities have no index to ignore.';
    throw new EngineError('bad-shape', what, 'Give indices (u32), or leave ignoreIndex out.');
  }
  if (targets.dtype !== 'f32') {
    const what = `crossEntropy: targets holds ${targets.dtype}. Class indices are u32, probabilities f32.`;
    throw new EngineError('bad-shape', what, "Declare the input as u32(n), or give to(targets, 'u32').");
  }
  return softEntropy(logits, targets as Tensor, options); // f32, as checked
  // The types say what each reduction gives: a cast, since one function gives all.
}) as ClassLoss<Tensor | Tensor<'u32'>, CrossEntropyOptions>;

/**
 * The negative of the logarithms at the targets' indices: what `crossEntropy` is of `logSoftmax`. Gradients flow to the
 * logarithms. As `F.nll_loss`.
 *
 * @param logProbabilities [B, K]
 * @param targets [B], u32
 * @returns a scalar, or [B], as `crossEntropy`
 * @throws EngineError `bad-shape`
 */
export const nll: ClassLoss<Tensor<'u32'>, NllOptions> = ((
  logProbabilities: Tensor,
  targets: Tensor<'u32'>,
  options: NllOptions = {},
) => {
  assertType('nll', 'targets', targets, 'u32');
  return indexEntropy('nll', logProbabilities, targets, options);
}) as ClassLoss<Tensor<'u32'>, NllOptions>; // as crossEntropy

function isIndices(targets: Tensor<DType>): targets is Tensor<'u32'> {
  return targets.dtype === 'u32';
}

function softEntropy(logits: Tensor, targets: Tensor, options: CrossEntropyOptions): Tensor<'f32'> {
  const { labelSmoothing: smoothing = 0, reduction = 'mean' } = options;
  const graph = graphOf('crossEntropy', logits, targets);
  assertReduction('crossEntropy', reduction, REDUCTIONS);
  const { B: rows, K: width } = matchShape('crossEntropy', 'logits', logits.shape, ['B', 'K']);
  matchShape('crossEntropy', 'targets', targets.shape, [rows, width]);
  const EACH = reduction === 'none';
  const SMOOTHED = smoothing > 0;
  const requiresGrad = logits.requiresGrad || targets.requiresGrad;
  const losses = graph.empty('crossEntropy losses', [rows], 'f32', EACH && requiresGrad);
  const statistics = graph.empty('crossEntropy statistics', [rows, 2]);
  graph.byTraits('crossEntropy', (traits) => {
    const LANES = lanesFor(width, traits);
    graph.dispatch({
      kernel: kernels.crossEntropyForward,
      params: { LANES, SMOOTHED },
      uniforms: { rows, width, smoothing },
      bindings: { logits, targets, losses, statistics },
      workgroups: workgroupRow(Math.ceil((rows * LANES) / 64)),
    });
  });
  const scale = reduction === 'mean' ? 1 / rows : 1;
  const loss = EACH ? losses : graph.empty('crossEntropy', [], 'f32', requiresGrad);
  if (!EACH) recordRowSums(graph, losses, { rows: 1, width: rows, scale }, loss);

  graph.record('crossEntropy', [loss], (gradients) => {
    const dLoss = gradients.of(loss);
    if (!dLoss) return;
    for (const [operand, OF_TARGETS] of [
      [logits, false],
      [targets, true],
    ] as const) {
      const into = gradients.into(operand);
      if (!into) continue;
      graph.dispatch({
        kernel: kernels.crossEntropyGradient,
        params: { ACCUMULATE: into.accumulate, EACH, SMOOTHED, OF_TARGETS },
        uniforms: { count: logits.size, width, scale, smoothing },
        bindings: { logits, targets, statistics, dLoss, gradient: into.out },
        workgroups: workgroupRow(Math.ceil(logits.size / 64)),
      });
    }
  });
  return loss;
}

/** @throws EngineError `bad-shape` unless it fits a target: u32, or the bits of an i32 such as PyTorch's −100 */
function assertIndex(operation: string, ignoreIndex: number): void {
  if (Number.isInteger(ignoreIndex) && ignoreIndex >= -(2 ** 31) && ignoreIndex < 2 ** 32) return;
  const what = `${operation}: ignoreIndex is ${String(ignoreIndex)}.`;
  throw new EngineError('bad-shape', what, 'Give a whole number that a target can be.');
}

/** Of classes by index: of logits (`crossEntropy`), or of logarithms of probabilities (`nll`). */
function indexEntropy(
  name: 'crossEntropy' | 'nll',
  x: Tensor,
  targets: Tensor<'u32'>,
  { labelSmoothing: smoothing = 0, reduction = 'mean', ignoreIndex }: CrossEntropyOptions,
): Tensor<'f32'> {
  const graph = graphOf(name, x, targets);
  const LOGITS = name === 'crossEntropy';
  if (ignoreIndex !== undefined) assertIndex(name, ignoreIndex);
  const operand = LOGITS ? 'logits' : 'logProbabilities';
  assertReduction(name, reduction, REDUCTIONS);
  assertType(name, operand, x, 'f32');
  const { B: rows, K: width } = matchShape(name, operand, x.shape, ['B', 'K']);
  matchShape(name, 'targets', targets.shape, [rows]);
  const EACH = reduction === 'none';
  const losses = graph.empty(`${name} losses`, [rows], 'f32', EACH && x.requiresGrad);
  const weights = graph.empty(`${name} weights`, [rows]);
  const logSums = LOGITS ? { logSums: graph.empty('crossEntropy logSumExp', [rows]) } : {};
  graph.byTraits(name, (traits) => {
    const LANES = LOGITS ? lanesFor(width, traits) : 1;
    graph.dispatch({
      kernel: kernels.indexEntropyForward,
      params: { LANES, LOGITS },
      uniforms: {
        ...{ rows, width, smoothing, outOfRange: NaN },
        ...{ ignores: ignoreIndex === undefined ? 0 : 1, ignoreIndex: ignoreIndex ?? 0 },
      },
      bindings: { logits: x, targets, losses, weights, ...logSums },
      workgroups: workgroupRow(Math.ceil((rows * LANES) / 64)),
    });
  });
  const loss = EACH ? losses : graph.empty(name, [], 'f32', x.requiresGrad);
  const ofKept = reduction === 'mean' && ignoreIndex !== undefined;
  const scale = reduction === 'mean' && !ofKept ? 1 / rows : 1;
  const kept = ofKept ? { kept: recordKeptMean(graph, losses, weights, loss) } : {};
  if (!EACH && !ofKept) recordRowSums(graph, losses, { rows: 1, width: rows, scale }, loss);
  graph.record(name, [loss], (gradients) => {
    const dLoss = gradients.of(loss);
    const dLogits = gradients.into(x);
    if (!dLoss || !dLogits) return;
    graph.dispatch({
      kernel: kernels.indexEntropyGradient,
      params: { LOGITS, ACCUMULATE: dLogits.accumulate, EACH, KEPT: ofKept },
      uniforms: { count: x.size, width, scale, smoothing, outOfRange: NaN },
      bindings: {
        ...{ targets, weights, dLoss, dLogits: dLogits.out },
        ...{ ...(LOGITS ? { logits: x } : {}), ...logSums, ...kept },
      },
      workgroups: workgroupRow(Math.ceil(x.size / 64)),
    });
  });
  return loss;
}

/** Appends the mean over rows of weight 1; NaN of none. @returns how many these are: [] */
function recordKeptMean(graph: Graph, losses: Tensor, weights: Tensor, loss: Tensor): Tensor {
  const [total, kept] = [graph.empty('total loss', []), graph.empty('rows that are kept', [])];
  const layout = { rows: 1, width: losses.size, scale: 1 };
  recordRowSums(graph, losses, layout, total);
  recordRowSums(graph, weights, layout, kept);
  graph.dispatch({ kernel: kernels.indexEntropyMean, bindings: { total, kept, loss }, workgroups: [1] });
  return kept;
}
