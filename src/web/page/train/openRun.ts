import { UserError } from '../../../common/userError';
import { BROKEN_IMAGES, CONFIG, METRICS, SESSIONS } from '../../../imae/train/runFiles';
import { ARCHIVE } from '../../../data/sources/datasetDetection';
import type { GivenImages, PlacedFile } from '../../training/givenImages';
import type { Files } from '../../training/memoryFolder';
import { OF_A_MODEL } from '../currentModel';

/** What somebody gave to be opened: a zip or a config.json as it is, the files of a run's folder, or images to train on. */
export type Given =
  | { readonly kind: 'zip'; readonly file: File }
  | { readonly kind: 'config'; readonly file: File }
  | { readonly kind: 'folder'; readonly name: string; readonly files: readonly PlacedFile[] }
  | ({ readonly kind: 'images' } & GivenImages);

/** Of a folder, which may hold anything, only these are read. */
const OF_A_RUN = new RegExp(
  `(^|/)(${[CONFIG, METRICS, SESSIONS, BROKEN_IMAGES].join('|')}|checkpoints/[^/]+\\.safetensors|panels/[^/]+\\.png)$`,
);

/** What a file picker gave. @throws UserError where it is nothing of ours */
export function givenFile(file: File): Given {
  const { name } = file;
  if (/\.zip$/i.test(name)) return { kind: 'zip', file };
  if (/\.json$/i.test(name)) return { kind: 'config', file };
  if (OF_A_MODEL.test(name)) {
    throw new UserError(
      `${name} is a model without the run that it is of, which cannot be trained on. Open it in Unmix, or open the whole run here.`,
    );
  }
  if (ARCHIVE.test(name) || OF_IMAGES.test(name)) return asImages([{ path: name, file }]);
  throw new UserError(
    `${name} is neither a run (a .zip, or the folder itself) nor a config.json, nor images to train on (their folder, or an archive of CIFAR).`,
  );
}

/** What a folder picker gave. @throws UserError where it is empty */
export function givenFolder(files: Iterable<File>): Given {
  const placed = [...files].map((file) => ({ path: file.webkitRelativePath || file.name, file }));
  const name = placed[0]?.path.split('/')[0];
  if (name === undefined) throw new UserError('This folder is empty. Give one that a run has left.');
  return { kind: 'folder', name, files: placed };
}

/** What a picker of images gave: a folder, or files. */
export function givenImages(files: Iterable<File>): Given | undefined {
  const placed = [...files].map((file) => ({ path: file.webkitRelativePath || file.name, file }));
  return placed.length > 0 ? asImages(placed) : undefined;
}

/** @param files with the name of their folder in front, where it is one */
function asImages(files: readonly PlacedFile[]): Given {
  const [top, below] = files[0]?.path.split('/') ?? [];
  const isFolder = below !== undefined && files.every(({ path }) => path.startsWith(`${top ?? ''}/`));
  if (isFolder)
    return {
      kind: 'images',
      name: nameOfSet(top ?? ''),
      files: files.map(({ path, file }) => ({ path: path.slice(path.indexOf('/') + 1), file })),
    };
  const others = files.length > 1 ? ` and ${files.length - 1} more` : '';
  return { kind: 'images', name: nameOfSet(`${files[0]?.file.name ?? ''}${others}`), files };
}

/** "shapes" are the built-in drawings. */
const nameOfSet = (name: string): string => (name === 'shapes' ? './shapes' : name);

/** A file of CIFAR, alone. */
const OF_IMAGES = /\.(bin|jpe?g|png|webp)$|^(data_batch_\d+|test_batch|batches\.meta|train|test|meta)$/i;
const isOfRuns = (name: string): boolean => /\.(zip|json)$/i.test(name) || OF_A_MODEL.test(name);

/**
 * What was dropped on the page: a file or a folder, or several of images.
 *
 * @param found is told how many files a folder was seen to hold so far: large ones take a while
 * @throws UserError where it is something else, or a folder cannot be read
 */
export async function givenByDrop(
  items: DataTransferItemList,
  found: (folder: string, files: number) => void,
): Promise<Given> {
  // What is dropped can be asked for only now, before anything is waited for.
  const dropped = [...items]
    .filter(({ kind }) => kind === 'file')
    .map((item) => ({ entry: item.webkitGetAsEntry(), file: item.getAsFile() }));
  const [first, ...others] = dropped;
  if (!first) throw new UserError('What was dropped is no file.');
  if (others.length > 0) {
    if (dropped.some(({ file }) => file !== null && isOfRuns(file.name))) {
      throw new UserError(
        'Drop one thing: the zip of a run, its folder, or a config.json; several only where all are images.',
      );
    }
    const placed = await Promise.all(
      dropped.map(async ({ entry, file }) =>
        entry?.isDirectory
          ? await filesOf(entry as FileSystemDirectoryEntry, found)
          : file
            ? [{ path: file.name, file }]
            : [],
      ),
    );
    return {
      kind: 'images',
      name: `${first.entry?.name ?? first.file?.name ?? ''} and ${others.length} more`,
      files: placed.flat(),
    };
  }
  const { entry, file } = first;
  if (entry?.isDirectory) {
    const files = await filesOf(entry as FileSystemDirectoryEntry, found);
    const isRun = files.length === 0 || files.some(({ path }) => path.endsWith(`/${CONFIG}`));
    return isRun ? { kind: 'folder', name: entry.name, files } : asImages(files);
  }
  if (!file) throw new UserError('What was dropped cannot be read.');
  return givenFile(file);
}

/** The files of a folder that can belong to a run. */
export async function readFolder(files: readonly PlacedFile[]): Promise<Files> {
  const wanted = files.filter(({ path }) => OF_A_RUN.test(path));
  return new Map(
    await Promise.all(wanted.map(async ({ path, file }) => [path, new Uint8Array(await file.arrayBuffer())] as const)),
  );
}

/** All files of a dropped folder, with its name in front of their paths. */
async function filesOf(
  folder: FileSystemDirectoryEntry,
  found: (folder: string, files: number) => void,
): Promise<PlacedFile[]> {
  let count = 0;
  try {
    return await filesBelow(folder, folder.name, (more) => found(folder.name, (count += more)));
  } catch (error) {
    const why = error instanceof Error ? error.message.replace(/\.$/, '') : String(error);
    throw new UserError(`The folder ${folder.name} cannot be read: ${why}. Drop it again, or open it by the button.`);
  }
}

async function filesBelow(
  folder: FileSystemDirectoryEntry,
  path: string,
  found: (more: number) => void,
): Promise<PlacedFile[]> {
  const reader = folder.createReader();
  const placed: PlacedFile[] = [];
  for (;;) {
    // A browser gives them in parts, and an empty one at the end.
    const entries = await new Promise<FileSystemEntry[]>((resolve, reject) => reader.readEntries(resolve, reject));
    if (entries.length === 0) return placed;
    const files = entries.filter(({ isFile }) => isFile) as FileSystemFileEntry[];
    placed.push(...(await Promise.all(files.map((entry) => placedFile(entry, path)))));
    found(files.length);
    for (const entry of entries) {
      if (!entry.isDirectory) continue;
      // One by one: so many arguments as a folder may hold files, no call takes.
      for (const each of await filesBelow(entry as FileSystemDirectoryEntry, `${path}/${entry.name}`, found))
        placed.push(each);
    }
  }
}

async function placedFile(entry: FileSystemFileEntry, folder: string): Promise<PlacedFile> {
  return {
    path: `${folder}/${entry.name}`,
    file: await new Promise<File>((resolve, reject) => entry.file(resolve, reject)),
  };
}
