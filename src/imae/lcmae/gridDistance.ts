/* Places of the square grid of patches. Distances are Euclidean, in patches. */

/** Distance between two of the L places of a grid. */
export function distanceBetween(length: number, a: number, b: number): number {
  const side = Math.sqrt(length);
  const [x, y] = [(a % side) - (b % side), Math.floor(a / side) - Math.floor(b / side)];
  return Math.sqrt(x * x + y * y);
}

/** Whole radii from 1 to the first that reaches from any place to any other. */
export function radii(length: number): number[] {
  const side = Math.sqrt(length);
  return Array.from({ length: Math.max(1, Math.ceil(Math.SQRT2 * (side - 1))) }, (_, index) => index + 1);
}

/** Cosine of the angle between two vectors; 0 where one of them is 0. */
export function cosine(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let [dot, ofA, ofB] = [0, 0, 0];
  for (let i = 0; i < a.length; i++) {
    const [x, y] = [a[i] as number, b[i] as number];
    dot += x * y;
    ofA += x * x;
    ofB += y * y;
  }
  return ofA > 0 && ofB > 0 ? dot / Math.sqrt(ofA * ofB) : 0;
}

export function average(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
