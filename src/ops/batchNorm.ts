import source from '../../shaders/batchNorm.wgsl';
import reduce from '../../shaders/reduce.wgsl';
import { EngineError } from '../gpu/errors';
import { workgroupRow } from '../gpu/recording';
import { kernelsOf } from '../gpu/shader';
import { Slice } from '../gpu/storage';
import { graphOf, type Graph } from '../tensor/graph';
import { matchShape, type Shape } from '../tensor/shape';
import type { Float, Tensor } from '../tensor/tensor';
import { assertAffine, channelsOf, recordNormalized, recordStatistics, type Affine, type Sets } from './groupNorm';
import { assertNumber, assertType } from './patchIndices';
import { lanesFor } from './reduce';

const kernels = kernelsOf(
  'batchNorm',
  source,
  ['batchNormStatistics', 'batchNormRunning', 'batchNormApply', 'batchNormSums', 'batchNormBackward'],
  { reduce },
);

/** Mean and unbiased variance of each channel, [C] each, over the batches so far. */
export interface RunningStatistics {
  readonly runningMean: Tensor;
  readonly runningVar: Tensor;
}

/** What `batchNorm` may be told beside its operand and the running statistics. */
export interface BatchNormOptions extends Affine {
  /**
   * Whether to normalise by the batch, and let it move the running statistics; else by those. By default whether the program
   * trains.
   */
  readonly training?: boolean | undefined;
  /** How far a batch moves the running statistics; 0.1 by default. */
  readonly momentum?: number;
  /** 1e-5 by default. */
  readonly eps?: number;
}

/**
 * BatchNorm (Ioffe and Szegedy 2015): each channel is normalised over batch and space, then scaled and shifted.
 *
 * @param x [B, C, ...] f32
 * @param running mean and variance: in training, each run of the program changes them in place
 * @returns f32, of x's shape
 * @throws EngineError `bad-shape`, also for a training batch of one number a channel, which has no variance
 */
export function batchNorm<S extends Shape>(
  x: Tensor<Float, S>,
  { runningMean, runningVar }: RunningStatistics,
  { weight, bias, training, momentum = 0.1, eps = 1e-5 }: BatchNormOptions = {},
): Tensor<'f32', S> {
  const running = { runningMean, runningVar }; // it may be a module, with more in it
  const graph = graphOf('batchNorm', x, runningMean, runningVar, weight, bias);
  assertType('batchNorm', 'x', x, 'f32');
  const { samples, channels, width } = channelsOf('batchNorm', x.shape);
  assertNumber('batchNorm', 'eps', eps, 0);
  assertNumber('batchNorm', 'momentum', momentum);
  const isTraining = training ?? graph.trains('batchNorm');
  for (const [name, given] of Object.entries(running)) {
    assertType('batchNorm', name, given, 'f32');
    matchShape('batchNorm', name, given.shape, [channels]);
    if (isTraining) assertWritable(name, given);
  }
  assertAffine('batchNorm', { weight, bias }, channels);
  if (isTraining && samples * width < 2) {
    const what = 'batchNorm: a batch of 1 has no variance.';
    throw new EngineError('bad-shape', what, 'Train with a batch of 2 or more.');
  }
  if (x.shape.length === 2 && !weight && !bias) return columnNorm(graph, x, running, { isTraining, momentum, eps });
  const form = { sets: channels, count: samples, setStride: 1, rowStride: channels, perSet: 1 };
  const sets: Sets = { samples, channels, width, ...form };
  const statistics = isTraining
    ? recordStatistics(graph, x, sets, { eps, momentum, running })
    : recordRunning(graph, running, channels, eps);
  return recordNormalized(graph, 'batchNorm', { x, weight, bias, statistics }, sets, !isTraining);
}

/** @throws EngineError `bad-program` for running statistics that programs can't write to */
function assertWritable(operand: string, { storage, label }: Tensor): void {
  if (storage instanceof Slice || storage.isState || !storage.initial) return;
  throw new EngineError(
    'bad-program',
    `batchNorm: ${operand} '${label}' is an input, which training can't move.`,
    'Give a tensor of createTensor, a buffer of a module, or { training: false }.',
  );
}

/** Appends mean and 1/σ as the running statistics say them: [2, C]. */
function recordRunning(graph: Graph, running: RunningStatistics, width: number, eps: number): Tensor {
  const statistics = graph.empty('batchNorm statistics', [2, width]);
  graph.dispatch({
    kernel: kernels.batchNormRunning,
    uniforms: { width, eps },
    bindings: { ...running, statistics },
    workgroups: [Math.ceil(width / 64)],
  });
  return statistics;
}

/** That of [B, D] without scale and shift, by kernels of its own: PyTorch's `BatchNorm1d(affine=False)`. */
function columnNorm<S extends Shape>(
  graph: Graph,
  x: Tensor<Float, S>,
  running: RunningStatistics,
  { isTraining, momentum, eps }: { readonly isTraining: boolean; readonly momentum: number; readonly eps: number },
): Tensor<'f32', S> {
  const [rows = 0, width = 0] = x.shape;
  const elements = workgroupRow(Math.ceil(x.size / 64));
  const statistics = isTraining
    ? graph.empty('batchNorm statistics', [2, width])
    : recordRunning(graph, running, width, eps);
  if (isTraining) {
    graph.byTraits('batchNorm', (traits) => {
      const LANES = lanesFor(rows, traits);
      graph.dispatch({
        kernel: kernels.batchNormStatistics,
        params: { LANES },
        uniforms: { rows, width, eps, momentum },
        bindings: { x, ...running, statistics },
        workgroups: workgroupRow(Math.ceil((width * LANES) / 64)),
      });
    });
  }
  const y = graph.empty('batchNorm', x.shape, 'f32', x.requiresGrad);
  graph.dispatch({
    kernel: kernels.batchNormApply,
    uniforms: { count: x.size, width },
    bindings: { x, statistics, y },
    workgroups: elements,
  });
  graph.record('batchNorm', [y], (gradients) => {
    const dy = gradients.of(y);
    const dx = gradients.into(x);
    if (!dy || !dx) return;
    const sums = graph.empty('batchNorm sums', [2, width]);
    if (isTraining) {
      graph.byTraits('batchNorm backward', (traits) => {
        const LANES = lanesFor(rows, traits);
        graph.dispatch({
          kernel: kernels.batchNormSums,
          params: { LANES },
          uniforms: { rows, width },
          bindings: { x, statistics, dy, sums },
          workgroups: workgroupRow(Math.ceil((width * LANES) / 64)),
        });
      });
    }
    graph.dispatch({
      kernel: kernels.batchNormBackward,
      params: { TRAINING: isTraining, ACCUMULATE: dx.accumulate },
      uniforms: { count: x.size, width },
      bindings: { statistics, dy, dx: dx.out, ...(isTraining ? { x, sums } : {}) },
      workgroups: elements,
    });
  });
  return y;
}
