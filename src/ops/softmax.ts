import reduce from '../../shaders/reduce.wgsl';
import source from '../../shaders/softmax.wgsl';
import { workgroupRow } from '../gpu/recording';
import { kernelsOf } from '../gpu/shader';
import { graphOf } from '../tensor/graph';
import { sizeOf, type Shape } from '../tensor/shape';
import type { Float, Tensor } from '../tensor/tensor';
import { axisOf } from './axes';
import { assertType } from './patchIndices';
import { lanesFor } from './reduce';

const kernels = kernelsOf('softmax', source, ['softmaxForward', 'softmaxBackward'], { reduce });

/**
 * A function of the elements along an axis, by default the last.
 *
 * @param x f32, of any shape with that axis
 * @returns f32, of x's shape
 * @throws EngineError `bad-shape` for another type than f32, or an axis that is not there
 */
type Softmax = <S extends Shape>(x: Tensor<Float, S>, axis?: number) => Tensor<'f32', S>;

/* @__NO_SIDE_EFFECTS__ */
function softmaxOf(name: string, LOG: boolean): Softmax {
  return (x, axis = -1) => {
    const graph = graphOf(name, x);
    assertType(name, 'x', x, 'f32');
    // A scalar is a row of one.
    const place = x.shape.length === 0 && axis === -1 ? 0 : axisOf(name, axis, x.shape);
    const width = x.shape[place] ?? 1;
    const inner = sizeOf(x.shape.slice(place + 1));
    const rows = sizeOf(x.shape.slice(0, place)) * inner;
    const y = graph.empty(name, x.shape, 'f32', x.requiresGrad);
    // Neighbouring rows are neighbours in memory where inner is large: then some of a workgroup's must be.
    const most = inner >= 16 ? 4 : inner >= 4 ? 16 : 64;
    const uniforms = { rows, width, inner };
    graph.byTraits(name, (traits) => {
      const LANES = Math.min(most, lanesFor(width, traits));
      graph.dispatch({
        kernel: kernels.softmaxForward,
        params: { LANES, LOG },
        uniforms,
        bindings: { x, y },
        workgroups: workgroupRow(Math.ceil((rows * LANES) / 64)),
      });
    });
    graph.record(name, [y], (gradients) => {
      const dy = gradients.of(y);
      const dx = gradients.into(x);
      if (!dy || !dx) return;
      graph.byTraits(`${name} backward`, (traits) => {
        const LANES = Math.min(most, lanesFor(width, traits));
        graph.dispatch({
          kernel: kernels.softmaxBackward,
          params: { LANES, LOG, ACCUMULATE: dx.accumulate },
          uniforms,
          bindings: { y, dy, dx: dx.out },
          workgroups: workgroupRow(Math.ceil((rows * LANES) / 64)),
        });
      });
    });
    return y;
  };
}

/**
 * Softmax over an axis, by default the last: of x's shape, positive with sum 1 along it. The maximum is taken off
 * first. As `F.softmax`.
 */
export const softmax: Softmax = softmaxOf('softmax', false);

/** The logarithm of `softmax`: x − ln Σ eˣ, right where probabilities are too small for f32. As `F.log_softmax`. */
export const logSoftmax: Softmax = softmaxOf('logSoftmax', true);
