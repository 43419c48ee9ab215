import type { ParamValues } from '../gpu/expression';
import { workgroupRow } from '../gpu/recording';
import type { Kernel } from '../gpu/shader';
import { graphOf } from '../tensor/graph';
import type { Shape } from '../tensor/shape';
import type { Float, Tensor } from '../tensor/tensor';
import { assertType } from './patchIndices';

/**
 * y = f(x) of each element, with dx = f′(x)·dy.
 *
 * @param kernels of f and of its gradient, as relu.wgsl has them
 * @param x f32, of any shape
 * @param own parameters of the kernels beside VEC and ACCUMULATE
 * @param sizes uniforms beside `cells`
 * @returns f32, of x's shape
 * @throws EngineError `bad-shape` for another type
 */
export function elementwise<S extends Shape>(
  name: string,
  [forward, backward]: readonly [Kernel, Kernel],
  x: Tensor<Float, S>,
  own: ParamValues = {},
  sizes: Readonly<Record<string, number>> = {},
): Tensor<'f32', S> {
  const graph = graphOf(name, x);
  assertType(name, 'x', x, 'f32');
  const y = graph.empty(name, x.shape, 'f32', x.requiresGrad);
  const VEC = x.size > 0 && x.size % 4 === 0;
  const params = { ...own, VEC };
  const uniforms = { ...sizes, cells: VEC ? x.size / 4 : x.size };
  const workgroups = workgroupRow(Math.ceil(uniforms.cells / 64));
  graph.dispatch({ kernel: forward, params, uniforms, bindings: { x, y }, workgroups });
  graph.record(name, [y], (gradients) => {
    const dy = gradients.of(y);
    const dx = gradients.into(x);
    if (!dy || !dx) return;
    const bindings = { x, dy, dx: dx.out };
    graph.dispatch({
      kernel: backward,
      params: { ...params, ACCUMULATE: dx.accumulate },
      uniforms,
      bindings,
      workgroups,
    });
  });
  return y;
}
