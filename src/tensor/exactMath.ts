/*
 * Functions by additions, multiplications and divisions alone, which IEEE 754 fixes to the last bit. The ones of `Math`
 * it does not: between Node and a browser, and between two versions of one browser, `Math.cos` differs in the last bit.
 * What training computes on the host must not. Plain series, after the argument was brought near 0; errors are a few
 * roundings, below 6e-16, relative to the result or, for sine and cosine, to 1.
 */

/** π/2 in two parts: the first has 33 bits, so that its product with a small whole number is exact. */
const HALF_PI = 1.57079632673412561417;
const HALF_PI_REST = 6.0771005065061922e-11;
/** ln 2 likewise. */
const LN2 = 6.9314718036912381649e-1;
const LN2_REST = 1.90821492927058770002e-10;

/** Radians, |x| up to 10⁶. */
export function exactSin(x: number): number {
  return turned(x, 0);
}

/** Radians, |x| up to 10⁶. */
export function exactCos(x: number): number {
  return turned(x, 1);
}

/** exactSin(x + quarters·π/2). */
function turned(x: number, quarters: number): number {
  const n = Math.round(x / (Math.PI / 2));
  const r = x - n * HALF_PI - n * HALF_PI_REST;
  const quarter = (((n + quarters) % 4) + 4) % 4;
  const value = quarter % 2 === 0 ? sinNearZero(r) : cosNearZero(r);
  return quarter < 2 ? value : -value;
}

/** |x| ≤ π/4: x − x³/3! + x⁵/5! − …, from the last term on. */
function sinNearZero(x: number): number {
  let sum = 1;
  for (let n = 18; n >= 2; n -= 2) sum = 1 - (sum * x * x) / (n * (n + 1));
  return x * sum;
}

/** |x| ≤ π/4: 1 − x²/2! + x⁴/4! − … */
function cosNearZero(x: number): number {
  let sum = 1;
  for (let n = 18; n >= 2; n -= 2) sum = 1 - (sum * x * x) / ((n - 1) * n);
  return sum;
}

/** eˣ. */
export function exactExp(x: number): number {
  if (Number.isNaN(x) || x === Infinity) return x;
  if (x > 710) return Infinity;
  if (x < -746) return 0;
  const n = Math.round(x / Math.LN2);
  const r = x - n * LN2 - n * LN2_REST;
  let sum = 1;
  for (let k = 16; k >= 1; k--) sum = 1 + (sum * r) / k; // 1 + r + r²/2! + …
  const half = Math.trunc(n / 2); // 2ⁿ itself may be no double
  return sum * powerOfTwo(half) * powerOfTwo(n - half);
}

/** Natural logarithm. */
export function exactLog(x: number): number {
  if (!(x > 0) || x === Infinity) return x === 0 ? -Infinity : x === Infinity ? x : NaN;
  let n = 0;
  let m = x; // x = m·2ⁿ, m from √½ to √2
  for (; m > Math.SQRT2; m /= 2) n++;
  for (; m < Math.SQRT1_2; m *= 2) n--;
  const s = (m - 1) / (m + 1);
  let sum = 0;
  for (let k = 25; k >= 1; k -= 2) sum = 1 / k + sum * s * s; // artanh s = s + s³/3 + s⁵/5 + …
  return n * LN2 + (n * LN2_REST + 2 * s * sum);
}

/** x². */
export function squared(x: number): number {
  return x * x;
}

/** 2ⁿ for a whole n from −1022 to 1023: exact, which `**` need not be. */
function powerOfTwo(n: number): number {
  return n < 0 ? 1 / power(2, -n) : power(2, n);
}

/** xⁿ for a whole n ≥ 0, by squaring. */
export function power(x: number, n: number): number {
  let result = 1;
  let factor = x;
  for (let rest = n; rest > 0; rest = Math.floor(rest / 2)) {
    if (rest % 2 === 1) result *= factor;
    factor *= factor;
  }
  return result;
}
