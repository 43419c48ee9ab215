import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { makeShapes } from '../../data/shapes';
import { ResidentImages } from '../../data/upload/residentImages';
import type { Engine } from '../../engine/engine';
import { testEngine } from '../../testing/testEngine';
import { estimateMemory, stepShape } from './accounting';
import { resolveConfig, type Config, type Phase } from '../config/config';
import type { PartialSettings } from '../config/options';
import { PRESET_NAMES, PRESETS } from '../config/presets';
import { TINY_DATA, tinyConfig } from '../../testing/tinyRun';
import { initializeModel, makeModel, makeOptimizer } from './models';
import { recordStep } from './recordStep';
import { Trainer } from './trainer';

const RECOMPUTE = ['none', 'blocks'] as const;

describe('a training', () => {
  let engine: Engine;
  beforeAll(async () => {
    engine = await testEngine();
  });
  afterEach(() => {
    const left = engine.pool.liveBuffers;
    engine.pool.dispose();
    expect(left).toBe(0);
  });
  afterAll(() => {
    engine.dispose();
  });

  /** What is made of WebGPU's while `work` is done, by the method that makes it. */
  async function madeDuring(work: () => Promise<unknown>): Promise<Record<string, number>> {
    const { device } = engine;
    const methods = ['createBuffer', 'createBindGroup', 'createComputePipeline', 'createComputePipelineAsync'] as const;
    const made: Record<string, number> = {};
    for (const method of methods) {
      made[method] = 0;
      const original = device[method].bind(device) as (descriptor: never) => never;
      Object.defineProperty(device, method, {
        configurable: true,
        value: (descriptor: never): never => {
          made[method] = (made[method] ?? 0) + 1;
          return original(descriptor);
        },
      });
    }
    try {
      await work();
      return made;
    } finally {
      for (const method of methods) Reflect.deleteProperty(device, method);
    }
  }

  async function train(config: Config, each: (trainer: Trainer) => Promise<void>): Promise<void> {
    const teacher = makeModel(engine, config, 'teacher', { frozen: true });
    const model = makeModel(engine, config, 'imae');
    initializeModel(teacher, 1);
    initializeModel(model, 0);
    const set = TINY_DATA.train;
    const images = new ResidentImages(engine, set);
    const trainer = await Trainer.create({ engine, config, phase: 'imae', set, images, model, teacher });
    try {
      await each(trainer);
    } finally {
      trainer.dispose();
      images.dispose();
      model.parameters.dispose();
      teacher.parameters.dispose();
    }
  }

  it.each<[string, PartialSettings]>([
    ['a batch at once', {}],
    ['in micro-batches', { training: { accumulate: 2 } }],
    ['with blocks computed twice', { training: { recompute: 'blocks' } }],
  ])('makes no buffer, bind group or pipeline after its first step: %s', async (_, settings) => {
    await train(
      tinyConfig({ ...settings, training: { ...settings.training, budget: { steps: 10 } } }),
      async (trainer) => {
        const first = await madeDuring(async () => trainer.run(0, 1, () => false));
        expect(first).toEqual({
          createBuffer: 0,
          createBindGroup: 0,
          createComputePipeline: 0,
          createComputePipelineAsync: 0,
        });
        const steps: number[] = [];
        const { liveBytes } = engine.pool;
        const later = await madeDuring(async () => trainer.run(1, 10, ({ step }) => steps.push(step) < 0));
        expect(steps).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9]);
        expect(later).toEqual(first);
        expect(engine.pool.liveBytes).toBe(liveBytes);
      },
    );
  });

  it('a compilation makes some, which shows that they are counted', async () => {
    const made = await madeDuring(() => train(tinyConfig({ model: { dim: 20 } }), () => Promise.resolve()));
    const { createBuffer = 0, createBindGroup = 0, createComputePipelineAsync = 0 } = made;
    expect(Math.min(createBuffer, createBindGroup, createComputePipelineAsync)).toBeGreaterThan(0);
  });

  it.each(PRESET_NAMES.flatMap((preset) => RECOMPUTE.map((recompute) => [preset, recompute] as const)))(
    'of preset %s, recompute %s, takes hardly more memory than it must',
    (preset, recompute) => {
      // The demo's Muon takes workspace for its matrices, which is nothing beside the activations of its own batch.
      const training = {
        batch: preset === 'demo' ? PRESETS.demo.settings.training.batch : 2,
        accumulate: 1,
        recompute,
      };
      const values = { preset, data: { set: 'shapes' }, training };
      const config = resolveConfig([{ source: 'test', values }]);
      const set = makeShapes({ count: 4, size: config.model.image, seed: 0 });
      const teacher = makeModel(engine, config, 'teacher', { frozen: true });
      for (const phase of ['teacher', 'imae'] satisfies Phase[]) {
        const images = new ResidentImages(engine, set);
        const model = makeModel(engine, config, phase);
        const optimizer = makeOptimizer(config, model.parameters);
        const given = phase === 'imae' ? { teacher } : {};
        const { statistics } = recordStep({ engine, config, phase, set, images, model, optimizer, ...given });
        const { arenaBytes, largestLiveSet } = statistics;
        // Values that a dispatch reads and writes lie in different arenas, which need not be full at the same time.
        expect(arenaBytes / largestLiveSet, phase).toBeLessThanOrEqual(1.15);
        const estimate = estimateMemory(stepShape(config, phase), 0).activations;
        // The estimate counts blocks and pixels; in the small demo the rest weighs most, and what is not alive at once.
        expect(estimate / arenaBytes, phase).toBeGreaterThan(0.8);
        expect(estimate / arenaBytes, phase).toBeLessThan(1.4);
        for (const resource of [images, model.parameters, optimizer]) resource.dispose();
      }
      teacher.parameters.dispose();
    },
  );
});
