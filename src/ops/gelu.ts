import source from '../../shaders/gelu.wgsl';
import { workgroupRow } from '../gpu/recording';
import { kernelsOf } from '../gpu/shader';
import { graphOf } from '../tensor/graph';
import type { Shape } from '../tensor/shape';
import type { Float, Tensor } from '../tensor/tensor';
import { assertChoice, assertType } from './patchIndices';
import { geluTanh } from './unary';

const kernels = kernelsOf('gelu', source, ['geluForward', 'geluBackward']);

/**
 * x·Φ(x), the GELU of each element (Hendrycks and Gimpel 2016), f32, of any shape.
 *
 * @param x f32, of any shape
 * @param options which form
 * @param options.approximate `tanh`: x·½(1 + tanh(√(2/π)·(x + 0.044715·x³))); `none`, by default: the exact one
 * @returns f32, of x's shape
 * @throws EngineError `bad-shape` for another type than f32, or another word
 */
export function gelu<S extends Shape>(
  x: Tensor<Float, S>,
  { approximate = 'none' }: { readonly approximate?: 'none' | 'tanh' } = {},
): Tensor<'f32', S> {
  if (approximate === 'tanh') return geluTanh(x);
  assertChoice('gelu', 'approximate', approximate, ['none', 'tanh']);
  assertType('gelu', 'x', x, 'f32');
  const graph = graphOf('gelu', x);
  const y = graph.empty('gelu', x.shape, 'f32', x.requiresGrad);
  const VEC = x.size > 0 && x.size % 4 === 0;
  const cells = VEC ? x.size / 4 : x.size;
  const uniforms = { cells };
  const workgroups = workgroupRow(Math.ceil(cells / 64));
  graph.dispatch({ kernel: kernels.geluForward, params: { VEC }, uniforms, bindings: { x, y }, workgroups });
  graph.record('gelu', [y], (gradients) => {
    const dy = gradients.of(y);
    const dx = gradients.into(x);
    if (!dy || !dx) return;
    graph.dispatch({
      kernel: kernels.geluBackward,
      params: { ACCUMULATE: dx.accumulate, VEC },
      uniforms,
      bindings: { x, dy, dx: dx.out },
      workgroups,
    });
  });
  return y;
}
