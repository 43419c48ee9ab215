import source from '../../shaders/crossEntropy.wgsl';
import reduce from '../../shaders/reduce.wgsl';
import softmax from '../../shaders/softmax.wgsl';
import { workgroupRow } from '../gpu/recording';
import { kernelsOf } from '../gpu/shader';
import { graphOf } from '../tensor/graph';
import { matchShape } from '../tensor/shape';
import type { Scalar, Tensor } from '../tensor/tensor';
import { lanesFor, recordRowSums } from './reduce';

const kernels = kernelsOf('crossEntropy', source, ['crossEntropyForward', 'crossEntropyGradient'], { reduce, softmax });

/**
 * Cross-entropy of soft targets with the softmax of logits: the mean over the batch of −Σ t · logSoftmax(x). Gradients
 * flow to the logits only.
 *
 * @param logits [B, K]
 * @param targets [B, K], f32: one-hot, smoothed or mixed; rows need not sum to 1
 * @returns a scalar
 * @throws EngineError `bad-shape`
 */
export function crossEntropy(logits: Tensor, targets: Tensor): Scalar<'f32'> {
  const graph = graphOf('crossEntropy', logits, targets);
  const { B: rows, K: width } = matchShape('crossEntropy', 'logits', logits.shape, ['B', 'K']);
  matchShape('crossEntropy', 'targets', targets.shape, [rows, width]);
  const losses = graph.empty('crossEntropy losses', [rows]);
  const statistics = graph.empty('crossEntropy statistics', [rows, 2]);
  const LANES = lanesFor(width, graph.engine.traits);
  graph.dispatch({
    kernel: kernels.crossEntropyForward,
    params: { LANES },
    uniforms: { rows, width },
    bindings: { logits, targets, losses, statistics },
    workgroups: workgroupRow(Math.ceil((rows * LANES) / 64)),
  });
  const loss = graph.empty('crossEntropy', [], 'f32', logits.requiresGrad);
  recordRowSums(graph, losses, { rows: 1, width: rows, scale: 1 / rows }, loss);

  graph.record('crossEntropy', [loss], (gradients) => {
    const dLoss = gradients.of(loss);
    const dLogits = gradients.into(logits);
    if (!dLoss || !dLogits) return;
    graph.dispatch({
      kernel: kernels.crossEntropyGradient,
      params: { ACCUMULATE: dLogits.accumulate },
      uniforms: { count: logits.size, width, scale: 1 / rows },
      bindings: { logits, targets, statistics, dLoss, dLogits: dLogits.out },
      workgroups: workgroupRow(Math.ceil(logits.size / 64)),
    });
  });
  return loss;
}
