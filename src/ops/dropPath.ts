import source from '../../shaders/dropPath.wgsl';
import { EngineError } from '../gpu/errors';
import { workgroupRow } from '../gpu/recording';
import { kernelsOf } from '../gpu/shader';
import { graphOf } from '../tensor/graph';
import { matchShape } from '../tensor/shape';
import type { Tensor } from '../tensor/tensor';

const kernels = kernelsOf('dropPath', source, ['dropPathForward', 'dropPathBackward']);

/** What of a table of scales a branch takes. */
export interface PathScales {
  /** [R, S] f32: 0 where sample s goes without branch r, else 1 / (probability of being kept); no gradient flows to it. */
  readonly scales: Tensor;
  readonly row: number;
}

/**
 * x + scale · branch, the scale of each sample its own: stochastic depth (Huang et al. 2016).
 *
 * @param x [S, ...] f32
 * @param branch as x
 * @throws EngineError `bad-shape`
 */
export function dropPath(x: Tensor, branch: Tensor, { scales, row }: PathScales): Tensor {
  const graph = graphOf('dropPath', x, branch, scales);
  matchShape('dropPath', 'branch', branch.shape, x.shape);
  const [samples = 1] = x.shape;
  const { R } = matchShape('dropPath', 'scales', scales.shape, ['R', samples]);
  if (row < 0 || row >= R)
    throw new EngineError('bad-shape', `dropPath: row ${row} of ${R}.`, 'Name a row that is there.');
  const place = {
    uniforms: { count: x.size, span: x.size / samples, first: row * samples },
    workgroups: workgroupRow(Math.ceil(x.size / 64)),
  };
  const y = graph.empty('dropPath', x.shape, 'f32', x.requiresGrad || branch.requiresGrad);
  graph.dispatch({ ...place, kernel: kernels.dropPathForward, bindings: { x, branch, scales, y } });
  graph.record('dropPath', [y], (gradients) => {
    const dy = gradients.of(y);
    if (!dy) return;
    const dBranch = gradients.into(branch);
    if (dBranch) {
      graph.dispatch({
        ...place,
        kernel: kernels.dropPathBackward,
        params: { ACCUMULATE: dBranch.accumulate },
        bindings: { dy, scales, dBranch: dBranch.out },
      });
    }
    gradients.pass(x, dy);
  });
  return y;
}
