import { existsSync, statSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { isModelFolder } from '../node/readModel';
import { UserError } from '../common/userError';
import type { NamedFile } from '../imae/checkpoint/namedFile';
import { CHECKPOINTS, CONFIG } from '../imae/train/runFiles';
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

/** The last part of a path, without the endings of archives, as a part of a folder's name. */
export function fileName(path: string): string {
  const name = basename(resolve(path)).replace(/\.(tar|tar\.gz|tgz|parquet)$/i, '');
  return name.replace(/[^\p{L}\p{N}._-]+/gu, '-') || 'images';
}

/** The folder that a model's run lies in: beside it lie the results of what is made of it. Undefined for a model without a run. */
export function rootOfRun(path: string): string | undefined {
  const folder = basename(dirname(path)) === CHECKPOINTS ? dirname(dirname(path)) : path;
  return existsSync(join(folder, CONFIG)) && isRunPath(folder) ? join(folder, '..') : undefined;
}
