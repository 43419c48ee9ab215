import { ARCHIVE, detectDataset, type DetectedDataset } from '../../data/sources/datasetDetection';
import { mayBeOfCifar, type Folder } from '../../data/sources/cifarFolder';
import { decodeText } from '../../common/decodeText';
import type { Entries, FileTree } from '../../data/sources/fileTree';
import { findImageTree } from '../../data/sources/imageTree';
import type { PackedFile, PackedRoot } from '../../data/sources/packedImages';
import { PACKED, findPackedTree } from '../../data/sources/packedTree';
import { UserError } from '../../common/userError';

/** A file and where it lies in what was given. */
export interface PlacedFile {
  /** With slashes. */
  readonly path: string;
  readonly file: File;
}

/** Files that somebody gave as images to train on: those of a folder, or some without one. */
export interface GivenImages {
  /** What they are called: the folder's name, or the file's. */
  readonly name: string;
  /** By their paths in the folder. */
  readonly files: readonly PlacedFile[];
}

/** What a page knows of the images of a run. */
export interface KnownImages {
  readonly name: string;
  readonly count: number;
  readonly classes: number;
  /** Side of the images; undefined where they are files that are decoded to the side that a run asks for. */
  readonly side: number | undefined;
  /** What a user should know of them. */
  readonly notes: readonly string[];
}

/** Finds the image set among files, as Node does in a folder or an archive. @throws UserError that says what was found, and what is needed */
export async function findImages({ name, files }: GivenImages): Promise<DetectedDataset> {
  const [first, ...others] = files;
  const packed = await findPackedTree(
    givenRoot(name, files),
    files.filter(({ path }) => PACKED.test(path)).map(packedFile),
    files.map(({ path }) => path),
    { load: () => import('../../data/sources/parquet') },
  );
  if (packed) return { kind: 'tree', tree: packed };
  if (first && others.length === 0 && ARCHIVE.test(first.file.name)) {
    return await detectDataset(name, await foldersInArchive(first.file), () => Promise.resolve(undefined));
  }
  return await detectDataset(name, foldersOf(name, files), () => findImageTree(new GivenTree(name, files)));
}

function packedFile({ path, file }: PlacedFile): PackedFile {
  return {
    path,
    byteLength: file.size,
    slice: (start, end) => readable(path, () => file.slice(start, end).arrayBuffer()),
  };
}

function givenRoot(name: string, files: readonly PlacedFile[]): PackedRoot {
  return {
    path: name,
    name,
    read: async (path) => {
      const placed = files.find((each) => each.path === path);
      if (!placed) throw new UserError(`${name}/${path} is named, and is not there.`);
      return new Uint8Array(await readable(`${name}/${path}`, () => placed.file.arrayBuffer()));
    },
  };
}

/** The folder and those in it. */
function foldersOf(name: string, files: readonly PlacedFile[]): Folder[] {
  const folders = new Map<string, Map<string, File>>([['', new Map()]]);
  for (const { path, file } of files) {
    const parts = path.split('/');
    const last = parts.pop() as string;
    if (parts.length > 1) continue;
    const folder = parts.join('/');
    const known = folders.get(folder) ?? new Map<string, File>();
    folders.set(folder, known.set(last, file));
  }
  return [...folders].sort().map(([folder, inside]) => ({
    path: folder === '' ? name : `${name}/${folder}`,
    names: [...inside.keys()],
    read: async (file) => new Uint8Array(await readable(file, () => (inside.get(file) as File).arrayBuffer())),
  }));
}

/** The folders of an archive, with the files that a set may need held in memory. */
async function foldersInArchive(archive: File): Promise<Folder[]> {
  const contents = new Map<string, Map<string, Uint8Array>>();
  try {
    const { readArchive } = await import('./archive'); // most sets need none
    for await (const { path, bytes } of readArchive(archive, mayBeOfCifar)) {
      const parts = path.split('/').filter((part) => part !== '.' && part !== '');
      const file = parts.pop() ?? '';
      const folder = [archive.name, ...parts].join('/');
      const files = contents.get(folder) ?? new Map<string, Uint8Array>();
      contents.set(folder, files.set(file, bytes));
    }
  } catch (error) {
    if (error instanceof UserError) throw error;
    const why = error instanceof Error ? error.message.replace(/\.$/, '') : String(error);
    throw new UserError(
      `${archive.name} cannot be unpacked: ${why}. It is damaged or was cut short: download it again.`,
    );
  }
  return [...contents].map(([path, files]) => ({
    path,
    names: [...files.keys()],
    read: (file) => Promise.resolve(files.get(file) ?? new Uint8Array(0)),
  }));
}

/** The files of a folder that was given, by their paths in it. */
export class GivenTree implements FileTree {
  private readonly placed: ReadonlyMap<string, File>;
  private readonly folders = new Map<string, { readonly folders: Set<string>; readonly files: Set<string> }>();

  constructor(
    readonly path: string,
    files: readonly PlacedFile[],
  ) {
    this.placed = new Map(files.map(({ path: place, file }) => [place, file]));
    for (const place of this.placed.keys()) {
      const parts = place.split('/');
      this.folder(parts.slice(0, -1)).files.add(parts.at(-1) as string);
    }
  }

  get name(): string {
    return this.path.split('/').at(-1) as string;
  }

  list(folder: string): Promise<Entries> {
    const { folders = [], files = [] } = this.folders.get(folder) ?? {};
    return Promise.resolve({ folders: [...folders].sort(), files: [...files].sort() });
  }

  /** Files that are given have no links. */
  real(): Promise<string> {
    return Promise.resolve(this.path);
  }

  sizes(paths: readonly string[]): Promise<number[]> {
    return Promise.resolve(paths.map((path) => this.file(path).size));
  }

  async text(path: string): Promise<string> {
    return decodeText(new Uint8Array(await readable(`${this.path}/${path}`, () => this.file(path).arrayBuffer())));
  }

  below(folder: string): GivenTree {
    const start = `${folder}/`;
    const files = [...this.placed]
      .filter(([path]) => path.startsWith(start))
      .map(([path, file]) => ({ path: path.slice(start.length), file }));
    return new GivenTree(`${this.path}/${folder}`, files);
  }

  file(path: string): File {
    return this.placed.get(path) as File;
  }

  /** The folder of a path, which is noted in those above it. */
  private folder(parts: readonly string[]): { readonly folders: Set<string>; readonly files: Set<string> } {
    const path = parts.join('/');
    let known = this.folders.get(path);
    if (!known) {
      known = { folders: new Set(), files: new Set() };
      this.folders.set(path, known);
      if (parts.length > 0) this.folder(parts.slice(0, -1)).folders.add(parts.at(-1) as string);
    }
    return known;
  }
}

/** A file may be gone or have changed since it was given. */
async function readable<T>(name: string, read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch {
    throw new UserError(
      `${name} cannot be read any more: it was moved or changed since it was given. Give the images again.`,
    );
  }
}
