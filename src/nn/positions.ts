import { exactCos, exactExp, exactSin } from '../tensor/exactMath';

const LN_10000 = 4 * Math.LN10;

/**
 * The fixed 2-D sine-cosine position table of MAE: a zero row for the class token, then one row a patch in row-major
 * order. The first half of the channels encodes the column, the second half the row; each half is
 * [exactSin(p·ω_k) | exactCos(p·ω_k)], ω_k = 10000^(−k/(dim/4)).
 *
 * @param dim width, a multiple of 4
 * @param grid patches a side
 * @returns [1 + grid², dim]
 */
export function sinCosPositions(dim: number, grid: number): Float32Array {
  const table = new Float32Array((1 + grid * grid) * dim);
  const quarter = dim / 4;
  for (let row = 0; row < grid; row++) {
    for (let column = 0; column < grid; column++) {
      const at = (1 + row * grid + column) * dim;
      for (let k = 0; k < quarter; k++) {
        const omega = exactExp((-k / quarter) * LN_10000);
        table[at + k] = exactSin(column * omega);
        table[at + quarter + k] = exactCos(column * omega);
        table[at + 2 * quarter + k] = exactSin(row * omega);
        table[at + 3 * quarter + k] = exactCos(row * omega);
      }
    }
  }
  return table;
}

/** Keys' kernel with a = −¾: PyTorch's bicubic, and so that of published fine-tuning. */
const SHARPNESS = -0.75;

function cubic(distance: number): number {
  const x = Math.abs(distance);
  if (x <= 1) return ((SHARPNESS + 2) * x - (SHARPNESS + 3)) * x * x + 1;
  return x < 2 ? ((SHARPNESS * x - 5 * SHARPNESS) * x + 8 * SHARPNESS) * x - 4 * SHARPNESS : 0;
}

/** For each place of an axis of `to` places, the four of `from` that it is made of, and their weights. */
function windows(
  from: number,
  to: number,
): readonly { readonly places: readonly number[]; readonly weights: readonly number[] }[] {
  return Array.from({ length: to }, (_, place) => {
    const centre = ((place + 0.5) * from) / to - 0.5;
    const first = Math.floor(centre) - 1;
    const taps = [0, 1, 2, 3].map((tap) => first + tap);
    return {
      places: taps.map((tap) => Math.min(from - 1, Math.max(0, tap))), // the edges go on
      weights: taps.map((tap) => cubic(centre - tap)),
    };
  });
}

/**
 * A table of positions for a grid of another size: bicubic, without smoothing, as PyTorch's `interpolate` with
 * `align_corners=False`. The class token's row stays as it is.
 *
 * @param table [1 + from², dim]
 * @param from patches a side that the table has
 * @param to patches a side that it is to have
 * @returns [1 + to², dim]
 */
export function interpolatePositions(table: Float32Array, dim: number, from: number, to: number): Float32Array {
  const out = new Float32Array((1 + to * to) * dim);
  out.set(table.subarray(0, dim));
  const along = windows(from, to);
  for (const [row, down] of along.entries()) {
    for (const [column, across] of along.entries()) {
      const at = (1 + row * to + column) * dim;
      for (let channel = 0; channel < dim; channel++) {
        let sum = 0;
        for (const [i, y] of down.places.entries()) {
          for (const [j, x] of across.places.entries()) {
            const weight = (down.weights[i] as number) * (across.weights[j] as number);
            sum += weight * (table[(1 + y * from + x) * dim + channel] as number);
          }
        }
        out[at + channel] = sum;
      }
    }
  }
  return out;
}
