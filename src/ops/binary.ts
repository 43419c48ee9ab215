import source from '../../shaders/binary.wgsl';
import logarithm from '../../shaders/logarithm.wgsl';
import { EngineError } from '../gpu/errors';
import { workgroupRow } from '../gpu/recording';
import { kernelsOf } from '../gpu/shader';
import { graphOf, type Graph } from '../tensor/graph';
import { sizeOf, type Shape } from '../tensor/shape';
import { takesGradients, Tensor, type DType, type Float, type Scalar } from '../tensor/tensor';
import { asTensor, axisUniforms, broadcastShape, cellsOf, stretchedAxes, type StretchedAxis } from './broadcast';
import { assertType } from './patchIndices';
import { reciprocal, rsqrt, sqrt, square } from './unary';

const kernels = kernelsOf('binary', source, ['binaryForward', 'binaryBackward'], { logarithm });

/** In the order of their numbers in the shader; the last two are gradients only. */
const FUNCTIONS = [
  ...['sub', 'mul', 'div', 'pow', 'maximum', 'minimum', 'add'],
  ...['eq', 'ne', 'lt', 'le', 'gt', 'ge', 'logicalAnd', 'logicalOr', 'taken', 'notTaken'],
] as const;
type Name = (typeof FUNCTIONS)[number];

/** In the order of their numbers in the shader. */
const TYPES = ['f32', 'i32', 'u32'] as const satisfies readonly DType[];
/** The types of whole numbers that arithmetic takes. */
type Integer = 'i32' | 'u32';

const ARITHMETIC = ['add', 'sub', 'mul', 'maximum', 'minimum'];
const FLOATS_ONLY = ['div', 'pow'];
const LOGICAL = ['logicalAnd', 'logicalOr'];

/**
 * A function of two f32 tensors, broadcast, or of one and a number. Where both have one shape, or one is a number, the
 * result keeps the shape's type.
 *
 * @param a f32, of any shape, or a number
 * @param b f32, of a shape that stretches to that of `a` or the other way round, or a number
 * @returns f32, of the broadcast shape
 * @throws EngineError `bad-shape` where the shapes can't be stretched to one, or an operand is of another type
 */
export interface FloatBinary {
  <S extends Shape>(a: Tensor<Float, S>, b: Tensor<Float, NoInfer<S>> | Scalar | number): Tensor<'f32', S>;
  <S extends Shape>(a: Scalar | number, b: Tensor<Float, S>): Tensor<'f32', S>;
  (a: Tensor, b: Tensor | number): Tensor<'f32'>;
  (a: Tensor | number, b: Tensor): Tensor<'f32'>;
}

/**
 * The same, or of two tensors of i32 or two of u32, which take no gradients. Integers wrap around.
 *
 * @param a f32, i32 or u32, of any shape, or a number
 * @param b of the same type, of a shape that stretches to that of `a` or the other way round, or a number
 * @returns of that type, of the broadcast shape
 * @throws EngineError `bad-shape` where the shapes can't be stretched to one, or the types differ or are others
 */
export interface Arithmetic extends FloatBinary {
  <D extends Integer, S extends Shape>(
    a: Tensor<D, S>,
    b: Tensor<NoInfer<D>, NoInfer<S>> | Scalar<NoInfer<D>> | number,
  ): Tensor<D, S>;
  <D extends Integer, S extends Shape>(a: Scalar<NoInfer<D>> | number, b: Tensor<D, S>): Tensor<D, S>;
  <D extends Integer>(a: Tensor<D>, b: Tensor<NoInfer<D>>): Tensor<D>;
}

/**
 * Whether something holds of two tensors of one type, f32, i32 or u32, broadcast, or of one and a number: 1 or 0.
 *
 * @param a f32, i32 or u32, of any shape, or a number
 * @param b of the same type, of a shape that stretches to that of `a` or the other way round, or a number
 * @returns u32, of the broadcast shape, without gradient
 * @throws EngineError `bad-shape` where the shapes can't be stretched to one, or the types differ or are others
 */
