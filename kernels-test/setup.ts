import { basename } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Engine } from '../src/engine/engine';
import { openEngine } from '../src/node/dawn';
import { TestRunner } from './runSuites';
import type { KernelSuite } from './suite';

/** Turns the suite of the file at hand into vitest's tests, on a device of its own. What else it imports is not its own. */
(globalThis as { registerKernelSuite?: (suite: KernelSuite) => void }).registerKernelSuite = ({ kernel, tests }) => {
  if (basename(expect.getState().testPath ?? '') !== `${kernel}.test.ts`) return;
  describe(kernel, () => {
    let engine: Engine;
    let runner: TestRunner;
    beforeAll(async () => {
      engine = await openEngine();
      runner = new TestRunner(engine);
    });
    afterAll(() => {
      runner.dispose();
      engine.dispose();
    });
    for (const test of tests) it(test.name, { tags: test.isThorough ? ['thorough'] : [] }, () => runner.run(test));
  });
};
