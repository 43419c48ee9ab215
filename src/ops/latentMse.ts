import source from '../../shaders/latentMse.wgsl';
import reduce from '../../shaders/reduce.wgsl';
import { EngineError } from '../gpu/errors';
import { workgroupRow } from '../gpu/recording';
import { kernelsOf } from '../gpu/shader';
import { graphOf, type Graph } from '../tensor/graph';
import { matchShape } from '../tensor/shape';
import type { Tensor } from '../tensor/tensor';
import { blocksOf, recordRowSums } from './reduce';
import type { Target } from './splitKReduce';

const kernels = kernelsOf('latentMse', source, ['latentMseSums', 'latentMseGradient'], { reduce });

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
  const loss = graph.empty('latentMse', [branches], 'f32', z.requiresGrad);
  recordMeanSquares(graph, z, target, loss);
  graph.record('latentMse', [loss], (gradients) => {
    const dLoss = gradients.of(loss);
    const dz = gradients.into(z);
    if (dLoss && dz) recordMeanSquaresGradient(graph, { z, teacher: target, dLoss }, dz);
  });
  return loss;
}

/** Elements of a branch, and whether its rows are whole cells of four. */
function layoutOf(z: Tensor, loss: Tensor): { readonly width: number; readonly VEC: boolean } {
  const width = z.size / loss.size;
  return { width, VEC: width > 0 && width % 4 === 0 };
}

/** Appends loss[branch] = the mean of (z − target)² over its elements; z: as many branches as `loss` has elements. */
export function recordMeanSquares(graph: Graph, z: Tensor, target: Tensor, loss: Tensor): void {
  const branches = loss.size;
  const { width, VEC } = layoutOf(z, loss);
  const blocks = blocksOf(width);
  const sums = graph.empty('sums of squares', [branches, blocks]);
  graph.dispatch({
    kernel: kernels.latentMseSums,
    params: { VEC },
    uniforms: { branches, width, blocks },
    bindings: { z, teacher: target, sums },
    workgroups: workgroupRow(Math.ceil((branches * blocks) / (VEC ? 4 : 1))),
  });
  recordRowSums(graph, sums, { rows: branches, width: blocks, scale: 1 / width }, loss);
}

/** Appends the gradient of it with respect to z. */
export function recordMeanSquaresGradient(
  graph: Graph,
  { z, teacher, dLoss }: { readonly z: Tensor; readonly teacher: Tensor; readonly dLoss: Tensor },
  { out, accumulate }: Target,
): void {
  const { width, VEC } = layoutOf(z, dLoss);
  const four = VEC ? 4 : 1;
  const cells = z.size / four;
  graph.dispatch({
    kernel: kernels.latentMseGradient,
    params: { ACCUMULATE: accumulate, VEC },
    uniforms: { cells, width: width / four, scale: 2 / width },
    bindings: { z, teacher, dLoss, dz: out },
    workgroups: workgroupRow(Math.ceil(cells / 64)),
  });
}
