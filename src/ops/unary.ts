import gelu from '../../shaders/gelu.wgsl';
import logarithm from '../../shaders/logarithm.wgsl';
import source from '../../shaders/unary.wgsl';
import { EngineError } from '../gpu/errors';
import { kernelsOf } from '../gpu/shader';
import type { Shape } from '../tensor/shape';
import type { Float, Tensor } from '../tensor/tensor';
import { elementwise } from './elementwise';
import { assertNumber } from './patchIndices';

const kernels = kernelsOf('unary', source, ['unaryForward', 'unaryBackward'], { gelu, logarithm });

/**
 * A function of each element.
 *
 * @param x f32, of any shape
 * @returns f32, of x's shape
 * @throws EngineError `bad-shape` for another type
 */
type Unary = <S extends Shape>(x: Tensor<Float, S>) => Tensor<'f32', S>;

/**
 * @param FUNCTION its number in the shader
 * @param p what some functions are given beside x, `q` likewise: see the shader
 */
function apply<S extends Shape>(name: string, FUNCTION: number, x: Tensor<Float, S>, p = 0, q = 0): Tensor<'f32', S> {
  return elementwise(name, [kernels.unaryForward, kernels.unaryBackward], x, { FUNCTION }, { p, q });
}

/* @__NO_SIDE_EFFECTS__ */
function unary(name: string, FUNCTION: number): Unary {
  return (x) => apply(name, FUNCTION, x);
}

/** −x, as `torch.neg`. */
export const neg = unary('neg', 0);
/** |x|; its gradient at 0 is 0. As `torch.abs`. */
export const abs = unary('abs', 1);
/** x², as `torch.square`. */
export const square = unary('square', 2);
/** √x; NaN or undefined below 0, as WGSL has it. As `torch.sqrt`. */
export const sqrt = unary('sqrt', 3);
/** 1/√x, as `torch.rsqrt`. */
export const rsqrt = unary('rsqrt', 4);
/** 1/x, as `torch.reciprocal`. */
export const reciprocal = unary('reciprocal', 5);
/** eˣ, as `torch.exp`. */
export const exp = unary('exp', 6);
/** ln x, as `torch.log`. */
export const log = unary('log', 7);
/** sin x, x in radians; to f32's last bits for |x| ≤ 8192. As `torch.sin`. */
export const sin = unary('sin', 8);
/** cos x, x in radians; to f32's last bits for |x| ≤ 8192. As `torch.cos`. */
export const cos = unary('cos', 9);
/** The hyperbolic tangent, as `torch.tanh`. */
export const tanh = unary('tanh', 10);
/** 1/(1 + e⁻ˣ), as `torch.sigmoid`. */
export const sigmoid = unary('sigmoid', 11);
/** x/(1 + e⁻ˣ) (Elfwing et al. 2017), also called swish. */
export const silu = unary('silu', 13);
/** ln(1 + eˣ), as `F.softplus`. */
export const softplus = unary('softplus', 14);
/** The error function: 2/√π·∫₀ˣ e^(−t²) dt. As `torch.erf`. */
export const erf = unary('erf', 15);
/** eˣ − 1, exact near 0, as `torch.expm1`. */
export const expm1 = unary('expm1', 16);
/** ln(1 + x), exact near 0, as `torch.log1p`. */
export const log1p = unary('log1p', 17);
/** 2ˣ, as `torch.exp2`. */
export const exp2 = unary('exp2', 18);
/** The logarithm to base 2; exact for powers of 2. As `torch.log2`. */
export const log2 = unary('log2', 19);
/** tan x, x in radians; to f32's last bits for |x| ≤ 8192. As `torch.tan`. */
export const tan = unary('tan', 20);
/** −1, 0 or 1, and 0 of NaN; its gradient is 0. As `torch.sign`. */
export const sign = unary('sign', 21);
/** The whole number below; its gradient is 0. As `torch.floor`. */
export const floor = unary('floor', 22);
/** The whole number above; its gradient is 0. As `torch.ceil`. */
export const ceil = unary('ceil', 23);
/** The nearest whole number, of two the even one; its gradient is 0. As `torch.round`. */
export const round = unary('round', 24);
/** The whole number towards 0; its gradient is 0. As `torch.trunc`. */
export const trunc = unary('trunc', 25);
/** x·tanh(softplus(x)) (Misra 2019). */
export const mish = unary('mish', 26);
/** ln(sigmoid(x)), exact where sigmoid would be 0, as `F.logsigmoid`. */
export const logSigmoid = unary('logSigmoid', 27);
/** x·Φ(x) by its approximation with tanh: see `gelu`. */
export const geluTanh = unary('geluTanh', 12);

/**
 * x where it is positive, else `negativeSlope`·x (Maas et al. 2013).
 *
 * @param x f32, of any shape
 * @returns f32, of x's shape
 * @throws EngineError `bad-shape` for another type than f32
 */
export function leakyRelu<S extends Shape>(x: Tensor<Float, S>, negativeSlope = 0.01): Tensor<'f32', S> {
  assertNumber('leakyRelu', 'negativeSlope', negativeSlope);
  return apply('leakyRelu', 28, x, negativeSlope);
}

/**
 * x where it is positive, else `alpha`·(eˣ − 1) (Clevert et al. 2015).
 *
 * @param x f32, of any shape
 * @returns f32, of x's shape
 * @throws EngineError `bad-shape` for another type than f32
 */
export function elu<S extends Shape>(x: Tensor<Float, S>, alpha = 1): Tensor<'f32', S> {
  assertNumber('elu', 'alpha', alpha);
  return apply('elu', 29, x, alpha);
}

/** What `clamp` keeps to: one bound at least. */
export type ClampBounds =
  { readonly min: number; readonly max?: number } | { readonly min?: number; readonly max: number };

/**
 * min(max(x, `min`), `max`). Gradients flow where x is within the bounds or on one. NaN stays NaN. As `torch.clamp`.
 *
 * @param x f32, of any shape
 * @returns f32, of x's shape
 * @throws EngineError `bad-shape` for another type than f32, and where there is no bound, or NaN is one
 */
export function clamp<S extends Shape>(x: Tensor<Float, S>, bounds: ClampBounds): Tensor<'f32', S> {
  const { min = -Infinity, max = Infinity } = bounds;
  if ((bounds.min === undefined && bounds.max === undefined) || Number.isNaN(min) || Number.isNaN(max)) {
    const what = `clamp: bounds of min ${bounds.min} and max ${bounds.max}.`;
    throw new EngineError('bad-shape', what, 'Give it a number as min, max or both.');
  }
  return apply('clamp', 30, x, min, max);
}
