import { EngineError } from '../gpu/errors';
import type { Graph } from '../tensor/graph';
import { formatShape, type Shape } from '../tensor/shape';
import { Tensor, type DType } from '../tensor/tensor';

/** An axis of the result of two: how far an index of each moves along it. */
export interface Axis {
  readonly size: number;
  readonly a: number;
  readonly b: number;
}

/** An axis of the result, or neighbours taken as one: how far an index of each operand moves along it, 0 where it is stretched. */
export interface StretchedAxis {
  readonly size: number;
  readonly steps: readonly number[];
}

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
export function stretchedAxes(shape: Shape, operands: readonly Shape[]): StretchedAxis[] {
  const axes: StretchedAxis[] = [];
  const moved = operands.map(() => 1);
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    const size = shape[axis] ?? 1;
    if (size === 1) continue;
    const extents = operands.map((own) => own[axis - shape.length + own.length] ?? 1);
    const [first] = axes;
    if (first && extents.every((extent, k) => extent > 1 === (first.steps[k] ?? 0) > 0)) {
      axes[0] = { ...first, size: size * first.size };
    } else {
      axes.unshift({ size, steps: extents.map((extent, k) => (extent > 1 ? (moved[k] ?? 1) : 0)) });
    }
    for (const [k, extent] of extents.entries()) moved[k] = (moved[k] ?? 1) * extent;
  }
  return axes;
}

/** The same of two. */
export function axesOf(shape: Shape, a: Shape, b: Shape): Axis[] {
  return stretchedAxes(shape, [a, b]).map(({ size, steps: [ofA = 0, ofB = 0] }) => ({ size, a: ofA, b: ofB }));
}

/** Axes for a kernel that takes four neighbours along the last axis at once, where their number is a multiple of four and there is any. */
export interface Cells {
  /** Sizes and steps in cells; steps of what is not wide in elements. */
  readonly axes: readonly StretchedAxis[];
  readonly VEC: boolean;
  /** Of each operand, whether it is read four at a time: it is not where it is stretched along the last axis. */
  readonly wide: readonly boolean[];
}

/** @param operands how many there are */
export function cellsOf(axes: readonly StretchedAxis[], operands: number): Cells {
  const last = axes.at(-1);
  const VEC = last !== undefined && last.size % 4 === 0 && axes.every(({ size }) => size > 0);
  const wide = Array.from({ length: operands }, (_, k) => VEC && (last.steps[k] ?? 0) > 0);
  if (!VEC) return { axes, VEC, wide };
  const inCells = axes.map((axis) => ({
    size: axis === last ? last.size / 4 : axis.size,
    steps: axis.steps.map((step, k) => (wide[k] && axis !== last ? step / 4 : step)),
  }));
  return { axes: inCells, VEC, wide };
}

/** Fields of a uniform: `size0` … and, of each operand by its name, `a0` … */
export function axisUniforms(axes: readonly StretchedAxis[], names: readonly string[]): Record<string, number> {
  return Object.fromEntries(
    axes.flatMap(({ size, steps }, k) => [
      [`size${k}`, size] as const,
      ...names.map((name, n) => [`${name}${k}`, steps[n] ?? 0] as const),
    ]),
  );
}

const RANGES: Partial<Record<DType, readonly [low: number, high: number]>> = {
  i32: [-(2 ** 31), 2 ** 31 - 1],
  u32: [0, 2 ** 32 - 1],
};

/**
 * An operand as a tensor: a number is one of no axes.
 *
 * @param of its type
 * @throws EngineError `bad-shape` where it is of another type, or a number that the type doesn't hold
 */
export function asTensor(
  { operation, operand }: { readonly operation: string; readonly operand: string },
  graph: Graph,
  value: Tensor<DType> | number,
  of: DType,
): Tensor<DType> {
  if (value instanceof Tensor) {
    if (value.dtype === of) return value;
    const what = `${operation}: ${operand} holds ${value.dtype}, not ${of}.`;
    throw new EngineError('bad-shape', what, `Give it as a tensor of ${of}: to(${operand}, '${of}').`);
  }
  const range = RANGES[of];
  const isHeld = range ? Number.isInteger(value) && value >= range[0] && value <= range[1] : typeof value === 'number';
  if (isHeld) return graph.constant(value, of);
  throw new EngineError(
    'bad-shape',
    `${operation}: ${operand} is ${value}, which is no ${of}.`,
    range ? 'Give a tensor, or a whole number of its range.' : 'Give a tensor or a number.',
  );
}
