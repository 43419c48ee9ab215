import { createReadStream } from 'node:fs';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { extract } from 'tar-stream';
import { CIFAR_10, CIFAR_100, cifarSet, type CifarFormat, type NamedBytes } from '../../data/cifar';
import { cifarPickleSet } from '../../data/cifarPickle';
import type { ImageSet, TrainTest } from '../../data/imageSet';
import { UserError } from '../../files/userError';
import { reason } from '../failure';

/** Files of one folder, wherever it lies: on disk or in an archive. */
export interface Folder {
  readonly path: string;
  readonly names: readonly string[];
  read(name: string): Promise<Uint8Array>;
}

export const ARCHIVE = /\.(tar|tar\.gz|tgz)$/i;

/** A version of a set, as some folder holds it. */
export interface CifarVersion {
  readonly format: CifarFormat;
  readonly isPython: boolean;
}

/** Which set a folder holds, judged by any of its training files: what else is missing is said later, by name. */
export function cifarIn(names: readonly string[]): CifarVersion | undefined {
  const has = (pattern: RegExp): boolean => names.some((name) => pattern.test(name));
  if (has(/^data_batch_\d+\.bin$/) || names.includes(CIFAR_10.testFile)) return { format: CIFAR_10, isPython: false };
  if (names.includes('train.bin') || names.includes(CIFAR_100.testFile)) return { format: CIFAR_100, isPython: false };
  if (has(/^data_batch_\d+$/) || names.includes(CIFAR_10.python.classFile)) return { format: CIFAR_10, isPython: true };
  // These names alone would say little.
  if (['train', 'test', 'meta'].filter((name) => names.includes(name)).length >= 2) return { format: CIFAR_100, isPython: true };
  return undefined;
}

/** @throws UserError that names what is missing or damaged */
export async function loadCifar(folder: Folder, { format, isPython }: CifarVersion): Promise<TrainTest<ImageSet>> {
  const version = isPython ? 'python version' : 'binary version';
  const { testFile, classFile } = isPython ? format.python : format;
  const ending = isPython ? '' : '.bin';
  const trainNames = format === CIFAR_10 ? batchNames(folder, ending) : [`train${ending}`];
  const missing = [...trainNames, testFile, classFile].filter((name) => !folder.names.includes(name));
  if (missing.length > 0) {
    const gone = `${missing.join(' and ')} ${missing.length > 1 ? 'are' : 'is'} missing`;
    throw new UserError(
      `${folder.path} looks like ${format.name}, but ${gone}. Unpack ${format.name} (${version}) again, or give its archive.`,
    );
  }
  const read = async (name: string): Promise<NamedBytes> => ({ name: join(folder.path, name), bytes: await folder.read(name) });
  const train = await Promise.all(trainNames.map(read));
  const files = { train, test: await read(testFile), classNames: await read(classFile) };
  return isPython ? cifarPickleSet(files, format) : cifarSet(files, format);
}

/** data_batch_1 up to the highest number there is, so that one left out in between is noticed. */
function batchNames({ names }: Folder, ending: string): string[] {
  const numbers = names.map((name) => Number(/^data_batch_(\d+)(?:\.bin)?$/.exec(name)?.[1] ?? 0));
  return Array.from({ length: Math.max(1, ...numbers) }, (_, index) => `data_batch_${index + 1}${ending}`);
}

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
  const unpack = extract();
  unpack.on('entry', (header, stream, next) => {
    const parts = header.name.split('/').filter((part) => part !== '.' && part !== '');
    const name = parts.pop() ?? '';
    const chunks: Uint8Array[] = [];
    const wanted = header.type === 'file' && (/\.(bin|txt)$/.test(name) || /^(data_batch_\d+|test_batch|batches\.meta|train|test|meta)$/.test(name));
    stream.on('data', (chunk: unknown) => {
      if (wanted) chunks.push(chunk as Uint8Array);
    });
    stream.on('error', () => undefined); // the pipeline below reports it
    stream.on('end', () => {
      const folder = join(path, ...parts);
      const files = contents.get(folder) ?? new Map<string, Uint8Array>();
      contents.set(folder, files);
      if (header.type === 'file') files.set(name, Buffer.concat(chunks));
      next();
    });
  });
  try {
    const file = createReadStream(path);
    await (/\.tar$/i.test(path) ? pipeline(file, unpack) : pipeline(file, createGunzip(), unpack));
  } catch (error) {
    throw new UserError(`--data: ${path} cannot be unpacked: ${reason(error)}. It is damaged or was cut short: download it again.`);
  }
  return [...contents].map(([folder, files]) => ({
    path: folder,
    names: [...files.keys()],
    read: (name) => Promise.resolve(files.get(name) ?? new Uint8Array(0)),
  }));
}
