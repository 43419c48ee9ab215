/** A number as whole numbers of a range, cut off towards 0. */
const kept = (low: number, high: number) => (x: number) => Math.min(Math.max(Math.trunc(x), low), high);

/** f32 as the other types. */
export const toI32 = kept(-(2 ** 31), 2 ** 31 - 1);
export const toU32 = kept(0, 2 ** 32 - 1);