export interface Comparison {
  <S extends Shape>(a: Tensor<Float, S>, b: Tensor<Float, NoInfer<S>> | Scalar | number): Tensor<'u32', S>;
  <S extends Shape>(a: Scalar | number, b: Tensor<Float, S>): Tensor<'u32', S>;
  (a: Tensor, b: Tensor | number): Tensor<'u32'>;
  (a: Tensor | number, b: Tensor): Tensor<'u32'>;
  <D extends Integer, S extends Shape>(
    a: Tensor<D, S>,
    b: Tensor<NoInfer<D>, NoInfer<S>> | Scalar<NoInfer<D>> | number,
  ): Tensor<'u32', S>;
  <D extends Integer, S extends Shape>(a: Scalar<NoInfer<D>> | number, b: Tensor<D, S>): Tensor<'u32', S>;
  <D extends Integer>(a: Tensor<D>, b: Tensor<NoInfer<D>>): Tensor<'u32'>;
}

/**
 * A function of two tensors of u32, broadcast: 1 or 0. Whatever is not 0 counts as true.
 *
 * @param a u32, of any shape
 * @param b u32, of a shape that stretches to that of `a` or the other way round
 * @returns u32, of the broadcast shape, without gradient
 * @throws EngineError `bad-shape` where the shapes can't be stretched to one, or an operand is of another type
 */
export interface Logical {
  <S extends Shape>(a: Tensor<'u32', S>, b: Tensor<'u32', NoInfer<S>> | Scalar<'u32'>): Tensor<'u32', S>;
  (a: Tensor<'u32'>, b: Tensor<'u32'>): Tensor<'u32'>;
}

type Operand = Tensor<DType> | number;

/** The types that an operation takes. */
function typesOf(name: Name): readonly DType[] {
  if (LOGICAL.includes(name)) return ['u32'];
  return FLOATS_ONLY.includes(name) ? ['f32'] : TYPES;
}

/** The type of whichever operand is a tensor. @throws EngineError `bad-shape` where the operation doesn't take it */
function typeOf(name: Name, a: Operand, b: Operand): (typeof TYPES)[number] {
  const dtype = (a instanceof Tensor ? a : (b as Tensor<DType>)).dtype;
  const taken = typesOf(name);
  const type = TYPES.find((one) => one === dtype && taken.includes(one));
  if (type) return type;
  const what = `${name}: ${a instanceof Tensor ? 'a' : 'b'} holds ${dtype}, not ${taken.join(' or ')}.`;
  throw new EngineError('bad-shape', what, `Give it as a tensor of ${taken.join(' or ')}.`);
}

function record(name: Name, given: { readonly a: Operand; readonly b: Operand }): Tensor<DType> {
  const graph = graphOf(name, ...[given.a, given.b].filter((operand) => operand instanceof Tensor));
  const dtype = typeOf(name, given.a, given.b);
  const a = asTensor({ operation: name, operand: 'a' }, graph, given.a, dtype);
  const b = asTensor({ operation: name, operand: 'b' }, graph, given.b, dtype);
  const shape = broadcastShape(name, a.shape, b.shape);
  const axes = stretchedAxes(shape, [a.shape, b.shape]);
  const { VEC, wide, ...cells } = cellsOf(axes, 2);
  const FUNCTION = FUNCTIONS.indexOf(name);
  const isTruth = !ARITHMETIC.includes(name) && !FLOATS_ONLY.includes(name);
  const y = graph.empty(name, shape, isTruth ? 'u32' : dtype, !isTruth && (a.requiresGrad || b.requiresGrad));
  const count = VEC ? y.size / 4 : y.size;
  graph.dispatch({
    kernel: kernels.binaryForward,
    params: {
      ...{ FUNCTION, TYPE: TYPES.indexOf(dtype), RANK: axes.length, VEC },
      ...{ WIDE_A: wide[0] ?? false, WIDE_B: wide[1] ?? false },
    },
    uniforms: { count, ...axisUniforms(cells.axes, ['a', 'b']) },
    bindings: { a, b, y },
    workgroups: workgroupRow(Math.ceil(count / 64)),
  });
  if (takesGradients(y)) recordBackward(graph, name, { a: a as Tensor, b: b as Tensor, y }, axes); // y is f32: so are they
  return y;
}

