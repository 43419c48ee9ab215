import { profileTable, profileTrace, type PhaseProfile } from '../files/profile';
import { isSoftware, nameAdapter, type Engine } from '../gpu/engine';
import { StepProfiler } from '../imae/profiler';
import { PROFILE, TRACE } from '../imae/runFiles';
import type { RunFolder } from './runFolder';

/**
 * A profiler that leaves what it finds in a run folder, phase by phase.
 *
 * @param note is told the table, line by line
 */
export function profileInto(folder: RunFolder, engine: Engine, note: (text: string) => void): StepProfiler {
  const phases: PhaseProfile[] = [];
  const adapter = nameAdapter(engine.info);
  const clock = engine.hasTimestamps ? 'gpu' : 'host';
  const profiler = new StepProfiler(clock, (profile) => {
    phases.push(profile);
    const whole = { format: 'palimpsest profile 1', adapter, software: isSoftware(engine.info), phases };
    folder.writeFile(PROFILE, `${JSON.stringify(whole, null, 2)}\n`);
    const titles = { gpu: clock === 'gpu' ? adapter : `${adapter}, by the host's clock`, host: 'host' };
    const trace = folder.writeFile(TRACE, profileTrace(profiler.events, titles));
    for (const line of profileTable(profile)) note(line);
    note(`${trace}: open it at ui.perfetto.dev`);
  });
  return profiler;
}
