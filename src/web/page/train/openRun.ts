import { UserError } from '../../../files/userError';
import { CONFIG, METRICS, SESSIONS } from '../../../imae/runFiles';
import type { Files } from '../../training/memoryFolder';

/** What somebody gave to be opened: a zip or a config.json as it is, or the files of a folder. */
export type Given =
  | { readonly kind: 'zip'; readonly file: File }
  | { readonly kind: 'config'; readonly file: File }
  | { readonly kind: 'folder'; readonly name: string; readonly files: readonly PlacedFile[] };

/** A file and where it lies, from the folder that was given, with its name in front. */
interface PlacedFile {
  readonly path: string;
  readonly file: File;
}

/** Of a folder, which may hold anything, only these are read. */
const OF_A_RUN = new RegExp(`(^|/)(${[CONFIG, METRICS, SESSIONS].join('|')}|checkpoints/[^/]+\\.safetensors|panels/[^/]+\\.png)$`);

/** What a file picker gave. @throws UserError where it is nothing of ours */
export function givenFile(file: File): Given {
  const { name } = file;
  if (/\.zip$/i.test(name)) return { kind: 'zip', file };
  if (/\.json$/i.test(name)) return { kind: 'config', file };
  if (/\.safetensors$/i.test(name)) {
    throw new UserError(`${name} is a model without the run that it is of, which cannot be trained on. Open it in Unmix, or open the whole run here.`);
  }
  throw new UserError(`${name} is neither a run (a .zip, or the folder itself) nor a config.json.`);
}

/** What a folder picker gave. @throws UserError where it is empty */
export function givenFolder(files: Iterable<File>): Given {
  const placed = [...files].map((file) => ({ path: file.webkitRelativePath || file.name, file }));
  const name = placed[0]?.path.split('/')[0];
  if (name === undefined) throw new UserError('This folder is empty. Give one that a run has left.');
  return { kind: 'folder', name, files: placed };
}

/** What was dropped on the page: one file, or one folder. @throws UserError where it is something else */
export async function givenByDrop(items: DataTransferItemList): Promise<Given> {
  // What is dropped can be asked for only now, before anything is waited for.
  const dropped = [...items].filter(({ kind }) => kind === 'file').map((item) => ({ entry: item.webkitGetAsEntry(), file: item.getAsFile() }));
  const [first, ...others] = dropped;
  if (!first) throw new UserError('What was dropped is no file.');
  if (others.length > 0) throw new UserError('Drop one thing: the zip of a run, its folder, or a config.json.');
  const { entry, file } = first;
  if (entry?.isDirectory) return { kind: 'folder', name: entry.name, files: await filesBelow(entry as FileSystemDirectoryEntry, entry.name) };
  if (!file) throw new UserError('What was dropped cannot be read.');
  return givenFile(file);
}

/** The files of a folder that can belong to a run. */
export async function readFolder(files: readonly PlacedFile[]): Promise<Files> {
  const wanted = files.filter(({ path }) => OF_A_RUN.test(path));
  return new Map(await Promise.all(wanted.map(async ({ path, file }) => [path, new Uint8Array(await file.arrayBuffer())] as const)));
}

async function filesBelow(folder: FileSystemDirectoryEntry, path: string): Promise<PlacedFile[]> {
  const reader = folder.createReader();
  const found: PlacedFile[] = [];
  for (;;) {
    const entries = await new Promise<FileSystemEntry[]>((resolve, reject) => reader.readEntries(resolve, reject));
    if (entries.length === 0) return found;
    for (const entry of entries) {
      const place = `${path}/${entry.name}`;
      if (entry.isDirectory) found.push(...(await filesBelow(entry as FileSystemDirectoryEntry, place)));
      else found.push({ path: place, file: await new Promise<File>((resolve, reject) => (entry as FileSystemFileEntry).file(resolve, reject)) });
    }
  }
}
