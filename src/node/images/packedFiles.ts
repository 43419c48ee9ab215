import { open, readFile, readdir, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import type { PackedFile, PackedRoot } from '../../data/sources/packedImages';
import { UserError } from '../../common/userError';
import { reason } from '../failure';

/** Folders below the one that is given, in which files of a set lie: `CONFIGURATION/train/0000.parquet`. */
const DEPTH = 3;
/** A folder with more folders is one of classes. */
const MOST_FOLDERS = 32;

/** A folder of a disk that may hold packed images. */
export class PackedFolder implements PackedRoot {
  readonly name: string;

  constructor(readonly path: string) {
    this.name = basename(resolve(path));
  }

  async read(path: string): Promise<Uint8Array> {
    return await readable(join(this.path, path), (place) => readFile(place));
  }

  /** Its files and those in folders of it, by their paths from it; what is hidden is left out. */
  async paths(folder = '', depth = DEPTH): Promise<string[]> {
    const entries = await readable(join(this.path, folder), (place) => readdir(place, { withFileTypes: true }));
    const seen = entries.filter(({ name }) => !name.startsWith('.')).sort((a, b) => (a.name < b.name ? -1 : 1));
    const files: string[] = [];
    const folders: string[] = [];
    for (const entry of seen) {
      const path = folder === '' ? entry.name : `${folder}/${entry.name}`;
      const target = entry.isSymbolicLink() ? await stat(join(this.path, path)).catch(() => undefined) : entry;
      if (target?.isDirectory()) folders.push(path);
      else if (target) files.push(path);
    }
    if (depth === 0 || folders.length > MOST_FOLDERS) return files;
    for (const below of folders) for (const file of await this.paths(below, depth - 1)) files.push(file); // too many to be arguments
    return files;
  }

  async file(path: string): Promise<PackedFile> {
    const { size } = await readable(join(this.path, path), (place) => stat(place));
    return new FileOnDisk(join(this.path, path), path, size);
  }
}

/** The folder of a file, and its name in it. */
export function placeOf(path: string): { readonly root: PackedFolder; readonly file: string } {
  return { root: new PackedFolder(dirname(path)), file: basename(path) };
}

/** It is opened for each piece: a set may have more files than a process may have open. */
class FileOnDisk implements PackedFile {
  constructor(
    private readonly place: string,
    readonly path: string,
    readonly byteLength: number,
  ) {}

  async slice(start: number, end = this.byteLength): Promise<ArrayBuffer> {
    return await readable(this.place, async (place) => {
      const handle = await open(place);
      try {
        const bytes = new Uint8Array(end - start);
        const { bytesRead } = await handle.read(bytes, 0, bytes.length, start);
        if (bytesRead < bytes.length) throw new Error('it was cut short since it was found');
        return bytes.buffer;
      } finally {
        await handle.close();
      }
    });
  }
}

async function readable<T>(place: string, read: (place: string) => Promise<T>): Promise<T> {
  try {
    return await read(place);
  } catch (error) {
    throw new UserError(`--data: ${place} cannot be read: ${reason(error)}.`);
  }
}
