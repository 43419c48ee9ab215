import { EngineError } from '../gpu/errors';
import { graphOf, type Graph } from '../tensor/graph';
import { formatShape } from '../tensor/shape';
import type { DType, Scalar, Tensor } from '../tensor/tensor';
import { assertNumber, assertType } from './patchIndices';
import {
  aside,
  layoutOf,
  recordReduction,
  reduced,
  type Axes,
  type Combination,
  type Layout,
  type ReduceOptions,
  type Reduction,
  type Slope,
} from './reduceAxes';

/** What `variance` and `std` may be told. */
export interface VarianceOptions extends ReduceOptions {
  /** What the number of elements is lessened by before it divides (Bessel's correction); 1 by default. */
  readonly correction?: number;
}

interface Recipe {
  readonly how: Combination;
  readonly slopeOf: (y: Tensor<'f32'>) => Slope;
}

/* @__NO_SIDE_EFFECTS__ */
function reduction<Options extends ReduceOptions>(
  name: string,
  recipeOf: (graph: Graph, x: Tensor, layout: Layout, options: Options | undefined) => Recipe,
): Reduction<Options> {
  // The scalar of all axes is what its type says: a cast, since the shape comes out of numbers.
  return ((x: Tensor, axes?: Axes, options?: Options) => {
    const graph = graphOf(name, x);
    assertType(name, 'x', x, 'f32');
    const layout = layoutOf(name, x, axes, options);
    return reduced(graph, name, x, layout, recipeOf(graph, x, layout, options));
  }) as Reduction<Options>;
}

/** @throws EngineError `bad-shape` where there is nothing to choose from */
function assertTerms(operation: string, { shape }: Tensor<DType>, { terms, outputs }: Layout): void {
  if (terms > 0 || outputs === 0) return;
  const what = `${operation}: x ${formatShape(shape)} has no elements along its axes`;
  throw new EngineError('bad-shape', `${what}: there is nothing to choose.`, 'Give at least one.');
}

/* @__NO_SIDE_EFFECTS__ */
function extreme(name: 'max' | 'min'): Reduction {
  return reduction(name, (graph, x, layout) => {
    assertTerms(name, x, layout);
    return {
      how: { combine: name },
      slopeOf: (y) => ({ slope: 'extreme', a: y, b: aside(graph, 'ties', x, layout, { term: 'isSame', about: y }) }),
    };
  });
}

/**
 * The largest element, over all axes or some, as `torch.amax`: where several are, they share the gradient evenly. NaN
 * where one is NaN.
 *
 * @throws EngineError `bad-shape` also where the axes hold no element
 */
export const max: Reduction = extreme('max');
/** The smallest element: see `max`. As `torch.amin`. */
export const min: Reduction = extreme('min');

/** The product of elements, 1 of none. Its gradient is right where elements are 0. As `torch.prod`. */
export const prod: Reduction = reduction('prod', (graph, x, layout) => ({
  how: { combine: 'product' },
  slopeOf: () => ({
    slope: 'product',
    a: aside(graph, 'product of what is not 0', x, layout, { term: 'unlessZero', combine: 'product' }),
    b: aside(graph, 'zeros', x, layout, { term: 'isZero' }),
  }),
}));

/** ln Σ eˣ, with the largest element taken out first; −∞ of nothing. As `torch.logsumexp`. */
export const logSumExp: Reduction = reduction('logSumExp', (graph, x, layout) => ({
  how: { term: 'exponential', finish: 'log', about: aside(graph, 'maxima', x, layout, { combine: 'max' }) },
  slopeOf: (y) => ({ slope: 'softmax', a: y }),
}));

/** Σ (x − mean)²/(n − correction), or its root, and what their slopes need. */
function deviations(
  name: 'variance' | 'std',
  { graph, x, layout, correction = 1 }: { graph: Graph; x: Tensor; layout: Layout; correction: number | undefined },
): { readonly how: Combination; readonly about: Tensor; readonly scale: number } {
  assertNumber(name, 'correction', correction);
  const about = aside(graph, 'means', x, layout, { scale: 1 / layout.terms });
  const size = aside(graph, 'sizes', x, layout, { term: 'size', combine: 'max' });
  const left = layout.terms - correction;
  const finish = name === 'std' ? 'sizedRoot' : 'sized';
  return { how: { term: 'deviation', finish, about, size, scale: 1 / Math.max(0, left) }, about, scale: 1 / left };
}

/**
 * Σ (x − mean)²/(n − correction), in passes that neither cancel nor overflow; NaN where nothing is left to divide by.
 * As `torch.var`.
 */
export const variance: Reduction<VarianceOptions> = reduction('variance', (graph, x, layout, options) => {
  const { how, about, scale } = deviations('variance', { graph, x, layout, correction: options?.correction });
  return { how, slopeOf: () => ({ slope: 'deviation', a: about, scale: 2 * scale }) };
});

/** The standard deviation: the root of `variance`; its gradient is 0 where it is 0. As `torch.std`. */
export const std: Reduction<VarianceOptions> = reduction('std', (graph, x, layout, options) => {
  const { how, about, scale } = deviations('std', { graph, x, layout, correction: options?.correction });
  return { how, slopeOf: (y) => ({ slope: 'standardised', a: about, b: y, scale }) };
});

/**
 * The 2-norm √Σ x², which does not overflow before it is too large itself; its gradient at 0 is 0. As
 * `torch.linalg.vector_norm`.
 */
export const norm: Reduction = reduction('norm', (graph, x, layout) => {
  const about = aside(graph, 'sizes', x, layout, { term: 'size', combine: 'max' });
  return { how: { term: 'scaledSquare', finish: 'scaledRoot', about }, slopeOf: (y) => ({ slope: 'unit', a: y }) };
});

/**
 * The place of an element, among all or along an axis. It has no gradient.
 *
 * @param x f32, of any shape
 * @returns u32: a scalar, an index into x as one row; along an axis x's shape without it (with an extent of 1 for
 *   `keepDim`)
 * @throws EngineError `bad-shape` for an axis that is not there or holds no element, and for another type than f32
 */
interface ArgExtreme {
  (x: Tensor): Scalar<'u32'>;
  (x: Tensor, axis: number | undefined, options?: ReduceOptions): Tensor<'u32'>;
}

/* @__NO_SIDE_EFFECTS__ */
function argExtreme(name: 'argMax' | 'argMin', combine: 'max' | 'min'): ArgExtreme {
  return ((x: Tensor, axis?: number, options?: ReduceOptions) => {
    const graph = graphOf(name, x);
    assertType(name, 'x', x, 'f32');
    const layout = layoutOf(name, x, axis, options);
    assertTerms(name, x, layout);
    const about = aside(graph, 'extremes', x, layout, { combine });
    const out = graph.empty(name, layout.shape, 'u32');
    recordReduction(graph, x, layout, { term: 'place', combine: 'first', about }, out);
    return out;
  }) as ArgExtreme; // a scalar of all axes, as in `reduction`
}

/**
 * Where the largest element is, the first of several; NaN counts as the largest. It has no gradient. As `torch.argmax`.
 */
export const argMax: ArgExtreme = argExtreme('argMax', 'max');
/**
 * Where the smallest element is, the first of several; NaN counts as the smallest. It has no gradient. As
 * `torch.argmin`.
 */
export const argMin: ArgExtreme = argExtreme('argMin', 'min');
