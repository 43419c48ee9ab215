import { describe, expect, it } from 'vitest';
import { Engine } from '../../engine/engine';
import type { DebugMode } from '../../gpu/gpuEngine';
import { compareKernels } from '../../tensor/kernelComparison';
import { testEngine } from '../../testing/testEngine';
import { tinyConfig, tinyRun } from '../../testing/tinyRun';
import type { PartialSettings } from '../config/options';

/* Steps of teacher and i-MAE whose numbers are all looked at, and compared with those of the reference kernels. */

/** f16 overflows on purpose, until its scale fits. */
const CASES: readonly (readonly [string, DebugMode, PartialSettings])[] = [
  ['f32', compareKernels(), {}],
  [
    'f32, Muon, recomputed blocks, micro-batches',
    compareKernels(),
    { optimizer: { muon: 0.02 }, training: { recompute: 'blocks', accumulate: 2 } },
  ],
  ['f16', compareKernels({ finite: false }), { device: { precision: 'f16' } }],
];

describe.each([
  ["a GPU's kernels", false],
  ["a software adapter's kernels", true],
])('a training with %s, debugged', (_, software) => {
  for (const [name, debug, settings] of CASES) {
    const tags = software && settings.device ? ['thorough'] : [];
    it(`finds nothing wrong, and trains with the same bits: ${name}`, { tags }, async ({ skip }) => {
      const { device, info, wait } = await testEngine();
      const train = async (mode: DebugMode): Promise<unknown> => {
        const engine = Engine.borrow(device, { info, wait, software, debug: mode });
        skip(settings.device?.precision === 'f16' && !engine.hasHalf, 'this adapter has no f16');
        const budgets = { training: { budget: { steps: 3 }, ...settings.training }, teacher: { budget: { steps: 2 } } };
        const { steps } = await tinyRun(engine, tinyConfig({ ...settings, ...budgets }));
        expect(engine.memory.bytes).toBe(0);
        engine.dispose();
        return steps;
      };
      expect(await train(debug)).toEqual(await train(false));
    });
  }
});
