import { existsSync, statSync } from 'node:fs';
import { isModelFolder } from '../node/readModel';
import { UserError } from '../common/userError';
import type { NamedFile } from '../imae/checkpoint/namedFile';
import { readNamed } from './folderStore';
import { RunFolder } from './runFolder';

/** Whether a path is a folder that is not a model's: a run's, if any. */
export function isRunPath(path: string): boolean {
  return existsSync(path) && statSync(path).isDirectory() && !isModelFolder(path);
}

/**
 * Reads a model from a file or a folder of any kind, or the last one that a run has left.
 *
 * @param path a file, a folder of transformers or timm, or a run folder
 * @param flag what messages call it
 * @throws UserError where there is none, or it can't be read
 */
export function readModel(path: string, flag: string): NamedFile {
  if (!isRunPath(path)) return readNamed(path);
  const last = RunFolder.open(path, flag).checkpoints().at(-1);
  if (!last) throw new UserError(`${flag}: ${path} has no complete checkpoint yet. Let it train, or give a file.`);
  return readNamed(last.modelPath);
}
