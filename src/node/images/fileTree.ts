import { statSync } from 'node:fs';
import { readdir, readFile, realpath, stat } from 'node:fs/promises';
import { basename, join, resolve, sep } from 'node:path';
import { decodeText } from '../../common/decodeText';
import type { Entries, FileTree } from '../../data/sources/fileTree';
import { UserError } from '../../common/userError';
import { reason } from '../failure';

/** What Node puts in the place of bytes of a name that are no UTF-8: the file cannot be found by such a name. */
const NO_CHARACTER = '\uFFFD';

/** A folder of a disk. */
export class TreeOnDisk implements FileTree {
  readonly path: string;
  readonly name: string;

  constructor(path: string) {
    this.path = path.replace(/(?<=.)[/\\]+$/, '');
    this.name = basename(resolve(path));
  }

  async real(): Promise<string> {
    return withSlashes(await this.readable('', (place) => realpath(place)));
  }

  async list(folder: string): Promise<Entries> {
    const place = join(this.path, folder);
    const folders: string[] = [];
    const files: string[] = [];
    const links: { name: string; target: string }[] = [];
    const unreadable: { name: string; why: string }[] = [];
    for (const entry of await this.entries(place)) {
      const { name } = entry;
      if (name.includes(NO_CHARACTER)) unreadable.push({ name, why: 'its name is no UTF-8. Rename it' });
      else if (entry.isDirectory()) folders.push(name);
      else if (!entry.isSymbolicLink()) files.push(name);
      else {
        try {
          const path = join(place, name);
          if (!(await stat(path)).isDirectory()) files.push(name);
          else links.push({ name, target: withSlashes(await realpath(path)) });
        } catch (error) {
          unreadable.push({ name, why: `a link that leads nowhere (${reason(error)})` });
        }
      }
    }
    const byName = (a: { readonly name: string }, b: { readonly name: string }): number => (a.name < b.name ? -1 : 1);
    return {
      folders: folders.sort(),
      files: files.sort(),
      links: links.sort(byName),
      unreadable: unreadable.sort(byName),
    };
  }

  private async entries(place: string): ReturnType<typeof listed> {
    try {
      return await listed(place);
    } catch (error) {
      throw new UserError(`--data: the folder ${place} cannot be read: ${reason(error)}.`);
    }
  }

  /** One after another: a promise for each would take four times as long. */
  sizes(paths: readonly string[]): Promise<number[]> {
    return Promise.resolve(
      paths.map((path) => {
        try {
          return statSync(join(this.path, path)).size;
        } catch (error) {
          throw cannotRead(join(this.path, path), error);
        }
      }),
    );
  }

  async text(path: string): Promise<string> {
    return decodeText(await this.readable(path, (place) => readFile(place)));
  }

  below(folder: string): FileTree {
    return new TreeOnDisk(join(this.path, folder));
  }

  private async readable<T>(path: string, read: (place: string) => Promise<T>): Promise<T> {
    const place = join(this.path, path);
    try {
      return await read(place);
    } catch (error) {
      throw cannotRead(place, error);
    }
  }
}

const listed = (place: string) => readdir(place, { withFileTypes: true });

const withSlashes = (path: string): string => (sep === '/' ? path : path.replaceAll(sep, '/'));

function cannotRead(place: string, error: unknown): UserError {
  return new UserError(`--data: ${place} cannot be read: ${reason(error)}.`);
}
