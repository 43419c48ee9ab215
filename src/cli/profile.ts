import { measureCeilings } from '../../bench/peakThroughput.bench';
import { profileTable, profileTrace, withCeilings, type PhaseProfile } from '../report/profile';
import type { Engine } from '../engine/engine';
import { isSoftware, nameAdapter } from '../gpu/adapter';
import { StepProfiler } from '../imae/train/profiler';
import { PROFILE, TRACE } from '../imae/train/runFiles';
import type { RunFolder } from '../runs/runFolder';

/**
 * A profiler that leaves what it finds in a run folder, phase by phase. What the adapter can do at most is measured first,
 * which takes some seconds.
 *
 * @param note is told the table, line by line
 */
export async function profileInto(
  folder: RunFolder,
  engine: Engine,
  note: (text: string) => void,
): Promise<StepProfiler> {
  note('measuring what this adapter can do at most');
  const { f32, subgroupMatrix, copy } = (await measureCeilings(engine)).ceilings;
  const ceilings = {
    f32: f32.value,
    copy: copy.value,
    ...(subgroupMatrix ? { subgroupMatrix: subgroupMatrix.value } : {}),
  };
  const phases: PhaseProfile[] = [];
  const adapter = nameAdapter(engine.info);
  const clock = engine.hasTimestamps ? 'gpu' : 'host';
  const profiler = new StepProfiler(clock, (measured) => {
    const profile = withCeilings(measured, ceilings);
    phases.push(profile);
    const whole = { format: 'palimpsest profile 1', adapter, software: isSoftware(engine.info), ceilings, phases };
    folder.writeFile(PROFILE, `${JSON.stringify(whole, null, 2)}\n`);
    const titles = { gpu: clock === 'gpu' ? adapter : `${adapter}, by the host's clock`, host: 'host' };
    const trace = folder.writeFile(TRACE, profileTrace(profiler.events, titles));
    for (const line of profileTable(profile)) note(line);
    note(`${trace}: open it at ui.perfetto.dev`);
  });
  return profiler;
}
