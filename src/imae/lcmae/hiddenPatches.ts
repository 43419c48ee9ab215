/** Of each place, whether an order hides it, of which the first `keep` patches are visible. */
export function isRemovedIn(order: Uint32Array, keep: number): boolean[] {
  const removed = Array.from(order, () => true);
  for (const place of order.subarray(0, keep)) removed[place] = false;
  return removed;
}
