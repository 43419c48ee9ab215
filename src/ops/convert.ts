import source from '../../shaders/convert.wgsl';
import { EngineError } from '../gpu/errors';
import { workgroupRow } from '../gpu/recording';
import { kernelsOf } from '../gpu/shader';
import { addInPlace } from '../tensor/accumulate';
import { graphOf, type Graph } from '../tensor/graph';
import type { Shape } from '../tensor/shape';
import { arrayOf, takesGradients, type DType, type Float, type Tensor } from '../tensor/tensor';
import { assertList } from './axes';
import { assertType } from './patchIndices';

const kernels = kernelsOf('convert', source, ['convert', 'tell', 'fill']);

/** In the order of their numbers in the shader. */
const TYPES: readonly DType[] = ['f32', 'i32', 'u32'];
/** The types that `to` converts. */
type Convertible = Float | 'i32' | 'u32';

const workgroupsOf = (count: number): [number, number] => workgroupRow(Math.ceil(count / 256));

/**
 * The elements as another type: f32 to i32 and u32 is cut off towards 0 and kept to their range (NaN becomes some
 * number), i32 and u32 to each other keep their bits. f16 is converted to f32 and back. Gradients flow between
 * floating-point types. As `Tensor.to`.
 *
 * @param x of any shape, f32, f16, i32 or u32
 * @returns of x's shape; `x` itself where it is of the type
 * @throws EngineError `bad-shape` where there is no such conversion; `missing-feature` for f16 on a device without it
 */
export function to<D extends Convertible, S extends Shape>(x: Tensor<Convertible, S>, dtype: D): Tensor<D, S> {
  const graph = graphOf('to', x);
  if (isOf(x, dtype)) return x;
  const [FROM, TO] = [TYPES.indexOf(x.dtype), TYPES.indexOf(dtype)];
  const isFloat = [x.dtype, dtype].every((one) => one === 'f32' || one === 'f16');
  const y = graph.empty(`to ${dtype}`, x.shape, dtype, isFloat && x.requiresGrad);
  if (isFloat) {
    addInPlace(graph, y as Tensor, x as Tensor, false); // both are: isFloat
    if (takesGradients(y) && takesGradients(x)) {
      graph.record('to', [y], (gradients) => {
        const dy = gradients.of(y);
        if (dy) gradients.pass(x, dy);
      });
    }
    return y;
  }
  if (FROM < 0 || TO < 0) {
    const fix = 'Convert between f32, i32 and u32, or between f32 and f16.';
    throw new EngineError('bad-shape', `to: '${x.label}' holds ${x.dtype}, which is not converted to ${dtype}.`, fix);
  }
  graph.dispatch({
    kernel: kernels.convert,
    params: { FROM, TO },
    uniforms: { count: x.size, bits: 0 },
    bindings: { x, y },
    workgroups: workgroupsOf(x.size),
  });
  return y;
}

function isOf<D extends DType, S extends Shape>(x: Tensor<DType, S>, dtype: D): x is Tensor<D, S> {
  return x.dtype === dtype;
}

function tell<S extends Shape>(name: string, x: Tensor<Float, S>, FINITE: boolean): Tensor<'u32', S> {
  const graph = graphOf(name, x);
  assertType(name, 'x', x, 'f32');
  const y = graph.empty(name, x.shape, 'u32');
  graph.dispatch({
    kernel: kernels.tell,
    params: { FINITE },
    uniforms: { count: x.size, bits: 0 },
    bindings: { x, y },
    workgroups: workgroupsOf(x.size),
  });
  return y;
}

/**
 * 1 where x is NaN, else 0, as u32, as `torch.isnan`.
 *
 * @param x f32, of any shape
 * @returns u32, of x's shape, without gradient
 * @throws EngineError `bad-shape` for another type than f32
 */
export function isNan<S extends Shape>(x: Tensor<Float, S>): Tensor<'u32', S> {
  return tell('isNan', x, false);
}

/**
 * 1 where x is neither NaN nor infinite, else 0, as u32, as `torch.isfinite`.
 *
 * @param x f32, of any shape
 * @returns u32, of x's shape, without gradient
 * @throws EngineError `bad-shape` for another type than f32
 */
export function isFinite<S extends Shape>(x: Tensor<Float, S>): Tensor<'u32', S> {
  return tell('isFinite', x, true);
}

function fill<D extends DType, S extends Shape>(
  name: string,
  graph: Graph,
  { shape, dtype }: { readonly shape: S; readonly dtype: D },
  value: number,
): Tensor<D, S> {
  if (!TYPES.includes(dtype)) {
    throw new EngineError('bad-shape', `${name}: x holds ${dtype}, not f32, i32 or u32.`, 'Give one of these.');
  }
  const stored = arrayOf(dtype, [value]);
  if (!Object.is(stored[0], value) && !(dtype === 'f32' && typeof value === 'number')) {
    throw new EngineError('bad-shape', `${name}: ${value} is no ${dtype}.`, 'Give a number that the type holds.');
  }
  const y = graph.empty(name, shape, dtype);
  const [bits = 0] = new Uint32Array(stored.buffer);
  const uniforms = { count: y.size, bits };
  graph.dispatch({ kernel: kernels.fill, uniforms, bindings: { y }, workgroups: workgroupsOf(y.size) });
  return y;
}

/**
 * A tensor of f32, each element of which is `value`, as `torch.full`.
 *
 * @returns f32, of the shape given
 * @throws EngineError `bad-shape` where it is no number, or the shape none
 */
export function full<const S extends Shape>(program: Graph, shape: S, value: number): Tensor<'f32', S> {
  assertList('full', 'the shape', shape);
  return fill('full', program, { shape, dtype: 'f32' }, value);
}

/**
 * Each element `value`, of the shape and type of `x`, as `torch.full_like`.
 *
 * @param x f32, i32 or u32, of any shape
 * @returns of x's shape and type, without gradient
 * @throws EngineError `bad-shape` where the type doesn't hold it
 */
export function fullLike<D extends Convertible, S extends Shape>(x: Tensor<D, S>, value: number): Tensor<D, S> {
  return fill('fullLike', graphOf('fullLike', x), x, value);
}

/**
 * Zeros, of the shape and type of `x`, as `torch.zeros_like`.
 *
 * @param x f32, i32 or u32, of any shape
 * @returns of x's shape and type, without gradient
 * @throws EngineError `bad-shape` for f16
 */
export function zerosLike<D extends Convertible, S extends Shape>(x: Tensor<D, S>): Tensor<D, S> {
  return fill('zerosLike', graphOf('zerosLike', x), x, 0);
}

/**
 * Ones, of the shape and type of `x`, as `torch.ones_like`.
 *
 * @param x f32, i32 or u32, of any shape
 * @returns of x's shape and type, without gradient
 * @throws EngineError `bad-shape` for f16
 */
export function onesLike<D extends Convertible, S extends Shape>(x: Tensor<D, S>): Tensor<D, S> {
  return fill('onesLike', graphOf('onesLike', x), x, 1);
}
