import source from '../../shaders/meanPool.wgsl';
import { EngineError } from '../gpu/errors';
import { workgroupRow } from '../gpu/recording';
import { kernelsOf } from '../gpu/shader';
import { graphOf } from '../tensor/graph';
import { matchShape } from '../tensor/shape';
import type { Tensor } from '../tensor/tensor';

const kernels = kernelsOf('meanPool', source, ['meanPoolForward', 'meanPoolBackward']);

/**
 * The mean over the tokens `first` to `first + count` − 1 of each sample.
 *
 * @param x [S, T, D] f32
 * @returns [S, D]
 * @throws EngineError `bad-shape`
 */
export function meanPool(x: Tensor, { first, count }: { readonly first: number; readonly count: number }): Tensor {
  const graph = graphOf('meanPool', x);
  const { S, T: tokens, D: width } = matchShape('meanPool', 'x', x.shape, ['S', 'T', 'D']);
  if (first < 0 || count < 1 || first + count > tokens) {
    throw new EngineError(
      'bad-shape',
      `pool: tokens ${first} to ${first + count - 1} of ${tokens}.`,
      'Name tokens that are there.',
    );
  }
  const sizes = { tokens, width, first, count };
  const y = graph.empty('meanPool', [S, width], 'f32', x.requiresGrad);
  graph.dispatch({
    kernel: kernels.meanPoolForward,
    uniforms: { ...sizes, elements: y.size },
    bindings: { x, y },
    workgroups: workgroupRow(Math.ceil(y.size / 64)),
  });
  graph.record('meanPool', [y], (gradients) => {
    const dy = gradients.of(y);
    const dx = gradients.into(x);
    if (!dy || !dx) return;
    graph.dispatch({
      kernel: kernels.meanPoolBackward,
      params: { ACCUMULATE: dx.accumulate },
      uniforms: { ...sizes, elements: x.size },
      bindings: { dy, dx: dx.out },
      workgroups: workgroupRow(Math.ceil(x.size / 64)),
    });
  });
  return y;
}
