import source from '../../shaders/reduceAxes.wgsl';
import type { DeviceTraits } from '../gpu/deviceTraits';
import { EngineError } from '../gpu/errors';
import { workgroupRow } from '../gpu/recording';
import { kernelsOf } from '../gpu/shader';
import type { Graph } from '../tensor/graph';
import { formatShape, sizeOf, type Shape } from '../tensor/shape';
import type { DType, Scalar, Tensor } from '../tensor/tensor';
import { axisOf } from './axes';

/*
 * What reductions over axes share: which axes are taken together, and the dispatches of one reduction and of its gradient. The
 * reductions themselves are in reduce.ts and reductions.ts.
 */

const kernels = kernelsOf('reduceAxes', source, ['reduceAxes', 'reduceAxesBackward']);

/** An axis, or several; what is negative counts from the last. */
export type Axes = number | readonly number[];

/** What a reduction may be told beside its axes. */
export interface ReduceOptions {
  /** Whether axes that are reduced stay, with an extent of 1. */
  readonly keepDim?: boolean;
}

/**
 * A reduction over all axes, or some.
 *
 * @param x f32, of any shape
 * @returns f32: a scalar over all axes, else x's shape without those (with extents of 1 for `keepDim`)
 * @throws EngineError `bad-shape` for an axis that is not there, or comes twice, and for another type than f32
 */
export interface Reduction<Options extends ReduceOptions = ReduceOptions> {
  (x: Tensor): Scalar<'f32'>;
  (x: Tensor, axes: Axes | undefined, options?: Options): Tensor<'f32'>;
}

/** An axis of x, or neighbours taken as one: its extent, and by how much an index moves along it. */
interface Axis {
  readonly size: number;
  readonly step: number;
}

/** How a tensor is seen for a reduction. */
export interface Layout {
  /** Of what comes out. */
  readonly shape: Shape;
  /** Elements of what comes out, and of x for each of them. */
  readonly outputs: number;
  readonly terms: number;
  readonly kept: readonly Axis[];
  readonly reduced: readonly Axis[];
  /** Axes of x, with steps in what comes out: 0 where they are reduced. */
  readonly all: readonly Axis[];
}

function placesOf(operation: string, shape: Shape, axes: Axes): number[] {
  const places = [axes].flat().map((axis) => axisOf(operation, axis, shape));
  if (new Set(places).size === places.length) return places;
  throw new EngineError('bad-shape', `${operation}: axes ${formatShape(places)} name one twice.`, 'Name each once.');
}

/** @param axes all where they are not given @throws EngineError `bad-shape` for an axis that is not there, or there twice */
export function layoutOf(
  operation: string,
  { shape }: Tensor<DType>,
  axes?: Axes,
  { keepDim }: ReduceOptions = {},
): Layout {
  const taken = new Set(axes === undefined ? shape.keys() : placesOf(operation, shape, axes));
  const merged: (Axis & { readonly isReduced: boolean })[] = [];
  let step = 1;
  for (const [axis, size] of [...shape.entries()].toReversed()) {
    if (size === 1) continue;
    const isReduced = taken.has(axis);
    const [next] = merged;
    if (next?.isReduced === isReduced) merged[0] = { ...next, size: size * next.size };
    else merged.unshift({ size, step, isReduced });
    step *= size;
  }
  const [kept, reduced] = [merged.filter((axis) => !axis.isReduced), merged.filter((axis) => axis.isReduced)];
  const all: Axis[] = [];
  let outputs = 1;
  for (const { size, isReduced } of merged.toReversed()) {
    all.unshift({ size, step: isReduced ? 0 : outputs });
    if (!isReduced) outputs *= size;
  }
  const left = shape.flatMap((size, axis) => (taken.has(axis) ? (keepDim ? [1] : []) : [size]));
  return { shape: left, outputs, terms: sizeOf(reduced.map(({ size }) => size)), kept, reduced, all };
}

