/*
 * Visible patches get no loss, so what a model predicts for them is noise. A composite is made of several looks at one
 * mixture, by turning the order of patches until each was hidden once.
 */

/** At most so many looks, and so many mask ratios to choose from. */
const MOST = 16;

/** How many looks hide every patch once. */
export function complementaryCount(patches: number, keep: number): number {
  return Math.ceil(patches / (patches - keep));
}

/**
 * Orders of patches of which each hides others, until every patch had its turn.
 *
 * @param order the first one; its first `keep` are visible, and so on
 */
export function complementaryOrders(order: Uint32Array, keep: number): Uint32Array[] {
  const length = order.length;
  return Array.from({ length: complementaryCount(length, keep) }, (_, turn) =>
    order.map((__, i) => order[(i + turn * (length - keep)) % length] as number),
  );
}

/** Numbers of hidden patches that a slider offers: evenly spread, few enough that a composite takes 16 looks at most. */
export function hiddenCounts(patches: number): number[] {
  const steps = Math.min(MOST, patches);
  return Array.from({ length: steps - 1 }, (_, index) => Math.ceil((patches * (index + 1)) / steps));
}
