import { EngineError } from '../gpu/errors';

/** The extents of a tensor, from the outermost axis to the one that lies together in memory; [] is a scalar. */
export type Shape = readonly number[];

/** Number of elements. */
export function sizeOf(shape: Shape): number {
  return shape.reduce((size, extent) => size * extent, 1);
}

/** @throws EngineError `bad-shape` unless all extents are whole numbers from 0 */
export function assertShape(label: string, shape: Shape): void {
  if (shape.every((extent) => Number.isSafeInteger(extent) && extent >= 0)) return;
  throw new EngineError(
    'bad-shape',
    `'${label}' has shape ${formatShape(shape)}.`,
    'Extents are whole numbers from 0.',
  );
}

export function formatShape(shape: Shape): string {
  return `[${shape.map(String).join(', ')}]`; // of undefined, too, where types are not checked
}

/** Splits a shape into its leading extents taken together and its last extent. */
export function rowsOf(shape: Shape): { rows: number; width: number } {
  const width = shape.at(-1) ?? 1;
  return { rows: sizeOf(shape.slice(0, -1)), width };
}

/**
 * Checks a shape against a pattern: a number is that extent, a string is a name that stands for one extent throughout.
 * Returns the extents of the names.
 *
 * @throws EngineError `bad-shape` that names the operation, the operand and both shapes
 */
export function matchShape<const P extends readonly (number | string)[]>(
  operation: string,
  operand: string,
  shape: Shape,
  pattern: P,
  known: Readonly<Record<string, number>> = {},
): Record<Extract<P[number], string>, number> {
  const extents: Record<string, number> = { ...known };
  const fits =
    shape.length === pattern.length &&
    pattern.every((entry, axis) => {
      const extent = shape[axis] as number;
      if (typeof entry === 'number') return entry === extent;
      extents[entry] ??= extent;
      return extents[entry] === extent;
    });
  if (!fits) {
    const wanted = pattern
      .map((entry) => (known[entry] === undefined ? entry : `${entry} = ${known[entry]}`))
      .join(', ');
    throw new EngineError(
      'bad-shape',
      `${operation}: ${operand} has shape ${formatShape(shape)}, not [${wanted}].`,
      'Reshape it.',
    );
  }
  return extents;
}
