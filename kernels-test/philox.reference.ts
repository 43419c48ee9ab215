import { philox4x32 } from '../src/data/philox';
import type { PhiloxStream } from '../src/ops/philox';

/** Word n mod 4 of block n div 4, for n = 0 … count−1. */
export function philoxFill(count: number, { key, counter }: PhiloxStream): Float64Array {
  const words = new Float64Array(Math.ceil(count / 4) * 4);
  for (let block = 0; block * 4 < count; block++) words.set(philox4x32([block, ...counter], key), block * 4);
  return words.subarray(0, count);
}
