import { createReadStream } from 'node:fs';
import { readdir, readFile, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { extract } from 'tar-stream';
import { CIFAR_10, CIFAR_100, cifarSet, type CifarFormat, type NamedBytes } from '../data/cifar';
import type { TrainTest } from '../data/imageSet';
import { UserError } from '../files/userError';
import { errorCode, reason } from './failure';

/** Files of one folder, wherever it lies: on disk or in an archive. */
interface Folder {
  readonly path: string;
  readonly names: readonly string[];
  read(name: string): Promise<Uint8Array>;
}

const ARCHIVE = /\.(tar|tar\.gz|tgz)$/i;
const TRAIN_10 = /^data_batch_(\d+)\.bin$/;
const EXPECTED =
  'Expected CIFAR-10 or CIFAR-100 in their binary version: a folder with data_batch_1.bin …, test_batch.bin and ' +
  'batches.meta.txt, or with train.bin, test.bin and fine_label_names.txt, or the archive cifar-10-binary.tar.gz or ' +
  'cifar-100-binary.tar.gz as its publisher ships it.';

/**
 * Loads CIFAR-10 or CIFAR-100 (binary version) from its folder, a folder that holds that folder, or its archive
 * (`.tar.gz`, `.tgz` or `.tar`).
 *
 * @throws UserError that says what was found, and what is needed
 */
export async function loadImageSet(path: string): Promise<TrainTest> {
  const status = await stat(path).catch((error: unknown) => {
    throw new UserError(`--data: ${path} cannot be opened: ${reason(error)}. ${EXPECTED}`, {
      usage: errorCode(error) === 'ENOENT',
    });
  });
  const folders = status.isDirectory() ? await foldersOnDisk(path) : await foldersInArchive(path);
  const found = folders.flatMap((folder) => {
    const format = formatOf(folder.names);
    return format ? [{ folder, format }] : [];
  });
  const [first, second] = found;
  if (!first) throw new UserError(`--data: ${path} holds no image set: ${describe(folders)} ${EXPECTED}`);
  if (second) {
    const names = found.map(({ folder, format }) => `${format.name} in ${folder.path}`).join(', ');
    throw new UserError(`--data: ${path} holds several image sets (${names}). Name the folder of one.`);
  }
  return loadCifar(first.folder, first.format);
}

/** Which set a folder holds, judged by any of its training files: what else is missing is said later, by name. */
function formatOf(names: readonly string[]): CifarFormat | undefined {
  if (names.some((name) => TRAIN_10.test(name)) || names.includes(CIFAR_10.testFile)) return CIFAR_10;
  if (names.includes('train.bin') || names.includes(CIFAR_100.testFile)) return CIFAR_100;
  return undefined;
}

async function loadCifar(folder: Folder, format: CifarFormat): Promise<TrainTest> {
  const trainNames = format === CIFAR_10 ? trainNames10(folder) : ['train.bin'];
  const missing = [...trainNames, format.testFile, format.classFile].filter((name) => !folder.names.includes(name));
  if (missing.length > 0) {
    const gone = `${missing.join(' and ')} ${missing.length > 1 ? 'are' : 'is'} missing`;
    throw new UserError(
      `${folder.path} looks like ${format.name}, but ${gone}. ` +
        `Unpack ${format.name} (binary version) again, or give its archive.`,
    );
  }
  const read = async (name: string): Promise<NamedBytes> => ({
    name: join(folder.path, name),
    bytes: await folder.read(name),
  });
  const train = await Promise.all(trainNames.map(read));
  return cifarSet({ train, test: await read(format.testFile), classNames: await read(format.classFile) }, format);
}

/** data_batch_1.bin up to the highest number there is, so that one left out in between is noticed. */
function trainNames10({ names }: Folder): string[] {
  const last = Math.max(1, ...names.map((name) => Number(TRAIN_10.exec(name)?.[1] ?? 0)));
  return Array.from({ length: last }, (_, index) => `data_batch_${index + 1}.bin`);
}

/** The folder and the folders in it. */
async function foldersOnDisk(path: string): Promise<Folder[]> {
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
  if (formatOf(folder.names)) return [folder];
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
async function foldersInArchive(path: string): Promise<Folder[]> {
  if (!ARCHIVE.test(path)) throw new UserError(`--data: ${path} is neither a folder nor a .tar.gz archive. ${EXPECTED}`);
  const contents = new Map<string, Map<string, Uint8Array>>();
  const unpack = extract();
  unpack.on('entry', (header, stream, next) => {
    const parts = header.name.split('/').filter((part) => part !== '.' && part !== '');
    const name = parts.pop() ?? '';
    const chunks: Uint8Array[] = [];
    const wanted = header.type === 'file' && /\.(bin|txt)$/.test(name);
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

/** What was found instead, in a line. */
function describe(folders: readonly Folder[]): string {
  const [folder] = folders;
  const names = folders.flatMap((each) => each.names);
  const archive = folder?.names.find((name) => ARCHIVE.test(name));
  if (folder && archive) return `it contains ${archive}; give ${join(folder.path, archive)} to load that.`;
  if (names.includes('data_batch_1') || names.includes('batches.meta')) {
    return 'it has the pickled "python version" of CIFAR; the "binary version" is needed.';
  }
  if (names.length === 0) return 'it is empty.';
  const shown = names.slice(0, 5).map((name) => basename(name)).join(', ');
  return `it contains ${shown}${names.length > 5 ? ` and ${names.length - 5} more files` : ''}.`;
}
