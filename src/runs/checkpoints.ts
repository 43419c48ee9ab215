import { existsSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Phase } from '../imae/config/config';
import {
  checkpointFiles,
  completeCheckpoints,
  isCheckpointFile,
  keptCheckpointFiles,
  type RunPosition,
  type Trained,
} from '../imae/train/runFiles';
import { TEMPORARY, writeWhole } from '../node/durableFile';

/** A checkpoint on disk. */
export interface Checkpoint<P extends Trained = Phase> extends RunPosition<P> {
  /** The model alone, with the published parameter names. */
  readonly modelPath: string;
  /** All else that resuming needs. */
  readonly statePath: string;
}

/** The complete checkpoints in a folder, oldest first. */
export function listCheckpoints<P extends Trained = Phase>(folder: string): readonly Checkpoint<P>[] {
  return completeCheckpoints<P>(namesIn(folder)).map((moment) => pathsOf(folder, moment));
}

/**
 * Writes a checkpoint, then deletes those no longer needed: the last two of this phase stay, and the last one of each
 * phase before it, which is its final one.
 *
 * @throws StorageError
 */
export function saveCheckpoint<P extends Trained>(
  folder: string,
  moment: RunPosition<P>,
  model: Uint8Array,
  state: Uint8Array,
): Checkpoint<P> {
  const checkpoint = pathsOf(folder, moment);
  writeWhole(checkpoint.modelPath, model);
  writeWhole(checkpoint.statePath, state);
  deleteOld(folder, moment.phase);
  return checkpoint;
}

function namesIn(folder: string): readonly string[] {
  return existsSync(folder) ? readdirSync(folder) : [];
}

function pathsOf<P extends Trained>(folder: string, moment: RunPosition<P>): Checkpoint<P> {
  const { model, state } = checkpointFiles(moment);
  return { ...moment, modelPath: join(folder, model), statePath: join(folder, state) };
}

function deleteOld(folder: string, current: Trained): void {
  const names = namesIn(folder);
  const kept = keptCheckpointFiles(names, current);
  for (const name of names) {
    const isOurs = isCheckpointFile(name.endsWith(TEMPORARY) ? name.slice(0, -TEMPORARY.length) : name);
    if (isOurs && !kept.has(name)) rmSync(join(folder, name));
  }
}
