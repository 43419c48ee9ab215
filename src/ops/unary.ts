import gelu from '../../shaders/gelu.wgsl';
import source from '../../shaders/unary.wgsl';
import { workgroupRow } from '../gpu/recording';
import { kernelsOf } from '../gpu/shader';
import { graphOf } from '../tensor/graph';
import type { Shape } from '../tensor/shape';
import type { Float, Tensor } from '../tensor/tensor';
import { assertType } from './patchIndices';

const kernels = kernelsOf('unary', source, ['unaryForward', 'unaryBackward'], { gelu });

/** In the order of their numbers in the shader. */
const FUNCTIONS = [
  ...['neg', 'abs', 'square', 'sqrt', 'rsqrt', 'reciprocal', 'exp', 'log', 'sin', 'cos', 'tanh', 'sigmoid'],
  ...['relu', 'silu', 'softplus', 'erf'],
] as const;

/** A function of each element, f32, of any shape. @throws EngineError `bad-shape` for another type */
type Unary = <S extends Shape>(x: Tensor<Float, S>) => Tensor<'f32', S>;

function unary(name: (typeof FUNCTIONS)[number]): Unary {
  const FUNCTION = FUNCTIONS.indexOf(name);
  return (x) => {
    const graph = graphOf(name, x);
    assertType(name, 'x', x, 'f32');
    const y = graph.empty(name, x.shape, 'f32', x.requiresGrad);
    const VEC = x.size % 4 === 0;
    const uniforms = { cells: VEC ? x.size / 4 : x.size };
    const workgroups = workgroupRow(Math.ceil(uniforms.cells / 64));
    const params = { FUNCTION, VEC };
    graph.dispatch({ kernel: kernels.unaryForward, params, uniforms, bindings: { x, y }, workgroups });
    graph.record(name, [y], (gradients) => {
      const dy = gradients.of(y);
      const dx = gradients.into(x);
      if (!dy || !dx) return;
      graph.dispatch({
        kernel: kernels.unaryBackward,
        params: { ...params, ACCUMULATE: dx.accumulate },
        uniforms,
        bindings: { x, dy, dx: dx.out },
        workgroups,
      });
    });
    return y;
  };
}

/** −x */
export const neg = unary('neg');
/** |x|; its gradient at 0 is 0. */
export const abs = unary('abs');
/** x² */
export const square = unary('square');
/** √x; NaN or undefined below 0, as WGSL has it. */
export const sqrt = unary('sqrt');
/** 1/√x */
export const rsqrt = unary('rsqrt');
/** 1/x */
export const reciprocal = unary('reciprocal');
/** eˣ */
export const exp = unary('exp');
/** ln x */
export const log = unary('log');
/** sin x, x in radians; to f32's last bits for |x| ≤ 8192. */
export const sin = unary('sin');
/** cos x, x in radians; to f32's last bits for |x| ≤ 8192. */
export const cos = unary('cos');
/** The hyperbolic tangent. */
export const tanh = unary('tanh');
/** 1/(1 + e⁻ˣ) */
export const sigmoid = unary('sigmoid');
/** max(x, 0); its gradient at 0 is 0. */
export const relu = unary('relu');
/** x/(1 + e⁻ˣ) (Elfwing et al. 2017), also called swish. */
export const silu = unary('silu');
/** ln(1 + eˣ) */
export const softplus = unary('softplus');
/** The error function: 2/√π·∫₀ˣ e^(−t²) dt. */
export const erf = unary('erf');
