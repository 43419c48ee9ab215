import { createReadStream } from 'node:fs';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { cifarIn, mayBeOfCifar, type Folder } from '../../data/sources/cifarFolder';
import { PACKING_HEAD_BYTES, packingOf } from '../../data/sources/packing';
import { UserError } from '../../common/userError';
import { reason } from '../failure';
import { fileHead } from '../fileHead';
import { readTar } from '../tar';

/** The folder and the folders in it. */
export async function foldersOnDisk(path: string): Promise<Folder[]> {
  const open = async (folder: string): Promise<{ folder: Folder; subfolders: string[] }> => {
    const entries = await readdir(folder, { withFileTypes: true }).catch((error: unknown) => {
      if (folder === path) throw new UserError(`--data: the folder ${path} cannot be read: ${reason(error)}.`);
      return []; // a neighbour of the set, of no concern
    });
    const subfolders: string[] = [];
    const names: string[] = [];
    for (const entry of entries) {
      const target = entry.isSymbolicLink() ? await stat(join(folder, entry.name)).catch(() => entry) : entry;
      if (target.isDirectory()) subfolders.push(join(folder, entry.name));
      else names.push(entry.name);
    }
    return { folder: { path: folder, names, read: (name) => readWhole(join(folder, name)) }, subfolders };
  };
  const { folder, subfolders } = await open(path);
  if (cifarIn(folder.names)) return [folder];
  return [folder, ...(await Promise.all(subfolders.sort().map(async (subfolder) => (await open(subfolder)).folder)))];
}

async function readWhole(path: string): Promise<Uint8Array> {
  try {
    return await readFile(path);
  } catch (error) {
    throw new UserError(`--data: ${path} cannot be read: ${reason(error)}.`);
  }
}

/** The folders of an archive, with the files that a set may need held in memory. */
export async function foldersInArchive(path: string): Promise<Folder[]> {
  const contents = new Map<string, Map<string, Uint8Array>>();
  try {
    const packing =
      packingOf(await fileHead(path, PACKING_HEAD_BYTES), path) ?? (/\.tar$/i.test(path) ? 'tar' : 'gzip');
    const file = createReadStream(path);
    // The pipeline ends the archive's stream with what is wrong with its file, which reading then throws.
    const archive = packing === 'tar' ? file : pipeline(file, createGunzip(), () => undefined);
    for await (const { path: inside, bytes } of readTar(archive, mayBeOfCifar)) {
      const parts = inside.split('/').filter((part) => part !== '.' && part !== '');
      const name = parts.pop() ?? '';
      const folder = join(path, ...parts);
      const files = contents.get(folder) ?? new Map<string, Uint8Array>();
      contents.set(folder, files);
      files.set(name, bytes);
    }
  } catch (error) {
    if (error instanceof UserError) throw error;
    throw new UserError(
      `--data: ${path} cannot be unpacked: ${reason(error)}. It is damaged or was cut short: download it again.`,
    );
  }
  return [...contents].map(([folder, files]) => ({
    path: folder,
    names: [...files.keys()],
    read: (name) => Promise.resolve(files.get(name) ?? new Uint8Array(0)),
  }));
}
