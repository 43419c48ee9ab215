import { expect, it } from 'vitest';
import type { ImageGrid } from '../../../report/imageGrid';
import { SheetHistory } from './sheetHistory';

const sheet = (bytes = 4): ImageGrid => {
  const image = { width: 1, height: bytes / 4, data: new Uint8ClampedArray(bytes) };
  return { title: '', caption: '', columns: ['image'], rows: [{ label: '', images: [image] }], scale: 1 };
};

function history(steps: readonly number[], bytes?: number): SheetHistory {
  const made = new SheetHistory();
  for (const step of steps) made.add({ phase: 'imae', step, sheet: sheet(bytes) });
  return made;
}

it('keeps the newest and, of those before, ever fewer', () => {
  const steps = Array.from({ length: 1000 }, (_, index) => index);
  const kept = history(steps).all.map(({ step }) => step);
  expect(kept.length).toBeLessThanOrEqual(40);
  expect(kept.at(-1)).toBe(999);
  expect(kept).toEqual([...kept].sort((a, b) => a - b));
  expect(Math.min(...kept)).toBeLessThan(100);
});

it('keeps fewer of large ones, but always one', () => {
  expect(history([1, 2, 3], 30 * 2 ** 20).all.map(({ step }) => step)).toEqual([1, 3]);
  expect(history([1, 2], 100 * 2 ** 20).all.map(({ step }) => step)).toEqual([2]);
});

it('forgets what a resumed run makes again, and no other phase', () => {
  const made = history([10, 20, 30]);
  made.add({ phase: 'mae', step: 5, sheet: sheet() });
  made.add({ phase: 'imae', step: 20, sheet: sheet() });
  expect(made.all.map(({ phase, step }) => `${phase} ${step}`)).toEqual(['imae 10', 'mae 5', 'imae 20']);
});
