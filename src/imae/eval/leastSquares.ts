/*
 * Least squares with a small ridge, solved exactly: ŷ = W·(x − x̄) + ȳ, W = Sxy ᵀ(Sxx + ρI)⁻¹, by Cholesky. Everything is
 * float64 on the host: the products Sxx and Sxy are summed over many thousand rows and then inverted, where float32 would
 * lose what separates a good fit from an exact one. Rows come in parts and are not kept.
 */

/** The ridge, as a share of the mean of the squares that it is added to: it makes a singular Sxx solvable, no more. */
export const RIDGE = 1e-6;

/** Rows that are summed at once, column by column. */
const CHUNK = 128;

/** A map of x to y. */
export interface LinearMap {
  /** [q, p] */
  readonly weight: Float64Array;
  /** [q] */
  readonly bias: Float64Array;
}

/** Sums over rows what least squares need of p inputs and of several sets of q outputs. */
export class LeastSquares {
  private rows = 0;
  private readonly sumX: Float64Array;
  private readonly xx: Float64Array;
  private readonly sumY: readonly Float64Array[];
  private readonly xy: readonly Float64Array[];

  /**
   * @param p inputs
   * @param outputs of each set of outputs, how many
   */
  constructor(
    private readonly p: number,
    private readonly outputs: readonly number[],
  ) {
    this.sumX = new Float64Array(p);
    this.xx = new Float64Array(p * p);
    this.sumY = outputs.map((q) => new Float64Array(q));
    this.xy = outputs.map((q) => new Float64Array(p * q));
  }

  /**
   * Takes rows in.
   *
   * @param x [rows, p]
   * @param ys of each set of outputs [rows, q]
   */
  add(x: Float32Array, ys: readonly Float32Array[]): void {
    const rows = x.length / this.p;
    for (let from = 0; from < rows; from += CHUNK) {
      const count = Math.min(CHUNK, rows - from);
      const columnsX = columns(x, this.p, from, count, this.sumX);
      addProducts(this.xx, columnsX, columnsX, count, true);
      for (const [set, y] of ys.entries()) {
        const sums = this.sumY[set] as Float64Array;
        addProducts(this.xy[set] as Float64Array, columnsX, columns(y, sums.length, from, count, sums), count, false);
      }
    }
    this.rows += rows;
  }

  /**
   * Of each set of outputs, the map with the least squared error over the rows, and `ridge` times the mean square of the
   * inputs times its own squares.
   *
   * @throws RangeError where that is too small for inputs that depend on each other
   */
  solve(ridge = RIDGE): LinearMap[] {
    const { p, rows } = this;
    const meanX = this.sumX.map((sum) => sum / rows);
    const gram = new Float64Array(p * p);
    let trace = 0;
    for (let i = 0; i < p; i++) {
      for (let j = 0; j <= i; j++) {
        gram[i * p + j] = (this.xx[i * p + j] as number) - rows * (meanX[i] as number) * (meanX[j] as number);
      }
      trace += gram[i * p + i] as number;
    }
    const added = ridge * (trace / p || 1);
    for (let i = 0; i < p; i++) gram[i * p + i] = (gram[i * p + i] as number) + added;
    const lower = cholesky(gram, p);
    return this.outputs.map((q, set) => {
      const meanY = (this.sumY[set] as Float64Array).map((sum) => sum / rows);
      const xy = this.xy[set] as Float64Array;
      const weight = new Float64Array(q * p);
      const bias = new Float64Array(q);
      const column = new Float64Array(p);
      for (let k = 0; k < q; k++) {
        for (let i = 0; i < p; i++)
          column[i] = (xy[i * q + k] as number) - rows * (meanX[i] as number) * (meanY[k] as number);
        substitute(lower, column, p);
        weight.set(column, k * p);
        bias[k] = (meanY[k] as number) - dot(column, meanX);
      }
      return { weight, bias };
    });
  }
}

/** Squared Euclidean distance of each row of y from its map of x: [rows]. */
export function squaredErrors({ weight, bias }: LinearMap, x: Float32Array, y: Float32Array): Float64Array {
  const q = bias.length;
  const p = weight.length / q;
  const rows = y.length / q;
  const errors = new Float64Array(rows);
  for (let from = 0; from < rows; from += CHUNK) {
    const count = Math.min(CHUNK, rows - from);
    const fitted = new Float64Array(q * count);
    addProducts(fitted, rowsOf(weight, p), transposed(x, p, from, count), p, false);
    for (let row = 0; row < count; row++) {
      let sum = 0;
      for (let k = 0; k < q; k++) {
        const error = (y[(from + row) * q + k] as number) - (fitted[k * count + row] as number) - (bias[k] as number);
        sum += error * error;
      }
      errors[from + row] = sum;
    }
  }
  return errors;
}

