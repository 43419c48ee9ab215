import source from '../../shaders/relu.wgsl';
import { kernelsOf } from '../gpu/shader';
import type { Shape } from '../tensor/shape';
import type { Float, Tensor } from '../tensor/tensor';
import { elementwise } from './elementwise';

const kernels = kernelsOf('relu', source, ['reluForward', 'reluBackward']);

/**
 * max(x, 0); its gradient at 0 is 0. NaN stays NaN. As `F.relu`.
 *
 * @param x f32, of any shape
 * @returns f32, of x's shape
 * @throws EngineError `bad-shape` for another type
 */
export function relu<S extends Shape>(x: Tensor<Float, S>): Tensor<'f32', S> {
  return elementwise('relu', [kernels.reluForward, kernels.reluBackward], x);
}
