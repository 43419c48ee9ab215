import { existsSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Phase } from '../imae/config';
import { TEMPORARY, writeWhole } from './durableFile';

/** The phases of a run in the order in which they are trained. */
const PHASE_ORDER: readonly Phase[] = ['teacher', 'imae', 'mae'];
const NAME = /^(teacher|imae|mae)-(\d+)(\.state)?\.safetensors$/;
/** Checkpoints of a phase that stay while it is trained. */
const KEPT = 2;

/** A place in a run. */
export interface Moment {
  readonly phase: Phase;
  readonly step: number;
}

/** A checkpoint on disk. `step` is the number of optimizer steps done, so the next step to run. */
export interface Checkpoint extends Moment {
  /** The model alone, with the published parameter names. */
  readonly modelPath: string;
  /** All else that resuming needs. */
  readonly statePath: string;
}

/** Whether `a` comes before `b` in a run. */
export function isBefore(a: Moment, b: Moment): boolean {
  return a.phase === b.phase ? a.step < b.step : PHASE_ORDER.indexOf(a.phase) < PHASE_ORDER.indexOf(b.phase);
}

/** The complete checkpoints in a folder, oldest first: those of which the state, which is written last, is there. */
export function listCheckpoints(folder: string): readonly Checkpoint[] {
  const names = new Set(existsSync(folder) ? readdirSync(folder) : []);
  return [...names]
    .map((name) => NAME.exec(name))
    .filter((match) => match?.[3] !== undefined)
    .map((match) => ({ phase: match?.[1] as Phase, step: Number(match?.[2]) }))
    .filter((moment) => names.has(`${nameOf(moment)}.safetensors`))
    .sort((a, b) => (isBefore(a, b) ? -1 : 1))
    .map((moment) => pathsOf(folder, moment));
}

/**
 * Writes a checkpoint, then deletes those no longer needed: the last two of this phase stay, and the last one of each
 * phase before it, which is its final one.
 *
 * @throws StorageError
 */
export function saveCheckpoint(folder: string, moment: Moment, model: Uint8Array, state: Uint8Array): Checkpoint {
  const checkpoint = pathsOf(folder, moment);
  writeWhole(checkpoint.modelPath, model);
  writeWhole(checkpoint.statePath, state);
  deleteOld(folder, moment.phase);
  return checkpoint;
}

function pathsOf(folder: string, moment: Moment): Checkpoint {
  const path = join(folder, nameOf(moment));
  return { ...moment, modelPath: `${path}.safetensors`, statePath: `${path}.state.safetensors` };
}

function nameOf({ phase, step }: Moment): string {
  return `${phase}-${step}`;
}

function deleteOld(folder: string, current: Phase): void {
  const complete = listCheckpoints(folder);
  const kept = PHASE_ORDER.flatMap((phase) =>
    complete.filter((checkpoint) => checkpoint.phase === phase).slice(phase === current ? -KEPT : -1),
  );
  const keptPaths = new Set(kept.flatMap(({ modelPath, statePath }) => [modelPath, statePath]));
  for (const name of readdirSync(folder)) {
    const isOurs = NAME.test(name.endsWith(TEMPORARY) ? name.slice(0, -TEMPORARY.length) : name);
    if (isOurs && !keptPaths.has(join(folder, name))) rmSync(join(folder, name));
  }
}