/** What is combined of each element, as the shader numbers it; from `isExtreme` to `place` by what `about` holds of its output. */
const TERMS = {
  value: 0,
  size: 1,
  unlessZero: 2,
  isZero: 3,
  isSame: 4,
  deviation: 5,
  exponential: 6,
  scaledSquare: 7,
  place: 8,
};
const PLACES = 9;
const COMBINES = { sum: 0, product: 1, max: 2, min: 3, first: 4 };
const STARTS = { sum: 0, product: 1, max: -Infinity, min: Infinity, first: 0 };
const FINISHES = { total: 0, sizedRoot: 1, log: 2, scaledRoot: 3, sized: 4 };
const SLOPES = { one: 0, extreme: 1, product: 2, deviation: 3, standardised: 4, softmax: 5, unit: 6 };

export interface Combination {
  readonly term?: keyof typeof TERMS;
  readonly combine?: keyof typeof COMBINES;
  readonly finish?: keyof typeof FINISHES;
  /** A factor of the total, before it is finished. */
  readonly scale?: number;
  /** Of each output a number that its terms, or what finishes it, need. */
  readonly about?: Tensor;
  /** Of each output the size of its terms, for `deviation` and the `sized` ends. */
  readonly size?: Tensor;
}

interface Work {
  readonly lanes: number;
  readonly isRows: boolean;
  readonly chunk: number;
  readonly chunks: number;
}

/** How work is shared out: enough invocations, each with a sum that is short. It follows from the shapes, but for software. */
function workOf({ outputs, terms, kept, reduced }: Omit<Layout, 'shape' | 'all'>, { software }: DeviceTraits): Work {
  const lastKept = kept.at(-1);
  const lastReduced = reduced.at(-1);
  const isRows = !lastKept || (lastReduced !== undefined && lastReduced.step < lastKept.step);
  const width = lastReduced?.size ?? 1;
  let lanes = 1;
  if (!software) {
    if (isRows) lanes = width >= 1024 ? 64 : width >= 128 ? 16 : 4;
    else while (lanes < 64 && 64 / lanes >= 2 * lastKept.size) lanes *= 2;
  }
  while (lanes < 64 && lanes * outputs < 64 && lanes < terms) lanes *= 2;
  let each = software ? 256 : 32;
  while (each < 256 && each * 32768 < outputs * terms) each *= 2;
  const chunk = terms <= 2 * lanes * each ? Math.max(1, terms) : lanes * each;
  return { lanes, isRows, chunk, chunks: Math.max(1, Math.ceil(terms / chunk)) };
}

const named = (prefix: string, axes: readonly Axis[]): Record<string, number> =>
  Object.fromEntries(
    axes.flatMap(({ size, step }, k) => [
      [`${prefix}${k}`, size],
      [prefix === 'size' ? `step${k}` : `${prefix}Step${k}`, step],
    ]),
  );

/** At least one axis: the shader takes the first without a division. */
const some = (axes: readonly Axis[]): readonly Axis[] => (axes.length > 0 ? axes : [{ size: 1, step: 0 }]);

/** What is reduced, and to what. */
interface Reducing {
  readonly x: Tensor<DType>;
  readonly layout: Omit<Layout, 'shape' | 'all'>;
  readonly how: Combination;
  readonly out: Tensor<DType>;
}

/**
 * Appends out[o] = finish(scale · ⊕ₜ term(x[o, t])), in as many stages as it takes.
 *
 * @param out f32, or u32 for `place`; of `layout.outputs` elements
 */
export function recordReduction(
  graph: Graph,
  x: Tensor<DType>,
  layout: Omit<Layout, 'shape' | 'all'>,
  how: Combination,
  out: Tensor<DType>,
): void {
  graph.byTraits(out.label, (traits) => recordStages(graph, { x, layout, how, out }, traits));
}

