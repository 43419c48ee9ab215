import source from '../../shaders/binary.wgsl';
import { EngineError } from '../gpu/errors';
import { workgroupRow } from '../gpu/recording';
import { kernelsOf } from '../gpu/shader';
import { addInPlace } from '../tensor/accumulate';
import { graphOf, type Graph } from '../tensor/graph';
import { formatShape, sizeOf, type Shape } from '../tensor/shape';
import type { Tensor } from '../tensor/tensor';
import { recordRowSums } from './reduce';

const kernels = kernelsOf('binary', source, ['binaryForward', 'binaryBackward']);

/** In the order of their numbers in the shader. */
const FUNCTIONS = ['sub', 'mul', 'div', 'pow', 'maximum', 'minimum', 'add'] as const;
type Name = (typeof FUNCTIONS)[number];

/** Terms that an invocation adds up. */
const CHUNK = 256;

/** An axis of the result, or neighbours taken as one: how far an index of each operand moves along it, 0 where it is stretched. */
interface Axis {
  readonly size: number;
  readonly a: number;
  readonly b: number;
}

/** A function of two numbers, element by element. @throws EngineError `bad-shape` where the shapes can't be stretched to one */
type Binary = (a: Tensor, b: Tensor) => Tensor<'f32'>;

/**
 * The shape that both are stretched to: axes are compared from the last; an extent of 1, or none, is stretched to the other's.
 *
 * @throws EngineError `bad-shape`
 */
export function broadcastShape(operation: string, a: Shape, b: Shape): number[] {
  return Array.from({ length: Math.max(a.length, b.length) }, (_, axis, rank = Math.max(a.length, b.length)) => {
    const [x, y] = [a[axis - rank + a.length] ?? 1, b[axis - rank + b.length] ?? 1];
    if (x === y || y === 1) return x;
    if (x === 1) return y;
    throw new EngineError(
      'bad-shape',
      `${operation}: ${formatShape(a)} and ${formatShape(b)} can't be stretched to one shape.`,
      'Extents from the last on must be equal, or one of them 1.',
    );
  });
}

/** The axes of the result, those of extent 1 left out, neighbours that are stretched alike taken as one. */
export function axesOf(shape: Shape, a: Shape, b: Shape): Axis[] {
  const axes: Axis[] = [];
  const step = { a: 1, b: 1 };
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    const size = shape[axis] ?? 1;
    const [ofA, ofB] = [a, b].map((own) => own[axis - shape.length + own.length] ?? 1) as [number, number];
    if (size === 1) continue;
    const [first] = axes;
    const isAlike = first && ofA > 1 === first.a > 0 && ofB > 1 === first.b > 0;
    if (isAlike) axes[0] = { ...first, size: size * first.size };
    else axes.unshift({ size, a: ofA > 1 ? step.a : 0, b: ofB > 1 ? step.b : 0 });
    step.a *= ofA;
    step.b *= ofB;
  }
  return axes;
}

/* @__NO_SIDE_EFFECTS__ */
function binary(name: Name): Binary {
  const FUNCTION = FUNCTIONS.indexOf(name);
  return (a, b) => {
    const graph = graphOf(name, a, b);
    const shape = broadcastShape(name, a.shape, b.shape);
    const axes = axesOf(shape, a.shape, b.shape);
    const y = graph.empty(name, shape, 'f32', a.requiresGrad || b.requiresGrad);
    graph.dispatch({
      kernel: kernels.binaryForward,
      params: { FUNCTION, RANK: axes.length },
      uniforms: {
        count: y.size,
        ...Object.fromEntries(
          axes.flatMap(({ size, ...by }, k) => [
            [`size${k}`, size],
            [`a${k}`, by.a],
            [`b${k}`, by.b],
          ]),
        ),
      },
      bindings: { a, b, y },
      workgroups: workgroupRow(Math.ceil(y.size / 64)),
    });
    graph.record(name, [y], (gradients) => {
      const dy = gradients.of(y);
      if (!dy) return;
      for (const side of ['a', 'b'] as const) {
        const own = side === 'a' ? a : b;
        const target = gradients.into(own);
        if (target)
          recordGradient(
            graph,
            { FUNCTION, SECOND: side === 'b' },
            { own, other: side === 'a' ? b : a, dy },
            axes,
            target,
          );
      }
    });
    return y;
  };
}

/** Appends the gradient of one operand: over what it was stretched, it is summed. */
function recordGradient(
  graph: Graph,
  flags: { readonly FUNCTION: number; readonly SECOND: boolean },
  operands: { readonly own: Tensor; readonly other: Tensor; readonly dy: Tensor },
  axes: readonly Axis[],
  target: { readonly out: Tensor; readonly accumulate: boolean },
): void {
  const [mine, others] = flags.SECOND ? (['b', 'a'] as const) : (['a', 'b'] as const);
  const stepsOfY = axes.map((_, k) => sizeOf(axes.slice(k + 1).map(({ size }) => size)));
  const placed = axes.map((axis, k) => ({
    size: axis.size,
    y: stepsOfY[k] ?? 1,
    other: axis[others],
    isKept: axis[mine] > 0,
  }));
  const [kept, reduced] = [placed.filter(({ isKept }) => isKept), placed.filter(({ isKept }) => !isKept)];
  const terms = sizeOf(reduced.map(({ size }) => size));
  const chunks = Math.ceil(terms / CHUNK);
  const { size } = operands.own;
  const isWhole = chunks === 1;
  const sums = isWhole ? target.out : graph.empty('partial gradients', [size, chunks]);
  const named = (prefix: string, list: typeof placed): (readonly [string, number])[] =>
    list.flatMap((axis, k) => [
      [`${prefix}${k}`, axis.size] as const,
      [`${prefix}Y${k}`, axis.y] as const,
      [`${prefix}Other${k}`, axis.other] as const,
    ]);
  graph.dispatch({
    kernel: kernels.binaryBackward,
    params: { ...flags, KEPT: kept.length, REDUCED: reduced.length, ACCUMULATE: isWhole && target.accumulate },
    uniforms: {
      ...{ count: size * chunks, chunks, chunk: CHUNK, terms },
      ...Object.fromEntries([...named('kept', kept), ...named('reduced', reduced)]),
    },
    bindings: { ...operands, sums },
    workgroups: workgroupRow(Math.ceil((size * chunks) / 64)),
  });
  if (isWhole) return;
  const whole = target.accumulate ? graph.empty('gradient', [size]) : target.out;
  recordRowSums(graph, sums, { rows: size, width: chunks, scale: 1 }, whole);
  if (target.accumulate) addInPlace(graph, target.out, whole, true);
}

/** a − b, broadcast. */
export const sub = binary('sub');
/** a·b, broadcast. */
export const mul = binary('mul');
/** a/b, broadcast. */
export const div = binary('div');
/** aᵇ for a > 0, broadcast; elsewhere as WGSL has it. */
export const pow = binary('pow');
/** The larger of both, broadcast; where they are equal, each takes half of the gradient, as in PyTorch. */
export const maximum = binary('maximum');
/** The smaller of both, broadcast; gradients as of `maximum`. */
export const minimum = binary('minimum');
/** a + b where the shapes differ: see `add`. */
export const addBroadcast = binary('add');
