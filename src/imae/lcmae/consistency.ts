import { eigenvalues } from './eigenvalues';
import { exactLog, exactExp } from '../../tensor/exactMath';

/*
 * Measurement 6, distribution consistency: does the geometry of token embeddings follow that of the pixels? Linear CKA
 * (Kornblith et al. 2019) between tokens and their patches, and the effective rank of the tokens (Roy and Vetterli 2007), which
 * falls towards 1 where they collapse.
 */

/** Rows of numbers, [rows, width]. */
export interface Rows {
  readonly data: Float64Array;
  readonly width: number;
}

/** Rows less their mean. */
export function centred(data: ArrayLike<number>, width: number): Rows {
  const rows = data.length / width;
  const means = new Float64Array(width);
  for (let i = 0; i < data.length; i++) means[i % width] = (means[i % width] as number) + (data[i] as number) / rows;
  return { data: Float64Array.from(data, (value, i) => value - (means[i % width] as number)), width };
}

/** Xᵀ·Y: [widthX, widthY]. */
function product(x: Rows, y: Rows): Float64Array {
  const out = new Float64Array(x.width * y.width);
  const rows = x.data.length / x.width;
  for (let row = 0; row < rows; row++) {
    for (let i = 0; i < x.width; i++) {
      const value = x.data[row * x.width + i] as number;
      const at = i * y.width;
      const from = row * y.width;
      for (let j = 0; j < y.width; j++) out[at + j] = (out[at + j] as number) + value * (y.data[from + j] as number);
    }
  }
  return out;
}

/** ‖XᵀY‖² ÷ (‖XᵀX‖·‖YᵀY‖), Frobenius norms: 1 where one is the other turned and scaled, 0 where nothing of either is linear in the other. */
export function linearCka(x: Rows, y: Rows): number {
  const square = (a: Rows, b: Rows): number => product(a, b).reduce((sum, value) => sum + value * value, 0);
  const norms = Math.sqrt(square(x, x) * square(y, y));
  return norms > 0 ? square(x, y) / norms : 0;
}

/** The exponential of the entropy of the covariance's eigenvalues, as shares of their sum: r where r of them are alike and the rest 0. */
export function effectiveRank(x: Rows): number {
  const values = eigenvalues(product(x, x), x.width).map((value) => Math.max(0, value));
  const sum = values.reduce((a, b) => a + b, 0);
  if (sum === 0) return 0;
  return exactExp(
    -values.reduce((entropy, value) => entropy + (value > 0 ? (value / sum) * exactLog(value / sum) : 0), 0),
  );
}
