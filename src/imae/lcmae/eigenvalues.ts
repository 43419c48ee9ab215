/**
 * All eigenvalues of a symmetric matrix, in no order: Householder reflections make it tridiagonal, then QR steps with
 * Wilkinson's shift split it (Golub and Van Loan, Matrix Computations, 8.3).
 *
 * @param matrix [n, n], row by row; it is not changed
 */
export function eigenvalues(matrix: Float64Array, n: number): number[] {
  const { diagonal, beside } = tridiagonal(matrix.slice(), n);
  let last = n - 1;
  while (last > 0) {
    let first = last;
    while (first > 0 && !isZeroBeside(diagonal, beside, first)) first--;
    if (first === last) last--;
    else qrStep(diagonal, beside, first, last);
  }
  return Array.from(diagonal);
}

/** `beside[i]` couples i − 1 with i. Negligible ones are set to 0. */
function isZeroBeside(diagonal: Float64Array, beside: Float64Array, i: number): boolean {
  const scale = Math.abs(diagonal[i - 1] as number) + Math.abs(diagonal[i] as number);
  if (
    Math.abs(beside[i] as number) > Number.EPSILON * scale &&
    Math.abs(beside[i] as number) > Number.MIN_VALUE / Number.EPSILON
  )
    return false;
  beside[i] = 0;
  return true;
}

function tridiagonal(a: Float64Array, n: number): { diagonal: Float64Array; beside: Float64Array } {
  const at = (i: number, j: number): number => a[i * n + j] as number;
  const beside = new Float64Array(n);
  const v = new Float64Array(n);
  const p = new Float64Array(n);
  for (let k = 0; k < n - 2; k++) {
    let norm = 0;
    for (let i = k + 1; i < n; i++) norm += at(i, k) ** 2;
    norm = Math.sqrt(norm);
    if (norm === 0) continue;
    const alpha = at(k + 1, k) > 0 ? -norm : norm;
    for (let i = k + 1; i < n; i++) v[i] = at(i, k) - (i === k + 1 ? alpha : 0);
    let square = 0;
    for (let i = k + 1; i < n; i++) square += (v[i] as number) ** 2;
    // A ← H·A·H, H = 1 − 2·v·vᵀ/‖v‖², on the part below and right of k.
    let along = 0;
    for (let i = k + 1; i < n; i++) {
      let sum = 0;
      for (let j = k + 1; j < n; j++) sum += at(i, j) * (v[j] as number);
      p[i] = (2 * sum) / square;
      along += ((v[i] as number) * (p[i] as number)) / square;
    }
    for (let i = k + 1; i < n; i++) p[i] = (p[i] as number) - along * (v[i] as number);
    for (let i = k + 1; i < n; i++) {
      for (let j = k + 1; j < n; j++)
        a[i * n + j] = at(i, j) - (v[i] as number) * (p[j] as number) - (p[i] as number) * (v[j] as number);
    }
    a[(k + 1) * n + k] = alpha;
  }
  for (let i = 1; i < n; i++) beside[i] = at(i, i - 1);
  return { diagonal: Float64Array.from({ length: n }, (_, i) => at(i, i)), beside };
}

/** One implicit QR step on rows first … last, by plane rotations that chase what is off the three diagonals down. */
function qrStep(d: Float64Array, e: Float64Array, first: number, last: number): void {
  const value = (of: Float64Array, i: number): number => of[i] as number;
  const half = (value(d, last - 1) - value(d, last)) / 2;
  const b = value(e, last);
  const shift = value(d, last) - (b * b) / (half + (half < 0 ? -1 : 1) * Math.sqrt(half * half + b * b));
  let x = value(d, first) - shift;
  let z = value(e, first + 1);
  for (let k = first; k < last; k++) {
    const r = Math.sqrt(x * x + z * z);
    const [c, s] = r === 0 ? [1, 0] : [x / r, z / r];
    if (k > first) e[k] = r;
    const [dk, dn, en] = [value(d, k), value(d, k + 1), value(e, k + 1)];
    d[k] = c * c * dk + 2 * c * s * en + s * s * dn;
    d[k + 1] = s * s * dk - 2 * c * s * en + c * c * dn;
    e[k + 1] = (c * c - s * s) * en + c * s * (dn - dk);
    if (k + 1 < last) {
      x = value(e, k + 1);
      z = s * value(e, k + 2);
      e[k + 2] = c * value(e, k + 2);
    }
  }
}
