import source from '../../shaders/gelu.wgsl';
import { kernelsOf } from '../gpu/shader';
import type { Shape } from '../tensor/shape';
import type { Float, Tensor } from '../tensor/tensor';
import { elementwise } from './elementwise';
import { assertChoice } from './patchIndices';
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
  return elementwise('gelu', [kernels.geluForward, kernels.geluBackward], x);
}