/** Columns of some rows; their sums are added to `sums`. */
function columns(values: Float32Array, width: number, from: number, count: number, sums: Float64Array): Float64Array[] {
  return Array.from({ length: width }, (_, at) => {
    const column = new Float64Array(count);
    let sum = 0;
    for (let row = 0; row < count; row++) sum += column[row] = values[(from + row) * width + at] as number;
    sums[at] = (sums[at] as number) + sum;
    return column;
  });
}

function transposed(values: Float32Array, width: number, from: number, count: number): Float64Array[] {
  return Array.from({ length: count }, (_, row) =>
    Float64Array.from(values.subarray((from + row) * width, (from + row + 1) * width)),
  );
}

function rowsOf(matrix: Float64Array, width: number): Float64Array[] {
  return Array.from({ length: matrix.length / width }, (_, row) => matrix.subarray(row * width, (row + 1) * width));
}

/** out[i, j] += a[i]·b[j] over `count` elements, four by two at a time; only j ≤ i (and some beside) where it is symmetric. */
function addProducts(
  out: Float64Array,
  a: readonly Float64Array[],
  b: readonly Float64Array[],
  count: number,
  symmetric: boolean,
): void {
  const width = b.length;
  const zero = new Float64Array(count);
  for (let i = 0; i < a.length; i += 4) {
    const [a0 = zero, a1 = zero, a2 = zero, a3 = zero] = a.slice(i, i + 4);
    const end = symmetric ? Math.min(width, i + 4) : width;
    for (let j = 0; j < end; j += 2) {
      const [b0 = zero, b1 = zero] = b.slice(j, j + 2);
      let [s00, s10, s20, s30, s01, s11, s21, s31] = [0, 0, 0, 0, 0, 0, 0, 0];
      for (let k = 0; k < count; k++) {
        const x0 = b0[k] as number;
        const x1 = b1[k] as number;
        s00 += (a0[k] as number) * x0;
        s10 += (a1[k] as number) * x0;
        s20 += (a2[k] as number) * x0;
        s30 += (a3[k] as number) * x0;
        s01 += (a0[k] as number) * x1;
        s11 += (a1[k] as number) * x1;
        s21 += (a2[k] as number) * x1;
        s31 += (a3[k] as number) * x1;
      }
      const sums = [
        [s00, s01],
        [s10, s11],
        [s20, s21],
        [s30, s31],
      ];
      for (let y = 0; y < 4 && i + y < a.length; y++) {
        for (let x = 0; x < 2 && j + x < width; x++) {
          const at = (i + y) * width + j + x;
          out[at] = (out[at] as number) + (sums[y]?.[x] as number);
        }
      }
    }
  }
}

/** L of a positive definite matrix A = L·Lᵀ; only the lower triangle is read and written. */
function cholesky(matrix: Float64Array, n: number): Float64Array {
  const lower = matrix.slice();
  for (let i = 0; i < n; i++) {
    for (let j = 0; j <= i; j++) {
      let sum = lower[i * n + j] as number;
      for (let k = 0; k < j; k++) sum -= (lower[i * n + k] as number) * (lower[j * n + k] as number);
      if (i === j && !(sum > 0))
        throw new RangeError('Inputs depend on each other: least squares need a larger ridge.');
      lower[i * n + j] = i === j ? Math.sqrt(sum) : sum / (lower[j * n + j] as number);
    }
  }
  return lower;
}

/** Solves L·Lᵀ·x = b in place. */
function substitute(lower: Float64Array, b: Float64Array, n: number): void {
  for (let i = 0; i < n; i++) {
    let sum = b[i] as number;
    for (let k = 0; k < i; k++) sum -= (lower[i * n + k] as number) * (b[k] as number);
    b[i] = sum / (lower[i * n + i] as number);
  }
  for (let i = n - 1; i >= 0; i--) {
    let sum = b[i] as number;
    for (let k = i + 1; k < n; k++) sum -= (lower[k * n + i] as number) * (b[k] as number);
    b[i] = sum / (lower[i * n + i] as number);
  }
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += (a[i] as number) * (b[i] as number);
  return sum;
}
