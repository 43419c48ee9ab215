import source from '../../shaders/latentMse.wgsl';
import reduce from '../../shaders/reduce.wgsl';
import { EngineError } from '../gpu/errors';
import { workgroupRow } from '../gpu/recording';
import { kernelsOf } from '../gpu/shader';
import { graphOf } from '../tensor/graph';
import { matchShape } from '../tensor/shape';
import type { Tensor } from '../tensor/tensor';
import { blocksOf, recordRowSums } from './reduce';

export const latentMseKernels = kernelsOf('latentMse', source, ['latentMseSums', 'latentMseGradient'], { reduce });

/**
 * The distance of a student's latents from a teacher's: for each branch the mean of (z − target)² over batch, tokens
 * and channels. Gradients flow to z only: the teacher is frozen.
 *
 * @param z [S·B, T, D], S branches one after the other
 * @param target as z
 * @returns [S]
 * @throws EngineError `bad-shape`
 */
export function latentMse(z: Tensor, target: Tensor, branches: number): Tensor {
  const graph = graphOf('latentMse', z, target);
  const { samples } = matchShape('latentMse', 'z', z.shape, ['samples', 'T', 'D']);
  matchShape('latentMse', 'target', target.shape, z.shape);
  if (samples % branches !== 0) {
    throw new EngineError(
      'bad-shape',
      `latentMse: ${samples} samples don't divide into ${branches} branches.`,
      'Give every branch the same batch.',
    );
  }
  const width = z.size / branches;
  const blocks = blocksOf(width);
  const sums = graph.empty('latentMse sums', [branches, blocks]);
  graph.dispatch({
    kernel: latentMseKernels.latentMseSums,
    uniforms: { branches, width, blocks },
    bindings: { z, teacher: target, sums },
    workgroups: workgroupRow(branches * blocks),
  });
  const loss = graph.empty('latentMse', [branches], 'f32', z.requiresGrad);
  recordRowSums(graph, sums, { rows: branches, width: blocks, scale: 1 / width }, loss);

  graph.record('latentMse', [loss], (gradients) => {
    const dLoss = gradients.of(loss);
    const dz = gradients.into(z);
    if (!dLoss || !dz) return;
    graph.dispatch({
      kernel: latentMseKernels.latentMseGradient,
      params: { ACCUMULATE: dz.accumulate },
      uniforms: { count: z.size, width, scale: 2 / width },
      bindings: { z, teacher: target, dLoss, dz: dz.out },
      workgroups: workgroupRow(Math.ceil(z.size / 64)),
    });
  });
  return loss;
}