function recordBackward(
  graph: Graph,
  name: Name,
  { a, b, y }: { readonly a: Tensor; readonly b: Tensor; readonly y: Tensor },
  axes: readonly StretchedAxis[],
): void {
  const FUNCTION = FUNCTIONS.indexOf(name);
  graph.record(name, [y], (gradients) => {
    const dy = gradients.of(y);
    if (!dy) return;
    const passedOn: Tensor[] = [];
    for (const [own, other, SECOND] of [
      [a, b, false],
      [b, a, true],
    ] as const) {
      if (own.size === y.size && (name === 'add' || (name === 'sub' && !SECOND))) {
        passedOn.push(own);
        continue;
      }
      const target = gradients.into(own);
      const ofOwn = SECOND ? axes.map(({ size, steps }) => ({ size, steps: steps.toReversed() })) : axes;
      if (target) recordGradient(graph, { FUNCTION, SECOND }, { own, other, dy }, ofOwn, target);
    }
    for (const own of passedOn) gradients.pass(own, dy);
  });
}

/** Where a gradient goes: see `Gradients.into`. */
interface Target {
  readonly out: Tensor;
  readonly accumulate: boolean;
}

/** Appends the gradient of `where` with respect to what it takes where the condition holds, or else to the other operand. */
export function recordGradientOfChoice(
  graph: Graph,
  operands: { readonly own: Tensor; readonly other: Tensor<'u32'>; readonly dy: Tensor },
  isFirst: boolean,
  target: Target,
): void {
  const axes = stretchedAxes(operands.dy.shape, [operands.own.shape, operands.other.shape]);
  const FUNCTION = FUNCTIONS.indexOf(isFirst ? 'taken' : 'notTaken');
  recordGradient(graph, { FUNCTION, SECOND: false }, operands, axes, target);
}

/**
 * Appends the gradient of one operand: over what it was stretched, it is summed, in chunks, and the chunks likewise.
 *
 * @param axes with the steps of `own` and of `other`
 */
function recordGradient(
  graph: Graph,
  flags: { readonly FUNCTION: number; readonly SECOND: boolean },
  { own, other, dy }: { readonly own: Tensor; readonly other: Tensor<DType>; readonly dy: Tensor },
  axes: readonly StretchedAxis[],
  target: Target,
): void {
  const ROWS = axes.at(-1)?.steps[0] === 0;
  const cells = cellsOf(axes, 2);
  const { VEC, wide } = ROWS ? { VEC: false, wide: [] } : cells;
  const taken = ROWS ? axes : cells.axes;
  const placed = taken.map(({ size, steps }, k) => ({
    steps: [sizeOf(taken.slice(k + 1).map((inner) => inner.size)), steps[1] ?? 0],
    size,
    isKept: (steps[0] ?? 0) > 0,
  }));
  const [kept, reduced] = [placed.filter(({ isKept }) => isKept), placed.filter(({ isKept }) => !isKept)];
  const terms = sizeOf(reduced.map(({ size }) => size));
  const chunks = chunksOf(terms, ROWS);
  const count = VEC ? own.size / 4 : own.size;
  const isWhole = chunks === 1;
  const sums = isWhole ? target.out : graph.empty('partial gradients', ROWS ? [own.size, chunks] : [chunks, own.size]);
  const named = (prefix: string, list: typeof placed): (readonly [string, number])[] =>
    list.flatMap(({ size, steps: [ofY = 0, ofOther = 0] }, k) => [
      [`${prefix}${k}`, size] as const,
      [`${prefix}Y${k}`, ofY] as const,
      [`${prefix}Other${k}`, ofOther] as const,
    ]);
  graph.dispatch({
    kernel: kernels.binaryBackward,
    params: {
      ...{ ...flags, KEPT: kept.length, REDUCED: reduced.length, ROWS, VEC, WIDE: wide[1] ?? false },
      ACCUMULATE: isWhole && target.accumulate,
    },
    uniforms: {
      ...{ cells: count, chunks, terms },
      ...Object.fromEntries([...named('kept', kept), ...named('reduced', reduced)]),
    },
    bindings: { own, other, dy, sums },
    workgroups: workgroupRow(Math.ceil((count * chunks) / 64)),
  });
  if (isWhole) return;
  const ofChunks = { size: chunks, steps: [0, 0] };
  const ofOwn = { size: own.size, steps: [1, 0] };
  recordGradient(
    graph,
    { FUNCTION: FUNCTIONS.indexOf('add'), SECOND: false },
    { own, other: graph.constant(0, 'f32'), dy: sums },
    ROWS ? [ofOwn, ofChunks] : [ofChunks, ofOwn],
    target,
  );
}

