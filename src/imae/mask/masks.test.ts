import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ResidentImages } from '../../data/upload/residentImages';
import type { Engine } from '../../engine/engine';
import { testEngine } from '../../testing/testEngine';
import { resolveConfig, type Phase } from '../config/config';
import { maskOf, type MaskKind } from './masks';
import { compileUnmixer } from '../eval/unmixing';
import { imageToPatches } from '../eval/patches';
import { TINY_DATA, tinyConfig, tinyRun } from '../../testing/tinyRun';
import { initializeModel, makeModel } from '../train/models';

const LENGTH = 16;
const KEEP = 4;
const KINDS = ['block', 'grid', 'variance', 'attention'] as const satisfies readonly MaskKind[];
const PAIRS = Array.from({ length: 11 }, (_, index) => ({ first: index, second: 23 - index, alpha: 0.3 }));

describe('masks', () => {
  let engine: Engine;
  beforeAll(async () => {
    engine = await testEngine();
  });
  afterAll(() => {
    expect(engine.pool.liveBuffers).toBe(0);
    engine.dispose();
  });

  const configOf = (mask: MaskKind) => tinyConfig({ masking: { mask, maskRatio: 0.75 } });

  /** What held-out pairs are shown under. */
  async function heldOut(mask: MaskKind, teacherSeed = 1) {
    const config = configOf(mask);
    const model = makeModel(engine, config, 'imae');
    const teacher = makeModel(engine, config, 'teacher', { frozen: true });
    initializeModel(model, 0);
    initializeModel(teacher, teacherSeed);
    const images = new ResidentImages(engine, TINY_DATA.test);
    const shown = { set: TINY_DATA.test, images, model, batch: 4, mask, teacher };
    const unmixer = await compileUnmixer(engine, config, shown);
    try {
      const orders = await unmixer.orders(PAIRS);
      return {
        orders,
        unmixed: await unmixer.unmix(PAIRS, orders),
        again: await unmixer.orders(PAIRS),
        size: model.size,
      };
    } finally {
      unmixer.dispose();
      images.dispose();
      teacher.parameters.dispose();
      model.parameters.dispose();
    }
  }

  it.each(KINDS)(
    '%s: every held-out pair has an order of its own, the same each time, with as many visible',
    async (kind) => {
      const { orders, unmixed, again } = await heldOut(kind);
      expect(orders).toHaveLength(PAIRS.length);
      expect(again).toEqual(orders);
      for (const order of orders)
        expect([...order].sort((a, b) => a - b)).toEqual(Array.from({ length: LENGTH }, (_, i) => i));
      for (const { removed } of unmixed) expect(removed.filter((isRemoved) => !isRemoved)).toHaveLength(KEEP);
      expect(new Set(orders.map((order) => order.join())).size).toBeGreaterThan(3); // a grid of 4 × 4 has 16 shifts
    },
  );

  /** The mean variance of a hidden patch, in that of a visible one. */
  async function detailHidden(kind: MaskKind): Promise<number> {
    const { unmixed, size } = await heldOut(kind);
    const detail = { hidden: 0, visible: 0 };
    for (const { mixed, removed } of unmixed) {
      const patches = imageToPatches(size, mixed);
      const width = patches.length / LENGTH;
      for (const [place, isRemoved] of removed.entries()) {
        const values = patches.subarray(place * width, (place + 1) * width);
        const mean = values.reduce((sum, value) => sum + value, 0) / width;
        const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / width;
        if (isRemoved) detail.hidden += variance / (LENGTH - KEEP);
        else detail.visible += variance / KEEP;
      }
    }
    return detail.hidden / detail.visible;
  }

  it('by variance, the mixture has more detail where it is hidden', async () => {
    const [random, variance] = [await detailHidden('random'), await detailHidden('variance')];
    expect(random).toBeLessThan(1.3);
    expect(variance).toBeGreaterThan(1.3 * random);
  });

  it('by attention, another teacher hides other patches', async () => {
    const [one, other] = [await heldOut('attention', 1), await heldOut('attention', 2)];
    expect(other.orders).not.toEqual(one.orders);
  });

  it.each(['variance', 'attention'] as const)('trains with %s, the same bits twice', async (mask) => {
    const run = async () => (await tinyRun(engine, configOf(mask))).store;
    const [one, other] = [await run(), await run()];
    expect(one.checkpoints.at(-1)).toMatchObject({ phase: 'imae', step: 4 });
    expect(other.checkpoints).toEqual(one.checkpoints);
    expect(other.timeless).toEqual(one.timeless);
  });

  it('trains in f16, too', async () => {
    if (!engine.hasHalf) return;
    const half = { device: { precision: 'f16' } } as const;
    const imae = await tinyRun(engine, tinyConfig({ ...half, masking: { mask: 'attention' } }));
    const lcmae = await tinyRun(engine, tinyConfig({ ...half, training: { mode: 'lcmae' } }));
    for (const { steps } of [imae, lcmae]) for (const { loss } of steps) expect(loss).toBeLessThan(20);
  });

  it.each([
    ['attention', 'imae', 'attention'],
    ['attention', 'teacher', 'random'],
    ['block', 'teacher', 'block'],
  ] satisfies [MaskKind, Phase, MaskKind][])('%s in phase %s is %s', (mask, phase, expected) => {
    expect(maskOf(configOf(mask), phase)).toBe(expected);
  });

  it.each(['teacher', 'mae', 'lcmae'] as const)('by attention, not with --only %s', (mode) => {
    const values = { masking: { mask: 'attention' }, training: { mode } };
    expect(() => resolveConfig([{ source: 'test', values }])).toThrow(
      /--mask \(masking\.mask\): attention is that of a teacher/,
    );
  });

  it('by attention, i-MAE from scratch needs a teacher, too', () => {
    const values = {
      masking: { mask: 'attention' },
      imae: { start: 'scratch', lambda: 0 },
      training: { mode: 'imae' },
    };
    expect(() => resolveConfig([{ source: 'test', values }])).toThrow(/needs a teacher/);
  });
});
