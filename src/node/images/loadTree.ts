import { constants } from 'node:buffer';
import { join } from 'node:path';
import { loadFiles, UNWATCHED, type FileSet, type FileSetOptions, type LoadWatcher } from '../../data/sources/fileSet';
import type { ImageTree } from '../../data/sources/imageTree';
import { freeMemory } from '../memory';
import { imageSize } from './decode';
import { openDecoders } from './decoders';

/** The share of free memory that a set may take. */
const MEMORY_SHARE = 0.5;
const HELD_OUT_BYTES = 2 ** 31;

/** Loads a tree of image files of a disk, or makes it ready to be streamed. @throws UserError */
export async function loadTree(
  tree: ImageTree,
  options: FileSetOptions & { readonly workers: number | 'auto' },
  watcher: LoadWatcher = UNWATCHED,
): Promise<FileSet> {
  const decoders = openDecoders(options.workers);
  const place = (path: string): string => join(tree.root.path, path);
  const fileAt = async (path: string): Promise<string | Uint8Array> => (await tree.bytes?.(path)) ?? place(path);
  const reader = {
    decode: async (path: string, side: number) => decoders.decode(await fileAt(path), side, place(path)),
    size: async (path: string) => imageSize(await fileAt(path), place(path)),
    memory: { free: MEMORY_SHARE * freeMemory(), most: constants.MAX_LENGTH, heldOut: HELD_OUT_BYTES },
  };
  return await loadFiles(tree, reader, options, watcher);
}
