import { existsSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Phase } from '../imae/config';
import { checkpointFiles, completeCheckpoints, isCheckpointFile, keptCheckpointFiles, type Moment } from '../imae/runFiles';
import { TEMPORARY, writeWhole } from './durableFile';

/** A checkpoint on disk. */
export interface Checkpoint extends Moment {
  /** The model alone, with the published parameter names. */
  readonly modelPath: string;
  /** All else that resuming needs. */
  readonly statePath: string;
}

/** The complete checkpoints in a folder, oldest first. */
export function listCheckpoints(folder: string): readonly Checkpoint[] {
  return completeCheckpoints(namesIn(folder)).map((moment) => pathsOf(folder, moment));
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

function namesIn(folder: string): readonly string[] {
  return existsSync(folder) ? readdirSync(folder) : [];
}

function pathsOf(folder: string, moment: Moment): Checkpoint {
  const { model, state } = checkpointFiles(moment);
  return { ...moment, modelPath: join(folder, model), statePath: join(folder, state) };
}

function deleteOld(folder: string, current: Phase): void {
  const names = namesIn(folder);
  const kept = keptCheckpointFiles(names, current);
  for (const name of names) {
    const isOurs = isCheckpointFile(name.endsWith(TEMPORARY) ? name.slice(0, -TEMPORARY.length) : name);
    if (isOurs && !kept.has(name)) rmSync(join(folder, name));
  }
}
