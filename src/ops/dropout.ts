import source from '../../shaders/dropout.wgsl';
import philox from '../../shaders/philox.wgsl';
import { EngineError } from '../gpu/errors';
import { workgroupRow } from '../gpu/recording';
import { kernelsOf } from '../gpu/shader';
import { graphOf } from '../tensor/graph';
import type { Shape } from '../tensor/shape';
import type { Float, Tensor } from '../tensor/tensor';
import { assertType } from './patchIndices';

const kernels = kernelsOf('dropout', source, ['dropout'], { philox });

/**
 * Dropout (Srivastava et al. 2014): each element is 0 with probability p, else divided by 1 − p. Each run of the
 * program draws anew; which numbers follows from the program's seed, the run and the order of its calls. In a program
 * that does not train, it is x itself.
 *
 * @param x f32, of any shape
 * @returns f32, of x's shape
 * @throws EngineError `bad-shape` for another type; `bad-program` unless 0 ≤ p ≤ 1
 */
export function dropout<S extends Shape>(x: Tensor<Float, S>, p = 0.5): Tensor<Float, S> {
  const graph = graphOf('dropout', x);
  assertType('dropout', 'x', x, 'f32');
  if (!(p >= 0 && p <= 1)) {
    throw new EngineError('bad-program', `dropout: p is ${p}.`, 'Give a probability, from 0 to 1.');
  }
  if (p === 0 || !graph.trains('dropout')) return x;
  const { key, index, step } = graph.draw();
  const [k0, k1] = key;
  const place = {
    kernel: kernels.dropout,
    uniforms: {
      ...{ count: x.size, threshold: Math.round(p * 2 ** 24), scale: p === 1 ? 0 : 1 / (1 - p) },
      ...{ k0, k1, index },
    },
    workgroups: workgroupRow(Math.ceil(x.size / 256)),
  };
  const y = graph.empty('dropout', x.shape, 'f32', x.requiresGrad);
  graph.dispatch({ ...place, params: { ACCUMULATE: false }, bindings: { x, step, y } });
  graph.record('dropout', [y], (gradients) => {
    const dy = gradients.of(y);
    const dx = gradients.into(x);
    if (!dy || !dx) return;
    graph.dispatch({
      ...place,
      params: { ACCUMULATE: dx.accumulate },
      bindings: { x: dy, step, y: dx.out },
    });
  });
  return y;
}
