import { expect, it } from 'vitest';
import { hiddenCounts, complementaryCount, complementaryOrders } from './complementaryMasks';

it.each([
  [16, 12],
  [16, 11],
  [16, 1],
  [16, 15],
  [9, 4],
])('of %i patches with %i visible, the looks hide every patch, and no look is wasted', (length, keep) => {
  const order = Uint32Array.from({ length }, (_, i) => (i * 5 + 2) % length);
  const turns = complementaryOrders(order, keep);
  expect(turns[0]).toEqual(order);
  expect(turns).toHaveLength(complementaryCount(length, keep));
  const hidden = turns.map((turn) => [...turn.subarray(keep)]);
  expect(new Set(hidden.flat()).size).toBe(length);
  expect((turns.length - 1) * (length - keep)).toBeLessThan(length);
  for (const turn of turns) expect(new Set(turn).size).toBe(length);
});

it.each([4, 9, 16, 25, 196, 256])(
  'the mask ratios of %i patches hide some and show some, in 16 looks at most',
  (length) => {
    const counts = hiddenCounts(length);
    expect(counts).toHaveLength(Math.min(16, length) - 1);
    expect(counts).toEqual([...new Set(counts)].sort((a, b) => a - b));
    expect(counts.every((hidden) => hidden >= 1 && hidden < length)).toBe(true);
    expect(Math.max(...counts.map((hidden) => complementaryCount(length, length - hidden)))).toBeLessThanOrEqual(16);
  },
);
