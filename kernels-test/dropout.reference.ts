import { philox4x32, philoxKey } from '../src/data/philox';

/** The purpose of dropout's draws. */
export const DROPOUT = 19;

/** What each element is multiplied by. @param draw seed, run, and which of the program's draws it is */
export function scalesOf(
  count: number,
  p: number,
  { seed, step, index }: { readonly seed: number; readonly step: number; readonly index: number },
): Float64Array {
  const key = philoxKey(seed);
  return Float64Array.from({ length: count }, (_, i) => {
    const words = philox4x32([Math.floor(i / 4), step, DROPOUT, index], key);
    const uniform = ((words[i % 4] as number) >>> 8) * 2 ** -24;
    return uniform >= p ? 1 / (1 - p) : 0;
  });
}
