import source from '../../shaders/add.wgsl';
import { workgroupRow } from '../gpu/recording';
import { kernelsOf } from '../gpu/shader';
import { graphOf } from '../tensor/graph';
import type { Tensor } from '../tensor/tensor';
import { addBroadcast } from './binary';

const kernels = kernelsOf('add', source, ['add']);

/** a + b, broadcast, f32. @throws EngineError `bad-shape` where the shapes can't be stretched to one */
export function add(a: Tensor, b: Tensor): Tensor<'f32'> {
  if (a.shape.join() !== b.shape.join()) return addBroadcast(a, b);
  const graph = graphOf('add', a, b);
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
