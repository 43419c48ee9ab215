import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Engine } from '../src/gpu/engine';
import { openEngine } from '../src/node/dawn';
import type { KernelSuite } from './suite';

/** Turns stated suites into vitest's tests, one engine a suite; no buffer may be left alive after a test. */
(globalThis as { registerKernelSuite?: (suite: KernelSuite) => void }).registerKernelSuite = ({ kernel, tests }) => {
  describe(kernel, () => {
    let engine: Engine;
    beforeAll(async () => {
      engine = await openEngine();
    });
    afterAll(() => {
      engine.dispose();
    });
    for (const test of tests) {
      it(test.name, async () => {
        await test.run(engine);
        expect(engine.pool.liveBuffers).toBe(0);
      });
    }
  });
};
