import source from '../../shaders/batchNorm.wgsl';
import reduce from '../../shaders/reduce.wgsl';
import { EngineError } from '../gpu/errors';
import { workgroupRow } from '../gpu/recording';
import { kernelsOf } from '../gpu/shader';
import { graphOf } from '../tensor/graph';
import { matchShape } from '../tensor/shape';
import type { Tensor } from '../tensor/tensor';
import { lanesFor } from './reduce';

const kernels = kernelsOf(
  'batchNorm',
  source,
  ['batchNormStatistics', 'batchNormRunning', 'batchNormApply', 'batchNormSums', 'batchNormBackward'],
  { reduce },
);

export interface BatchNormOptions {
  /** Whether to normalise by the batch, and let it move the running statistics; else by those. */
  readonly training: boolean;
  /** How far a batch moves the running statistics. */
  readonly momentum?: number;
  readonly eps?: number;
}

/**
 * BatchNorm without scale and shift (Ioffe and Szegedy 2015), as PyTorch's `BatchNorm1d(affine=False)`.
 *
 * @param x [B, D] f32
 * @param running [2, D]: mean and unbiased variance; in training, each run of the program changes it in place
 * @throws EngineError `bad-shape`, also for a training batch of one, which has no variance
 */
export function batchNorm(
  x: Tensor,
  running: Tensor,
  { training, momentum = 0.1, eps = 1e-5 }: BatchNormOptions,
): Tensor {
  const graph = graphOf('batchNorm', x, running);
  const { B: rows, D: width } = matchShape('batchNorm', 'x', x.shape, ['B', 'D']);
  matchShape('batchNorm', 'running', running.shape, [2, width]);
  if (training && rows < 2) {
    throw new EngineError('bad-shape', 'batchNorm: a batch of 1 has no variance.', 'Train with a batch of 2 or more.');
  }
  const LANES = lanesFor(rows, graph.engine.traits);
  const columns = workgroupRow(Math.ceil((width * LANES) / 64));
  const elements = workgroupRow(Math.ceil(x.size / 64));
  const statistics = graph.empty('batchNorm statistics', [2, width]);
  if (training) {
    graph.dispatch({
      kernel: kernels.batchNormStatistics,
      params: { LANES },
      uniforms: { rows, width, eps, momentum },
      bindings: { x, running, statistics },
      workgroups: columns,
    });
  } else {
    graph.dispatch({
      kernel: kernels.batchNormRunning,
      uniforms: { width, eps },
      bindings: { running, statistics },
      workgroups: [Math.ceil(width / 64)],
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
    if (training) {
      graph.dispatch({
        kernel: kernels.batchNormSums,
        params: { LANES },
        uniforms: { rows, width },
        bindings: { x, statistics, dy, sums },
        workgroups: columns,
      });
    }
    graph.dispatch({
      kernel: kernels.batchNormBackward,
      params: { TRAINING: training, ACCUMULATE: dx.accumulate },
      uniforms: { count: x.size, width },
      bindings: { statistics, dy, dx: dx.out, ...(training ? { x, sums } : {}) },
      workgroups: elements,
    });
  });
  return y;
}
