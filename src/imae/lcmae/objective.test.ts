import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Engine } from '../../engine/engine';
import { testEngine } from '../../testing/testEngine';
import { drawMasks } from '../../ops/mask';
import { random } from '../../../kernels-test/allclose';
import { Graph } from '../../tensor/graph';
import type { Tensor } from '../../tensor/tensor';
import { maeObjective } from '../model/objective';
import { MemoryStore, tinyConfig, tinyRun } from '../../testing/tinyRun';
import { initializeModel, makeModel } from '../train/models';
import { lcmaeObjective } from './objective';

const B = 3;
const KEEP = 5;

describe('LC-MAE', () => {
  let engine: Engine;
  beforeAll(async () => {
    engine = await testEngine();
  });
  afterAll(() => {
    expect(engine.pool.liveBuffers).toBe(0);
    engine.dispose();
  });

  /** Loss and gradients on three images under two masks each, by either objective. */
  async function evaluate(
    mu: number | 'mae',
  ): Promise<{ loss: number; align: number; centre: number; gradients: number[] }> {
    const config = tinyConfig();
    const model = makeModel(engine, config, 'lcmae');
    initializeModel(model, 1);
    const graph = new Graph(engine);
    const { image, channels } = model.size;
    const once = random([B, channels, image, image], 3).data;
    const twice = graph.input('images', [2 * B, channels, image, image], 'f32', Float32Array.of(...once, ...once));
    const counter = graph.input('counter', [5], 'u32', Uint32Array.of(1, 0, 6, 0, 0));
    const masks = drawMasks({ batch: 2 * B, length: (image / 4) ** 2, keep: KEEP, counter });
    const lcmae = mu === 'mae' ? undefined : lcmaeObjective(model, twice, masks, { mu, normPix: false });
    const { loss } = lcmae ?? maeObjective(model, twice, masks, { normPix: false });
    graph.backward(loss);
    graph.output(loss, ...(lcmae ? [lcmae.align, lcmae.centre] : []));
    const program = await graph.compile();
    program.run();
    const first = async (tensor: Tensor = loss): Promise<number> => (await program.read(tensor))[0] as number;
    const gradients: number[] = [];
    for (const { grad } of model.parameters.arenas.flatMap(({ members }) => members)) {
      gradients.push(...(await program.read(grad)));
    }
    const result = {
      loss: await first(),
      align: await first(lcmae?.align),
      centre: await first(lcmae?.centre),
      gradients,
    };
    program.dispose();
    model.parameters.dispose();
    return result;
  }

  it('with μ = 0 is an MAE on the batch taken twice, under two masks, bit for bit', async () => {
    const [mae, lcmae] = [await evaluate('mae'), await evaluate(0)];
    expect(lcmae.loss).toBe(mae.loss);
    expect(lcmae.gradients.findIndex((value, i) => value !== mae.gradients[i])).toBe(-1);
    expect(Math.hypot(...lcmae.gradients)).toBeGreaterThan(0.01);
  });

  it('adds μ times the alignment', async () => {
    const [zero, two] = [await evaluate(0), await evaluate(2)];
    expect(two.align).toBe(zero.align);
    expect(two.align).toBeGreaterThan(0);
    expect(two.loss).toBeCloseTo(zero.loss + 2 * zero.align, 5);
    expect(two.gradients.some((value, i) => value !== zero.gradients[i])).toBe(true);
  });

  it('trains, logs both terms, leaves checkpoints and pictures, and is resumed bit for bit', async () => {
    const config = tinyConfig({
      training: { mode: 'lcmae', accumulate: 2, budget: { steps: 3 } },
      lcmae: { mu: 0.5 },
      logging: { panelsEvery: 3 },
    });
    const whole = await tinyRun(engine, config);
    expect(whole.steps.map(({ step }) => step)).toEqual([0, 1, 2, 3, 4, 5]);
    expect(whole.store.lines[0]).toMatchObject({ phase: 'lcmae' });
    for (const { loss, parts } of whole.steps) {
      expect(Object.keys(parts)).toEqual(['pixel', 'align', 'centre']);
      expect(loss).toBeCloseTo((parts['pixel'] as number) + 0.5 * (parts['align'] as number), 4);
    }
    expect(whole.store.checkpoints.at(-1)).toMatchObject({ phase: 'lcmae', step: 6 });
    expect([...whole.store.sheets.keys()].at(-1)).toBe('lcmae-000006');
    const store = new MemoryStore();
    await tinyRun(engine, config, { store, stopAfter: 3 });
    await tinyRun(engine, config, { store, resume: store.resumePoint() });
    expect(store.checkpoints.at(-1)).toEqual(whole.store.checkpoints.at(-1));
  });
});
