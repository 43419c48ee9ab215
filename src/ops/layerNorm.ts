import source from '../../shaders/layerNorm.wgsl';
import reduce from '../../shaders/reduce.wgsl';
import { workgroupRow } from '../gpu/recording';
import { kernelsOf } from '../gpu/shader';
import { graphOf } from '../tensor/graph';
import { matchShape, rowsOf } from '../tensor/shape';
import type { Tensor } from '../tensor/tensor';
import { lanesFor } from './reduce';

const kernels = kernelsOf(
  'layerNorm',
  source,
  ['layerNormForward', 'layerNormBackward', 'layerNormParameters', 'layerNormReduce'],
  { reduce },
);

/**
 * LayerNorm over the last axis (Ba et al. 2016).
 *
 * @param x [..., D] f32
 * @param gamma scale [D]
 * @param beta shift [D]
 * @returns of the graph's precision: it is what products read
 * @throws EngineError `bad-shape`
 */
export function layerNorm(x: Tensor, gamma: Tensor, beta: Tensor, eps = 1e-6): Tensor {
  const graph = graphOf('layerNorm', x, gamma, beta);
  const { rows, width } = rowsOf(x.shape);
  matchShape('layerNorm', 'gamma', gamma.shape, [width]);
  matchShape('layerNorm', 'beta', beta.shape, [width]);
  const y = graph.empty(
    'layerNorm',
    x.shape,
    graph.precision,
    [x, gamma, beta].some((input) => input.requiresGrad),
  );
  const mean = graph.empty('layerNorm mean', [rows]);
  const rstd = graph.empty('layerNorm rstd', [rows]);
  const LANES = lanesFor(width, graph.engine.traits);
  const workgroups = workgroupRow(Math.ceil((rows * LANES) / 64));
  graph.dispatch({
    kernel: kernels.layerNormForward,
    params: { LANES, HALF: y.dtype === 'f16' },
    uniforms: { rows, width, eps },
    bindings: { x, gamma, beta, y, mean, rstd },
    workgroups,
  });
  graph.record('layerNorm', [y], (gradients) => {
    const dy = gradients.of(y);
    if (!dy) return;
    const HALF = dy.dtype === 'f16';
    const dGamma = gradients.into(gamma);
    const dBeta = gradients.into(beta);
    if (dGamma && dBeta) {
      // About √rows blocks of about √rows rows: both passes have work for many invocations.
      const blocks = Math.min(256, Math.ceil(Math.sqrt(rows)));
      const partials = graph.empty('layerNorm partials', [blocks, 2, width]);
      graph.dispatch({
        kernel: kernels.layerNormParameters,
        params: { HALF },
        uniforms: { rows, width, rowsPerBlock: Math.ceil(rows / blocks) },
        bindings: { x, mean, rstd, dy, partials },
        workgroups: [Math.ceil(width / 64), blocks],
      });
      graph.dispatch({
        kernel: kernels.layerNormReduce,
        params: { ACCUMULATE: dGamma.accumulate },
        uniforms: { width, blocks },
        bindings: { partials, dGamma: dGamma.out, dBeta: dBeta.out },
        workgroups: [Math.ceil(width / 64)],
      });
    }
    const dx = gradients.into(x);
    if (dx) {
      graph.dispatch({
        kernel: kernels.layerNormBackward,
        params: { LANES, HALF, ACCUMULATE: dx.accumulate },
        uniforms: { rows, width },
        bindings: { x, gamma, mean, rstd, dy, dx: dx.out },
        workgroups,
      });
    }
  });
  return y;
}
