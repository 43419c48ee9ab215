import reduce from '../../shaders/reduce.wgsl';
import source from '../../shaders/softmax.wgsl';
import { workgroupRow } from '../gpu/recording';
import { kernelsOf } from '../gpu/shader';
import { graphOf } from '../tensor/graph';
import { rowsOf } from '../tensor/shape';
import type { Tensor } from '../tensor/tensor';
import { lanesFor } from './reduce';

const kernels = kernelsOf('softmax', source, ['softmaxForward', 'softmaxBackward'], { reduce });

/** Softmax over the last axis: of x's shape, each row positive with sum 1. The row's maximum is taken off first. */
export function softmax(x: Tensor): Tensor {
  const graph = graphOf('softmax', x);
  const { rows, width } = rowsOf(x.shape);
  const y = graph.empty('softmax', x.shape, 'f32', x.requiresGrad);
  const LANES = lanesFor(width, graph.engine.traits);
  const workgroups = workgroupRow(Math.ceil((rows * LANES) / 64));
  graph.dispatch({
    kernel: kernels.softmaxForward,
    params: { LANES },
    uniforms: { rows, width },
    bindings: { x, y },
    workgroups,
  });
  graph.record('softmax', [y], (gradients) => {
    const dy = gradients.of(y);
    const dx = gradients.into(x);
    if (!dy || !dx) return;
    graph.dispatch({
      kernel: kernels.softmaxBackward,
      params: { LANES, ACCUMULATE: dx.accumulate },
      uniforms: { rows, width },
      bindings: { y, dy, dx: dx.out },
      workgroups,
    });
  });
  return y;
}
