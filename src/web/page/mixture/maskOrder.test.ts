import { expect, it } from 'vitest';
import { IMAGENET } from '../../../imae/model/normalisation';
import { FREE_MASKS } from '../../../imae/mask/maskOrders';
import { maskOrder, type Masked } from './maskOrder';

const size = { image: 24, channels: 3, patch: 3 };
/** The left half is plain, the right one is all edges. */
const mixture = Uint8Array.from({ length: 3 * 24 * 24 }, (_, at) => (at % 24 < 12 ? 90 : (at % 2) * 255));
const masked: Masked = { size, mixture, normalisation: IMAGENET, keep: 48 };
const hiddenOf = (order: Uint32Array): { x: number; y: number }[] =>
  [...order.subarray(masked.keep)].map((place) => ({ x: place % 8, y: Math.floor(place / 8) }));

it.each(FREE_MASKS)('%s: all patches once, and others in another turn', (kind) => {
  const [one, two] = [maskOrder(kind, 1, masked), maskOrder(kind, 2, masked)];
  expect([...one].sort((a, b) => a - b)).toEqual(Array.from({ length: 64 }, (_, place) => place));
  expect([...two]).not.toEqual([...one]);
  expect(maskOrder(kind, 1, masked)).toEqual(one);
});

it('hides what its kind says: blocks that hang together, all but a grid, rather the busy half', () => {
  const touching = hiddenOf(maskOrder('block', 3, masked)).filter(({ x, y }, _, all) =>
    all.some((other) => Math.abs(other.x - x) + Math.abs(other.y - y) === 1),
  );
  expect(touching).toHaveLength(16);
  // A quarter: no two of them lie side by side.
  const lone = hiddenOf(maskOrder('grid', 3, masked)).filter(({ x, y }, _, all) =>
    all.every((other) => Math.abs(other.x - x) + Math.abs(other.y - y) !== 1),
  );
  expect(lone).toHaveLength(16);
  const busy = [1, 2, 3, 4].flatMap((turn) => hiddenOf(maskOrder('variance', turn, masked))).filter(({ x }) => x >= 4);
  expect(busy.length).toBeGreaterThan(0.8 * 4 * 16);
});
