import { describe, expect, it } from 'vitest';
import { mixedTargets } from './finetune';
import { targetsOf } from './learning';
import { drawErased, drawMix, drawPaths, dropRate } from './mixupCutmix';

const STEPS = Array.from({ length: 2000 }, (_, step) => step);

describe('mixup and cutmix', () => {
  const laws = { mixup: 0.8, cutmix: 1 };
  const all = STEPS.map((step) => drawMix(7, step, laws, 32));
  const cuts = all.filter(({ pixels: [own] }) => own === 1);

  it('take turns, each about half of the time', () => {
    // Five deviations of 2,000 fair coins.
    expect(Math.abs(cuts.length / all.length - 0.5)).toBeLessThan(5 * Math.sqrt(0.25 / all.length));
  });

  it('mixup weighs labels as it weighs pixels, by Beta(0.8, 0.8)', () => {
    const mixed = all.filter(({ pixels: [own] }) => own !== 1);
    for (const { lambda, pixels } of mixed) expect(pixels).toEqual([lambda, 0, 0, 0, 0]);
    const mean = mixed.reduce((sum, { lambda }) => sum + lambda, 0) / mixed.length;
    const variance = mixed.reduce((sum, { lambda }) => sum + (lambda - mean) ** 2, 0) / mixed.length;
    // Beta(a, a) has variance 1 / (4·(2a + 1)): 0.0962. Five standard errors of the mean; of the variance, 15 %.
    expect(Math.abs(mean - 0.5)).toBeLessThan(5 * Math.sqrt(0.0962 / mixed.length));
    expect(Math.abs(variance / 0.0962 - 1)).toBeLessThan(0.15);
  });

  it('cutmix weighs labels by the area that is left, and stays inside', () => {
    expect(cuts.some(({ lambda }) => lambda < 1)).toBe(true);
    for (const {
      lambda,
      pixels: [, y, endY, x, endX],
    } of cuts) {
      let inside = 0;
      for (let row = 0; row < 32; row++)
        for (let column = 0; column < 32; column++)
          if (row >= y && row < endY && column >= x && column < endX) inside++;
      expect(lambda).toBe(1 - inside / 1024);
      expect([y, x].every((start) => start >= 0) && [endY, endX].every((end) => end <= 32)).toBe(true);
    }
  });

  it('one of them alone is always that one, and none mixes nothing', () => {
    for (const step of STEPS.slice(0, 50)) {
      expect(drawMix(7, step, { mixup: 0.8, cutmix: 0 }, 32).pixels.slice(1)).toEqual([0, 0, 0, 0]);
      expect(drawMix(7, step, { mixup: 0, cutmix: 1 }, 32).pixels[0]).toBe(1);
      expect(drawMix(7, step, { mixup: 0, cutmix: 0 }, 32)).toEqual({ lambda: 1, pixels: [1, 0, 0, 0, 0] });
    }
  });

  it('targets are smoothed, and mixed with those of the batch in reverse', () => {
    const [off, on] = [0.1 / 4, 0.9 + 0.1 / 4];
    expect([...targetsOf([2], 4, 0.1)]).toEqual([off, off, on, off].map(Math.fround));
    const targets = mixedTargets([0, 1, 3], 4, 0.1, 0.7);
    const expected = [
      [0.7 * on + 0.3 * off, off, off, 0.7 * off + 0.3 * on],
      [off, on, off, off],
      [0.7 * off + 0.3 * on, off, off, 0.7 * on + 0.3 * off],
    ].flat();
    for (const [i, target] of targets.entries()) expect(target).toBeCloseTo(expected[i] as number, 6);
    expect(mixedTargets([1], 3, 0, 1)).toEqual(Float32Array.of(0, 1, 0));
  });
});

describe('random erasing', () => {
  it('takes boxes of the published area and shape from the share of images that it is to', () => {
    const side = 64;
    const boxes = STEPS.slice(0, 100).flatMap((step) => {
      const drawn = drawErased(3, step, 20, 0.25, side);
      return Array.from(
        { length: 20 },
        (_, i) => [...drawn.subarray(4 * i, 4 * i + 4)] as [number, number, number, number],
      );
    });
    const erased = boxes.filter(([y, endY]) => endY > y);
    expect(Math.abs(erased.length / boxes.length - 0.25)).toBeLessThan(5 * Math.sqrt((0.25 * 0.75) / boxes.length));
    for (const [y, endY, x, endX] of erased) {
      const [height, width] = [endY - y, endX - x];
      expect(y >= 0 && x >= 0 && endY <= side && endX <= side).toBe(true);
      // Sides are rounded to whole pixels, by half of one at most.
      expect((height + 0.5) * (width + 0.5)).toBeGreaterThan(0.02 * side * side);
      expect((height - 0.5) * (width - 0.5)).toBeLessThan((side * side) / 3);
      expect((height - 0.5) / (width + 0.5)).toBeLessThan(1 / 0.3);
      expect((width - 0.5) / (height + 0.5)).toBeLessThan(1 / 0.3);
    }
  });
});

describe('drop path', () => {
  it('rises linearly over depth', () => {
    expect([0, 1, 2].map((block) => dropRate(0.1, block, 3))).toEqual([0, 0.05, 0.1]);
    expect(dropRate(0.1, 0, 1)).toBe(0);
  });

  it('keeps each branch in the mean, at the rate of its block', () => {
    const [depth, batch] = [3, 50];
    const scales = STEPS.slice(0, 100).map((step) => drawPaths(5, step, depth, batch, 0.3));
    for (let row = 0; row < 2 * depth; row++) {
      const rate = dropRate(0.3, Math.floor(row / 2), depth);
      const drawn = scales.flatMap((table) => [...table.subarray(row * batch, (row + 1) * batch)]);
      expect(new Set(drawn)).toEqual(new Set(rate === 0 ? [1] : [0, Math.fround(1 / (1 - rate))]));
      const mean = drawn.reduce((sum, scale) => sum + scale, 0) / drawn.length;
      // Five standard errors: the variance of a scale is rate / (1 − rate).
      expect(Math.abs(mean - 1)).toBeLessThanOrEqual(5 * Math.sqrt(rate / (1 - rate) / drawn.length));
    }
  });
});
