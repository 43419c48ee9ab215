import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Engine } from '../src/engine/engine';
import { openEngine } from '../src/node/dawn';
import { runSuites, type TestResult } from './runSuites';
import type { KernelTest } from './suite';

const holds: KernelTest = { name: 'holds', run: async () => undefined };

const fails: KernelTest = {
  name: 'fails with plain kernels',
  run: async ({ traits }) => {
    if (traits.plain) throw new Error('y: relative error 1');
  },
};

const leaks: KernelTest = {
  name: 'leaks',
  run: async (engine) => {
    engine.allocate(64, 'forgotten');
  },
};

/** WebGPU tells of it when the test is long over. */
const errsLate: KernelTest = {
  name: 'errs late',
  run: async (engine) => {
    engine.guarded('a copy', () => {
      const { gpu } = engine.allocate(64, 'not mappable');
      void gpu.mapAsync(GPUMapMode.READ).catch(() => undefined);
      engine.pool.dispose();
    });
  },
};

const loses: KernelTest = {
  name: 'loses the device',
  run: async (engine) => {
    engine.device.destroy();
    await engine.settle();
  },
};

describe('runSuites', () => {
  let engine: Engine;
  beforeEach(async () => {
    engine = await openEngine();
  });
  afterEach(() => {
    engine.dispose();
  });

  /** What a test left behind would fail the one after it. */
  it.each([
    [fails, /^with plain kernels: y: relative error 1$/],
    [leaks, /^with kernels for GPUs: buffers left alive: 1$/],
    [errsLate, /^with kernels for GPUs: a copy: WebGPU says: /],
  ])('reports a test that $name, and goes on', async (test, failure) => {
    const results: TestResult[] = [];
    for await (const result of runSuites(engine, [
      { kernel: 'a', tests: [holds, test, holds] },
      { kernel: 'b', tests: [holds] },
    ])) {
      results.push(result);
    }
    expect(results.map(({ kernel, name }) => `${kernel} ${name}`)).toEqual([
      'a holds',
      `a ${test.name}`,
      'a holds',
      'b holds',
    ]);
    expect(results[1]?.failure).toMatch(failure);
    expect(results.filter((result) => result.failure !== undefined)).toHaveLength(1);
    for (const { milliseconds } of results) expect(milliseconds).toBeGreaterThanOrEqual(0);
  });

  it('runs each test with every choice of kernels', async () => {
    const choices: unknown[] = [];
    const looks: KernelTest = {
      name: 'looks',
      run: async ({ traits: { software, plain } }) => void choices.push({ software, plain }),
    };
    for await (const { failure } of runSuites(engine, [{ kernel: 'a', tests: [looks] }]))
      expect(failure).toBeUndefined();
    const { software } = engine.traits;
    expect(choices).toEqual([
      { software: false, plain: false },
      { software: true, plain: false },
      { software, plain: true },
    ]);
  });

  it('stops when nobody asks for more', async () => {
    const ran: string[] = [];
    const tests = ['first', 'second'].map((name): KernelTest => ({ name, run: async () => void ran.push(name) }));
    for await (const { name } of runSuites(engine, [{ kernel: 'a', tests }])) {
      expect(name).toBe('first');
      break;
    }
    expect(new Set(ran)).toEqual(new Set(['first']));
    await engine.settle(); // the device is not the runner's to destroy
  });

  it('ends where the device is lost', async () => {
    const names: string[] = [];
    const run = async (): Promise<void> => {
      for await (const { name } of runSuites(engine, [{ kernel: 'a', tests: [holds, loses, holds] }])) names.push(name);
    };
    await expect(run()).rejects.toMatchObject({ code: 'device-lost' });
    expect(names).toEqual(['holds']);
  });
});