/** In how many parts a sum is made: an invocation walks a few hundred terms, or few where its neighbours share them. */
function chunksOf(terms: number, ROWS: boolean): number {
  const [most, each] = ROWS ? [32, 32] : [256, 64];
  return terms <= most ? 1 : Math.ceil(terms / each);
}

/** The types say what comes of what; `record` itself gives whatever its operands make of it. */
/* @__NO_SIDE_EFFECTS__ */
function binary(name: Name): unknown {
  return (a: Operand, b: Operand) => record(name, { a, b });
}

/** a − b, broadcast, as `torch.sub`. */
export const sub = binary('sub') as Arithmetic;
/** a·b, broadcast, as `torch.mul`. */
export const mul = binary('mul') as Arithmetic;
/** a/b, broadcast, as `torch.div`. */
export const div = binary('div') as FloatBinary;
/**
 * The larger of both, broadcast, NaN where one is NaN; where they are equal, each takes half of the gradient, as in
 * PyTorch.
 */
export const maximum = binary('maximum') as Arithmetic;
/** The smaller of both, broadcast; NaN and gradients as of `maximum`. As `torch.minimum`. */
export const minimum = binary('minimum') as Arithmetic;
/** a + b, but by the general kernel: see `add`. */
export const addBroadcast = binary('add') as Arithmetic;

/** Exponents for which there is a function that is exact, or quicker. */
const POWERS = /* @__PURE__ */ new Map([
  [2, square],
  [0.5, sqrt],
  [-1, reciprocal],
  [-0.5, rsqrt],
]);
const powOf = binary('pow') as FloatBinary;

/**
 * aᵇ, broadcast; of negative, zero and infinite bases as IEEE 754's pow. Gradients as in PyTorch: that of b is NaN
 * where a < 0.
 */
export const pow: FloatBinary = (a: Tensor | number, b: Tensor | number): Tensor<'f32', never> => {
  const known = typeof b === 'number' && a instanceof Tensor ? POWERS.get(b) : undefined;
  if (!known) return powOf(a as Tensor, b) as Tensor<'f32', never>;
  graphOf('pow', a as Tensor); // what is wrong with it is said of pow, not of what it becomes
  assertType('pow', 'a', a, 'f32');
  const y = known(a as Tensor);
  return y as Tensor<'f32', never>; // of the shape that the signature at hand says
};

/** a = b, element by element: u32. As `torch.eq`. */
export const eq = binary('eq') as Comparison;
/** a ≠ b; so it is where one is NaN. As `torch.ne`. */
export const ne = binary('ne') as Comparison;
/** a < b, as `torch.lt`. */
export const lt = binary('lt') as Comparison;
/** a ≤ b, as `torch.le`. */
export const le = binary('le') as Comparison;
/** a > b, as `torch.gt`. */
export const gt = binary('gt') as Comparison;
/** a ≥ b, as `torch.ge`. */
export const ge = binary('ge') as Comparison;

/** Whether both hold, as `torch.logical_and`. */
export const logicalAnd = binary('logicalAnd') as Logical;
/** Whether one holds, or both, as `torch.logical_or`. */
export const logicalOr = binary('logicalOr') as Logical;

/**
 * 1 where x is 0, else 0, as `torch.logical_not`.
 *
 * @param x u32, of any shape
 * @returns u32, of x's shape, without gradient
 * @throws EngineError `bad-shape` for another type than u32
 */
export function logicalNot<S extends Shape>(x: Tensor<'u32', S>): Tensor<'u32', S> {
  graphOf('logicalNot', x);
  assertType('logicalNot', 'x', x, 'u32');
  return eq(x, 0);
}
