import { readdir, readFile, stat } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import type { Entries, FileTree } from '../../data/sources/imageTree';
import { UserError } from '../../common/userError';
import { reason } from '../failure';

/** A folder of a disk; symbolic links are followed. */
export class TreeOnDisk implements FileTree {
  readonly path: string;
  readonly name: string;

  constructor(path: string) {
    this.path = path.replace(/(?<=.)[/\\]+$/, '');
    this.name = basename(resolve(path));
  }

  async list(folder: string): Promise<Entries> {
    const place = join(this.path, folder);
    const folders: string[] = [];
    const files: string[] = [];
    try {
      for (const entry of await readdir(place, { withFileTypes: true })) {
        const target = entry.isSymbolicLink() ? await stat(join(place, entry.name)).catch(() => entry) : entry;
        (target.isDirectory() ? folders : files).push(entry.name);
      }
    } catch (error) {
      throw new UserError(`--data: the folder ${place} cannot be read: ${reason(error)}.`);
    }
    return { folders: folders.sort(), files: files.sort() };
  }

  async size(path: string): Promise<number> {
    return (await this.readable(path, (place) => stat(place))).size;
  }

  async text(path: string): Promise<string> {
    return await this.readable(path, (place) => readFile(place, 'utf8'));
  }

  below(folder: string): FileTree {
    return new TreeOnDisk(join(this.path, folder));
  }

  private async readable<T>(path: string, read: (place: string) => Promise<T>): Promise<T> {
    const place = join(this.path, path);
    try {
      return await read(place);
    } catch (error) {
      throw new UserError(`--data: ${place} cannot be read: ${reason(error)}.`);
    }
  }
}
