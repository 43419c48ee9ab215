import source from '../../shaders/add.wgsl';
import { workgroupRow } from '../gpu/recording';
import { kernelsOf } from '../gpu/shader';
import { graphOf } from '../tensor/graph';
import { matchShape } from '../tensor/shape';
import type { Tensor } from '../tensor/tensor';

const kernels = kernelsOf('add', source, ['add']);

/** a + b, of one shape, f32. */
export function add(a: Tensor, b: Tensor): Tensor {
  const graph = graphOf('add', a, b);
  matchShape('add', 'b', b.shape, a.shape);
  const out = graph.empty('add', a.shape, 'f32', a.requiresGrad || b.requiresGrad);
  graph.dispatch({
    kernel: kernels.add,
    uniforms: { count: a.size },
    bindings: { a, b, out },
    workgroups: workgroupRow(Math.ceil(a.size / 256)),
  });
  graph.record('add', [out], (gradients) => {
    const dOut = gradients.of(out);
    if (!dOut) return;
    gradients.pass(a, dOut);
    gradients.pass(b, dOut);
  });
  return out;
}
