// @module-tag thorough
import { afterAll, beforeAll, expect, test } from 'vitest';
import { runStep, steps, type StepCase } from '../../bench/step.bench';
import { Engine } from '../engine/engine';
import { openEngine } from '../node/dawn';

let fast: Engine;
let plain: Engine;
beforeAll(async () => {
  fast = await openEngine();
  plain = Engine.borrow(fast.device, { info: fast.info, wait: fast.wait, plain: true });
});
afterAll(() => {
  plain.dispose();
  fast.dispose();
});

/** lavapipe is where the ratio was promised: other adapters have kernels, and plain kernels, of another speed. */
const PROMISED = { adapter: /llvmpipe|lavapipe/i, ratio: 4 };

test('a training step gives the same with fast and plain kernels, and is 4 times as fast on lavapipe', async () => {
  // It throws where loss or gradient norm differ.
  const twoWay = steps.find(({ name }) => name === 'cifar-p4 two-way') as StepCase;
  const { ratio, fast: timing, difference } = await runStep(fast, plain, twoWay);
  console.log(
    `ratio ${(ratio ?? 0).toFixed(1)}, ${timing.gflops.toFixed(1)} GFLOP/s, difference ${difference.toExponential(1)}`,
  );
  expect(timing.milliseconds).toBeGreaterThan(0);
  const { device, description } = fast.info;
  if (PROMISED.adapter.test(`${device} ${description}`)) expect(ratio).toBeGreaterThanOrEqual(PROMISED.ratio);
});
