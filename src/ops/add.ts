import source from '../../shaders/add.wgsl';
import { workgroupRow } from '../gpu/recording';
import { kernelsOf } from '../gpu/shader';
import { graphOf } from '../tensor/graph';
import { Tensor } from '../tensor/tensor';
import { addBroadcast, type Arithmetic } from './binary';

const kernels = kernelsOf('add', source, ['add']);

/**
 * a + b, broadcast. f32 of one shape go by a kernel of their own, and their gradient is passed on as it is. As
 * `torch.add`.
 *
 * @throws EngineError `bad-shape` where the shapes can't be stretched to one, or an operand is of another type
 */
export const add: Arithmetic = (a: Tensor | number, b: Tensor | number): Tensor<never, never> => {
  const isAlike = isFloat(a) && isFloat(b) && a.shape.join() === b.shape.join();
  const sum = isAlike ? addAlike(a, b) : addBroadcast(a as Tensor, b);
  return sum as Tensor<never, never>; // of the type and shape that the signature at hand says
};

/** The types say no more: whole numbers come here as well. */
const isFloat = (operand: Tensor | number): operand is Tensor =>
  operand instanceof Tensor && !['i32', 'u32'].includes(operand.dtype);

function addAlike(a: Tensor, b: Tensor): Tensor {
  const graph = graphOf('add', a, b);
  const out = graph.empty('add', a.shape, 'f32', a.requiresGrad || b.requiresGrad);
  const VEC = a.size % 4 === 0;
  const cells = VEC ? a.size / 4 : a.size;
  graph.dispatch({
    kernel: kernels.add,
    params: { VEC },
    uniforms: { cells },
    bindings: { a, b, out },
    workgroups: workgroupRow(Math.ceil(cells / 256)),
  });
  graph.record('add', [out], (gradients) => {
    const dOut = gradients.of(out);
    if (!dOut) return;
    gradients.pass(a, dOut);
    gradients.pass(b, dOut);
  });
  return out;
}
