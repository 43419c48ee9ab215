import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Engine } from '../../engine/engine';
import type { Parameter } from '../../tensor/parameter';
import { Graph } from '../../tensor/graph';
import { readTensor } from '../../tensor/tensor';
import { openEngine } from '../../node/dawn';
import { testEngine } from '../../testing/testEngine';
import { drawMasks } from '../../ops/mask';
import { LossScaling } from '../../optim/lossScaling';
import type { Config } from '../config/config';
import { maeObjective } from '../model/objective';
import type { PartialSettings } from '../config/options';
import { rehearse } from './phaseResources';
import { DivergedError } from './run';
import { MemoryStore, TINY_DATA, tinyConfig, tinyRun, type TinyRun } from '../../testing/tinyRun';
import { initializeModel, makeModel } from './models';

/* Training with activations in f16, beside training in f32. */

const HALF = { device: { precision: 'f16' } } as const satisfies PartialSettings;

describe('precision f16', () => {
  let engine: Engine;
  beforeAll(async () => {
    engine = await testEngine();
  });
  afterAll(() => {
    engine.dispose();
  });
  beforeEach(({ skip }) => {
    skip(!engine.hasHalf, 'this adapter has no f16');
  });

  const run = async (settings: PartialSettings, options: Parameters<typeof tinyRun>[2] = {}): Promise<TinyRun> => {
    const result = await tinyRun(engine, tinyConfig({ ...HALF, ...settings }), options);
    expect(engine.pool.liveBuffers).toBe(0);
    return result;
  };
  const traces = ({ steps, store }: TinyRun): unknown => ({
    steps,
    lines: store.timeless,
    checkpoints: store.checkpoints,
  });

  /** The gradient of every parameter of a vanilla MAE, and its loss. */
  async function gradients(config: Config): Promise<ReadonlyMap<string, Float32Array>> {
    const { precision } = config.device;
    const model = makeModel(engine, config, 'mae');
    initializeModel(model, 3);
    await model.parameters.updateHalves();
    const scaling = precision === 'f16' ? new LossScaling(engine) : undefined;
    const graph = new Graph(engine, { precision });
    const pixels = Float32Array.from({ length: 4 * 3 * 16 * 16 }, (_, i) => Math.sin(0.37 * i) + Math.cos(0.011 * i));
    const images = graph.input('images', [4, 3, 16, 16], 'f32', pixels);
    const masks = drawMasks({ batch: 4, length: 16, keep: 8, counter: graph.input('counter', [5], 'u32') });
    const { loss } = maeObjective(model, images, masks, { normPix: false });
    graph.backward(loss, scaling?.scale);
    graph.output(loss);
    const program = await graph.compile();
    program.run();
    const found = new Map([['loss', await program.read(loss)]]);
    const scale = scaling ? ((await readTensor(engine, scaling.scale))[0] as number) : 1;
    for (const { name, grad } of model.parameters.arenas.flatMap(({ members }): readonly Parameter[] => members)) {
      found.set(
        name,
        (await program.read(grad)).map((value) => value / scale),
      );
    }
    for (const owner of [program, scaling, model.parameters]) owner?.dispose();
    return found;
  }

  it("a model's loss and gradients are those of f32, within what f16 rounds off", async () => {
    const [half, single] = [await gradients(tinyConfig(HALF)), await gradients(tinyConfig())];
    expect([...half.keys()]).toEqual([...single.keys()]);
    let largest = 0;
    for (const [name, wanted] of single) {
      const found = half.get(name) as Float32Array;
      const norm = (values: Float32Array): number => Math.sqrt(values.reduce((sum, x) => sum + x * x, 0));
      const error = norm(wanted.map((x, i) => x - (found[i] as number))) / norm(wanted);
      // Some ten roundings of at most 2⁻¹¹ one after another; they are at random, so that they do not add up.
      expect(error, name).toBeLessThan(name === 'loss' ? 2 ** -10 : 10 * 2 ** -11);
      largest = Math.max(largest, error);
    }
    expect(largest).toBeGreaterThan(2 ** -16); // or it was not computed in f16 at all
  }, 300_000); // it is the first to compile all kernels of a model in f16

  it('the same seed gives the same bits, also where the run is stopped and resumed', async () => {
    const first = await run({});
    expect(traces(await run({}))).toEqual(traces(first));
    const store = new MemoryStore();
    await run({}, { store, stopAfter: 4 });
    const rest = await run({}, { store, resume: store.resumePoint() });
    expect(rest.steps).toEqual(first.steps.slice(5));
    expect(store.timeless).toEqual(first.store.timeless);
    expect(store.checkpoints.at(-1)).toEqual(first.store.checkpoints.at(-1));
    expect(first.store.lines[0]).toMatchObject({ lossScale: 65536, skippedSteps: 0 });
    await expect(tinyRun(engine, tinyConfig(), { store, resume: store.resumePoint() })).rejects.toThrow(
      /device\.precision/,
    );
  });

  it('ends within 1 % of the loss of f32', async () => {
    const settings: PartialSettings = {
      training: { mode: 'mae', budget: { steps: 80 } },
      imae: { start: 'scratch', lambda: 0 },
      logging: { scoreEvery: 0, checkpointEvery: 0 },
    };
    const means: number[] = [];
    for (const precision of ['f16', 'f32'] as const) {
      const { steps } = await run({ ...settings, device: { precision } });
      expect(steps).toHaveLength(80);
      expect(steps.at(-1)?.loss).toBeLessThan(0.8 * (steps[0]?.loss ?? 0));
      means.push(steps.slice(-10).reduce((sum, { loss }) => sum + loss, 0) / 10);
    }
    const [half = 0, single = 1] = means;
    expect(half).not.toBe(single);
    expect(Math.abs(half / single - 1)).toBeLessThan(0.01);
  });

  it('gradients that overflow skip steps and halve the scale; where that does not help, the run stops', async () => {
    // Distillation with such a weight makes gradients that f16 does not hold at first.
    const loud = (lambda: number): PartialSettings => ({ imae: { lambda }, logging: { scoreEvery: 0 } });
    const longer = { training: { budget: { steps: 30 } } };
    const { steps, store } = await run({ ...loud(1e5), ...longer });
    const skipped = steps.filter(({ scaling }) => scaling?.isSkipped);
    expect(skipped.length).toBeGreaterThan(0);
    expect(skipped.length).toBeLessThan(steps.length);
    expect(store.lines.filter((line) => 'loss' in line).at(-1)).toMatchObject({ skippedSteps: skipped.length });
    const hopeless = run({ ...loud(1e9), ...longer });
    await expect(hopeless).rejects.toThrow(/overflows f16 even with a loss scale of 1; the run stops/);
    await expect(hopeless).rejects.toBeInstanceOf(DivergedError);
  });
});

it('an adapter without f16 is refused in words', async () => {
  const bare = await openEngine({ baseline: true });
  await expect(rehearse(bare, tinyConfig(HALF), TINY_DATA)).rejects.toThrow(/^--precision f16: .* shader-f16/);
  bare.dispose();
});
