import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Engine } from '../src/gpu/engine';
import { openEngine } from '../src/node/dawn';
import type { KernelSuite } from './suite';
import { engineVariants } from './variants';

/**
 * Turns stated suites into vitest's tests: one device a suite, each test with every choice of kernels; no buffer may be
 * left alive after it.
 */
(globalThis as { registerKernelSuite?: (suite: KernelSuite) => void }).registerKernelSuite = ({ kernel, tests }) => {
  describe(kernel, () => {
    let engine: Engine;
    let variants: Readonly<Record<string, Engine>>;
    beforeAll(async () => {
      engine = await openEngine();
      variants = engineVariants(engine);
    });
    afterAll(() => {
      engine.dispose();
    });
    for (const test of tests) {
      it(test.name, async () => {
        for (const [name, variant] of Object.entries(variants)) {
          await test.run(variant).catch((error: unknown) => {
            throw new Error(`with ${name}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
          });
          expect(variant.pool.liveBuffers, name).toBe(0);
        }
      });
    }
  });
};
