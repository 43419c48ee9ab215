import { afterEach, describe, expect, it } from 'vitest';
import type { PhaseProfile } from '../../report/profile';
import type { Engine } from '../../engine/engine';
import { openEngine } from '../../node/dawn';
import type { Config } from '../config/config';
import { StepProfiler } from './profiler';
import { tinyConfig, tinyRun } from '../../testing/tinyRun';

/** With micro-batches a step is several runs of a program, and one of another. */
const longer = (accumulate: number): Config =>
  tinyConfig({
    teacher: { budget: { steps: 14 }, warmup: { steps: 1 } },
    training: { budget: { steps: 5 }, batch: 8, accumulate, seed: 5 },
    logging: { scoreEvery: 0, checkpointEvery: 7 },
  });

const engines: Engine[] = [];
afterEach(() => {
  for (const engine of engines.splice(0)) engine.dispose();
});

interface Profiled {
  readonly trace: unknown;
  readonly profiles: readonly PhaseProfile[];
  readonly profiler: StepProfiler;
}

async function run(config: Config, profiled: boolean, timestamps = true): Promise<Profiled> {
  const engine = await openEngine({ timestamps });
  engines.push(engine);
  const profiles: PhaseProfile[] = [];
  const profiler = new StepProfiler(engine.hasTimestamps ? 'gpu' : 'host', (profile) => profiles.push(profile));
  const { steps, store } = await tinyRun(engine, config, profiled ? { profiler } : {});
  return { trace: { steps, lines: store.timeless, checkpoints: store.checkpoints }, profiles, profiler };
}

describe('profiling some steps of a run', () => {
  it('leaves its bits as they are, and tells each phase', async () => {
    const { trace, profiles, profiler } = await run(longer(2), true);
    expect(trace).toEqual((await run(longer(2), false)).trace);
    // Of 14 steps 3 of each kind; of 5, one of each kind.
    expect(profiles.map(({ phase, steps }) => ({ phase, steps }))).toEqual([
      { phase: 'teacher', steps: [9, 10, 11] },
      { phase: 'imae', steps: [3] },
    ]);
    for (const { rows, dispatches, steps, normal, profiled, gaps, host } of profiles) {
      expect(rows.reduce((sum, row) => sum + row.dispatches, 0)).toBeCloseTo(dispatches);
      expect(rows.reduce((sum, row) => sum + row.share, 0)).toBeCloseTo(1);
      const busy = rows.reduce((sum, row) => sum + row.milliseconds, 0);
      expect(busy + gaps).toBeCloseTo(profiled, 6);
      expect(normal).toBeGreaterThan(0);
      expect(Math.min(...Object.values<number>({ ...host }))).toBeGreaterThan(0);
      expect(rows.find(({ kernel }) => kernel.startsWith('attention'))?.gflops).toBeGreaterThan(0);
      expect(rows.every(({ gigabytes }) => gigabytes > 0)).toBe(true);

      // The events are those that the table sums up.
      const names = new Set(steps.map((step) => `step ${step}, each dispatch by itself`));
      const spans = profiler.events.filter(({ name }) => names.has(name));
      expect(spans.length).toBeGreaterThanOrEqual(steps.length);
    }
    const onGpu = profiler.events.filter(({ track }) => track === 'gpu');
    expect(onGpu).toHaveLength(profiles.reduce((sum, { dispatches, steps }) => sum + dispatches * steps.length, 0));
    const inEvents = onGpu.reduce((sum, { begin, end }) => sum + 1000 * (end - begin), 0);
    const inRows = profiles.flatMap(({ rows, steps }) => rows.map((row) => row.milliseconds * steps.length));
    expect(inEvents).toBeCloseTo(
      inRows.reduce((sum, value) => sum + value, 0),
      6,
    );
    for (const [index, { begin, end }] of onGpu.entries()) {
      expect(end).toBeGreaterThanOrEqual(begin);
      expect(begin).toBeGreaterThanOrEqual(onGpu[index - 1]?.begin ?? 0);
    }
  });

  it("by the host's clock where there are no timestamps, with the same bits", async () => {
    const { trace, profiles } = await run(longer(1), true, false);
    expect(profiles.map(({ clock }) => clock)).toEqual(['host', 'host']);
    expect(trace).toEqual((await run(longer(1), false, false)).trace);
  });
});
