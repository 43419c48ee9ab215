import type { Reference } from '../../kernels-test/allclose';
import type { AttentionWork } from './rows';

/*
 * Engines keep matrices and heads in the order that suits them; here the host brings one to another, outside of what is
 * timed.
 */

/** A matrix turned: [rows, columns] → [columns, rows]. */
export function turned(matrix: ArrayLike<number>, [rows, columns]: readonly [number, number]): Float32Array {
  const result = new Float32Array(rows * columns);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++)
      result[column * rows + row] = matrix[row * columns + column] as number;
  }
  return result;
}

export function turnedReference({ shape, data }: Readonly<{ shape: readonly number[]; data: ArrayLike<number> }>): {
  shape: [number, number];
  data: Float32Array;
} {
  const [rows = 1, columns = 1] = shape;
  return { shape: [columns, rows], data: turned(data, [rows, columns]) };
}

/** Whether heads lie outside of tokens, [batch, heads, tokens, channels], or inside, [batch, tokens, heads, channels]. */
export type HeadOrder = 'outside' | 'inside';

export function headShape({ batch, tokens, heads, channels }: AttentionWork, order: HeadOrder): number[] {
  return order === 'outside' ? [batch, heads, tokens, channels] : [batch, tokens, heads, channels];
}

/** Of `parts` arrays packed as [batch, tokens, parts, heads, channels], each by itself. */
export function unpackHeads(
  packed: ArrayLike<number>,
  parts: number,
  work: AttentionWork,
  order: HeadOrder,
): Float32Array[] {
  const split = Array.from({ length: parts }, () => new Float32Array(packed.length / parts));
  eachPlace(parts, work, order, (part, outer, inner) => {
    (split[part] as Float32Array)[inner] = packed[outer] as number;
  });
  return split;
}

/** The reverse of `unpackHeads`. */
export function packHeads(split: readonly ArrayLike<number>[], work: AttentionWork, order: HeadOrder): Float32Array {
  const packed = new Float32Array(split.reduce((size, { length }) => size + length, 0));
  eachPlace(split.length, work, order, (part, outer, inner) => {
    packed[outer] = (split[part] as ArrayLike<number>)[inner] as number;
  });
  return packed;
}

function eachPlace(
  parts: number,
  { batch, tokens, heads, channels }: AttentionWork,
  order: HeadOrder,
  visit: (part: number, outer: number, inner: number) => void,
): void {
  let outer = 0;
  for (let b = 0; b < batch; b++) {
    for (let token = 0; token < tokens; token++) {
      for (let part = 0; part < parts; part++) {
        for (let head = 0; head < heads; head++) {
          const row = order === 'outside' ? (b * heads + head) * tokens + token : (b * tokens + token) * heads + head;
          for (let channel = 0; channel < channels; channel++) visit(part, outer++, row * channels + channel);
        }
      }
    }
  }
}

/** 0 where key j is not after query i, else what leaves nothing of a score. */
export function causalMask(tokens: number): Reference {
  const data = Float64Array.from({ length: tokens * tokens }, (_, at) =>
    at % tokens > Math.floor(at / tokens) ? -1e30 : 0,
  );
  return { shape: [tokens, tokens], data };
}