function recordStages(graph: Graph, { x, layout, how, out }: Reducing, traits: DeviceTraits): void {
  const { combine = 'sum', finish = 'total', about, size, scale = 1 } = how;
  const term = x.dtype === 'u32' ? PLACES : TERMS[how.term ?? 'value'];
  const { outputs, terms } = layout;
  const { lanes, isRows, chunk, chunks } = workOf(layout, traits);
  const isLast = chunks === 1;
  const FINISH = FINISHES[isLast ? finish : 'total'];
  const isAbout =
    (term >= TERMS.isSame && term <= TERMS.place) || FINISH === FINISHES.log || FINISH === FINISHES.scaledRoot;
  const isSized = term === TERMS.deviation || FINISH === FINISHES.sizedRoot || FINISH === FINISHES.sized;
  const [kept, reduced] = [some(layout.kept), some(layout.reduced)];
  const sums = isLast ? out : graph.empty('partial results', [chunks, outputs], out.dtype);
  graph.dispatch({
    kernel: kernels.reduceAxes,
    params: {
      ...{ TERM: term, COMBINE: COMBINES[combine], FINISH, ABOUT: isAbout, SIZED: isSized },
      ...{ KEPT: kept.length, REDUCED: reduced.length },
    },
    uniforms: {
      ...{ outputs, terms, chunk, chunks, lanes, start: STARTS[combine], scale: isLast ? scale : 1 },
      ...(isRows ? { laneStep: 1, columnStep: lanes } : { laneStep: 64 / lanes, columnStep: 1 }),
      ...named('kept', kept),
      ...named('reduced', reduced),
    },
    bindings: { x, sums, ...(isAbout && about ? { about } : {}), ...(isSized && size ? { size } : {}) },
    workgroups: workgroupRow(Math.ceil(outputs / (64 / lanes)) * chunks),
  });
  if (isLast) return;
  const chunked = [{ size: chunks, step: outputs }];
  const whole = outputs > 1 ? [{ size: outputs, step: 1 }] : [];
  const rest = { outputs, terms: chunks, kept: whole, reduced: chunked };
  recordStages(graph, { x: sums, layout: rest, how: { ...how, term: 'value' }, out }, traits);
}

/** How a gradient of one output becomes those of its terms. */
export interface Slope {
  readonly slope: keyof typeof SLOPES;
  readonly scale?: number;
  /** Of each output, what the slope needs: see the shader. Neither for `one`. */
  readonly a?: Tensor;
  readonly b?: Tensor;
}

/** Appends dx[o, t] (+)= scale · dy[o] · slope(x[o, t]). */
export function recordReductionGradient(
  graph: Graph,
  x: Tensor,
  layout: Layout,
  { slope, scale = 1, a, b }: Slope,
  { dy, dx }: { readonly dy: Tensor; readonly dx: { readonly out: Tensor; readonly accumulate: boolean } },
): void {
  const all = some(layout.all);
  graph.dispatch({
    kernel: kernels.reduceAxesBackward,
    params: { SLOPE: SLOPES[slope], RANK: all.length, ACCUMULATE: dx.accumulate },
    uniforms: { count: x.size, scale, ...named('size', all) },
    bindings: { dy, dx: dx.out, ...(a ? { x, a } : {}), ...(b ? { b } : {}) },
    workgroups: workgroupRow(Math.ceil(x.size / 64)),
  });
}

/** The result of a reduction, with its gradient on the tape. */
export function reduced(
  graph: Graph,
  name: string,
  x: Tensor,
  layout: Layout,
  { how, slopeOf }: { readonly how: Combination; readonly slopeOf: (y: Tensor<'f32'>) => Slope },
): Tensor<'f32'> {
  const y = graph.empty(name, layout.shape, 'f32', x.requiresGrad);
  recordReduction(graph, x, layout, how, y);
  graph.record(name, [y], (gradients) => {
    const dy = gradients.of(y);
    const dx = gradients.into(x);
    if (dy && dx) recordReductionGradient(graph, x, layout, slopeOf(y), { dy, dx });
  });
  return y;
}

/** A number of each output that is not differentiated by itself. */
export function aside(graph: Graph, label: string, x: Tensor, layout: Layout, how: Combination): Tensor<'f32'> {
  const out = graph.empty(label, [layout.outputs]);
  recordReduction(graph, x, layout, how, out);
  return out;
}
