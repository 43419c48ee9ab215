import { cos, exp, sin } from '../tensor/exactMath';

const LN_10000 = 4 * Math.LN10;

/**
 * The fixed 2-D sine-cosine position table of MAE: a zero row for the class token, then one row a patch in row-major
 * order. The first half of the channels encodes the column, the second half the row; each half is
 * [sin(p·ω_k) | cos(p·ω_k)], ω_k = 10000^(−k/(dim/4)).
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
        const omega = exp((-k / quarter) * LN_10000);
        table[at + k] = sin(column * omega);
        table[at + quarter + k] = cos(column * omega);
        table[at + 2 * quarter + k] = sin(row * omega);
        table[at + 3 * quarter + k] = cos(row * omega);
      }
    }
  }
  return table;
}
