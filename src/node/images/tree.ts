import { readdir, readFile, stat } from 'node:fs/promises';
import { basename, join, resolve, sep } from 'node:path';
import { purposes, RandomStream } from '../../data/philox';
import { counted } from '../../files/format';
import { UserError } from '../../files/userError';
import { reason } from '../failure';
import { Turnstile } from './turnstile';

/*
 * Trees of image files with a folder a class: `train/CLASS/…` beside `val/CLASS/…` (ImageNet), Tiny-ImageNet's own layout,
 * whose validation images lie in one folder beside a list of their classes, or `CLASS/…` alone, of which a part is held out.
 */

/** Some files of a tree. */
export interface ImageFiles {
  /** From the tree's root. */
  readonly paths: readonly string[];
  /** Indices into the classes. */
  readonly labels: Uint16Array;
  /** In bytes. */
  readonly sizes: Float64Array;
}

export interface ImageTree {
  readonly root: string;
  readonly name: string;
  readonly classes: readonly string[];
  readonly train: ImageFiles;
  readonly test: ImageFiles;
  /** What a user should know of it. */
  readonly notes: readonly string[];
}

const IMAGE = /\.(jpe?g|png|webp)$/i;
const HELD_OUT_NAMES = ['val', 'valid', 'validation', 'test'];
const ANNOTATIONS = 'val_annotations.txt';
/** Files that say what classes are called, a line each: the folder, white space, the name. */
const NAME_FILES = ['words.txt', 'LOC_synset_mapping.txt', 'classes.txt'];
/** The share of each class that is held out where a tree has no part for it. */
const HELD_OUT_SHARE = 0.1;
/** Folders and files that are looked at at once. */
const AT_ONCE = 32;
const MOST_CLASSES = 2 ** 16;

/** A class's files, from the tree's root, sorted. */
interface ClassFiles {
  readonly name: string;
  readonly paths: readonly string[];
}

/** What lies in a folder; symbolic links are followed. */
interface Entries {
  readonly folders: readonly string[];
  readonly files: readonly string[];
}

/**
 * The tree of image files at a path, or in the only folder there that holds one.
 *
 * @returns undefined where nothing there looks like one
 * @throws UserError where there is one that cannot be used: what is wrong with it
 */
export async function findImageTree(path: string): Promise<ImageTree | undefined> {
  const root = await list(path);
  if (isSplit(root)) return await readSplit(path);
  const inside = await Promise.all(root.folders.map(async (folder) => ({ folder: join(path, folder), entries: await list(join(path, folder)) })));
  if (inside.some(({ entries }) => entries.files.some(isImage))) return await readWhole(path, root);
  const splits = inside.filter(({ entries }) => isSplit(entries));
  if (splits.length > 1) {
    throw new UserError(`--data: ${path} holds several image sets (${splits.map(({ folder }) => folder).join(', ')}). Name the folder of one.`);
  }
  if (splits[0]) return await readSplit(splits[0].folder);
  if (root.files.some(isImage)) {
    throw new UserError(
      `--data: ${path} holds images, but no folders of classes. Put the images of each class into a folder of its own; ` +
        'without classes, all into one folder.',
    );
  }
  return undefined;
}

const isImage = (name: string): boolean => IMAGE.test(name) && !name.startsWith('.');
const isSplit = ({ folders }: Entries): boolean => folders.includes('train');

async function list(folder: string): Promise<Entries> {
  const folders: string[] = [];
  const files: string[] = [];
  try {
    for (const entry of await readdir(folder, { withFileTypes: true })) {
      const target = entry.isSymbolicLink() ? await stat(join(folder, entry.name)).catch(() => entry) : entry;
      (target.isDirectory() ? folders : files).push(entry.name);
    }
  } catch (error) {
    throw new UserError(`--data: the folder ${folder} cannot be read: ${reason(error)}.`);
  }
  return { folders: folders.sort(), files: files.sort() };
}

async function readSplit(root: string): Promise<ImageTree> {
  const { folders } = await list(root);
  const train = await readClasses(root, 'train');
  const held = HELD_OUT_NAMES.find((name) => folders.includes(name));
  if (held === undefined) return await holdOut(root, train);
  const names = train.map(({ name }) => name);
  const { files } = await list(join(root, held));
  const test = files.includes(ANNOTATIONS) ? await readAnnotated(root, held) : await readClasses(root, held);
  const stranger = test.find(({ name }) => !names.includes(name));
  if (stranger) throw new UserError(`--data: ${join(root, held)} has images of the class ${stranger.name}, which ${join(root, 'train')} has not.`);
  return await makeTree(root, names, train, test, []);
}

async function readWhole(root: string, { folders }: Entries): Promise<ImageTree> {
  return await holdOut(root, await classesIn(root, '', folders));
}

/** The classes under `root/part`, each a folder. */
async function readClasses(root: string, part: string): Promise<ClassFiles[]> {
  const { folders, files } = await list(join(root, part));
  if (folders.length > 0) return await classesIn(root, part, folders);
  const flat = files.some(isImage) ? 'holds images that are in no folder of a class' : 'holds no folders of classes';
  throw new UserError(
    `--data: ${join(root, part)} ${flat}. Put the images of each class into a folder of its own, ${join(part, 'CLASS')}; only ` +
      `Tiny-ImageNet's val, with its ${ANNOTATIONS}, may be flat.`,
  );
}

async function classesIn(root: string, part: string, folders: readonly string[]): Promise<ClassFiles[]> {
  if (folders.length > MOST_CLASSES) throw new UserError(`--data: ${join(root, part)} has ${folders.length} classes; ${MOST_CLASSES} are possible.`);
  const turnstile = new Turnstile(AT_ONCE);
  const classes = await Promise.all(
    folders.map((name) => turnstile.pass(async () => ({ name, paths: await imagesUnder(root, join(part, name)) }))),
  );
  const empty = classes.filter(({ paths }) => paths.length === 0);
  if (empty[0]) {
    const more = empty.length > 1 ? ` (and ${counted(empty.length - 1, 'more folder')})` : '';
    throw new UserError(`--data: the folder ${join(root, part, empty[0].name)}${more} holds no JPEG, PNG or WebP file. Add images, or delete it.`);
  }
  return classes;
}

async function imagesUnder(root: string, folder: string): Promise<string[]> {
  const { folders, files } = await list(join(root, folder));
  const below: string[] = [];
  for (const each of folders) below.push(...(await imagesUnder(root, join(folder, each))));
  return [...files.filter(isImage).map((name) => join(folder, name)), ...below];
}

/** Tiny-ImageNet's validation images: a line each of `val_annotations.txt` names the file, its class, and a box. */
async function readAnnotated(root: string, part: string): Promise<ClassFiles[]> {
  const listing = join(root, part, ANNOTATIONS);
  const there = new Set(await imagesUnder(root, join(part, 'images')));
  const paths = new Map<string, string[]>();
  for (const [index, line] of (await readLines(listing)).entries()) {
    const [file, name] = line.split('\t');
    if (!file || !name) throw new UserError(`--data: ${listing}, line ${index + 1}: a file and its class are wanted, with tabs between, not "${line}".`);
    const path = join(part, 'images', file);
    if (!there.has(path)) throw new UserError(`--data: ${listing}, line ${index + 1}, names ${join(root, path)}, which is not there.`);
    const known = paths.get(name) ?? [];
    paths.set(name, known);
    known.push(path);
  }
  if (paths.size === 0) throw new UserError(`--data: ${listing} names no images.`);
  return [...paths].map(([name, files]) => ({ name, paths: files.sort() })).sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** Holds a tenth of each class out, at least one image of those that have two, always the same ones. */
async function holdOut(root: string, classes: readonly ClassFiles[]): Promise<ImageTree> {
  const train: ClassFiles[] = [];
  const test: ClassFiles[] = [];
  for (const [index, { name, paths }] of classes.entries()) {
    const count = paths.length < 2 ? 0 : Math.max(1, Math.floor(paths.length * HELD_OUT_SHARE));
    const chosen = new Set(RandomStream.at(0, purposes.holdOut, index).permutation(paths.length).subarray(0, count));
    train.push({ name, paths: paths.filter((_, at) => !chosen.has(at)) });
    if (count > 0) test.push({ name, paths: paths.filter((_, at) => chosen.has(at)) });
  }
  const note = `${root} has no val or test folder: a tenth of each class is held out, the same images in every run`;
  return await makeTree(root, classes.map(({ name }) => name), train, test, [note]);
}

async function makeTree(
  root: string,
  names: readonly string[],
  train: readonly ClassFiles[],
  test: readonly ClassFiles[],
  notes: readonly string[],
): Promise<ImageTree> {
  const called = await classNames(root);
  const place = new Map(names.map((name, index) => [name, index]));
  return {
    root,
    name: basename(resolve(root)),
    classes: names.map((name) => called.get(name) ?? name),
    train: await asFiles(root, train, place),
    test: await asFiles(root, test, place),
    notes,
  };
}

async function asFiles(root: string, classes: readonly ClassFiles[], place: ReadonlyMap<string, number>): Promise<ImageFiles> {
  const paths = classes.flatMap((each) => each.paths);
  const labels = Uint16Array.from(classes.flatMap(({ name, paths: { length } }) => new Array<number>(length).fill(place.get(name) ?? 0)));
  const turnstile = new Turnstile(AT_ONCE);
  const size = async (path: string): Promise<number> => {
    try {
      return (await stat(join(root, path))).size;
    } catch (error) {
      throw new UserError(`--data: ${join(root, path)} cannot be read: ${reason(error)}.`);
    }
  };
  const sizes = await Promise.all(paths.map((path) => turnstile.pass(() => size(path))));
  // The same tree has the same paths on every system.
  return { paths: paths.map((path) => path.split(sep).join('/')), labels, sizes: Float64Array.from(sizes) };
}

async function classNames(root: string): Promise<ReadonlyMap<string, string>> {
  const { files } = await list(root);
  const file = NAME_FILES.find((name) => files.includes(name));
  if (file === undefined) return new Map();
  const names = new Map<string, string>();
  for (const line of await readLines(join(root, file))) {
    const [, folder, name] = /^(\S+)\s+(.+)$/.exec(line) ?? [];
    if (folder !== undefined && name !== undefined) names.set(folder, name);
  }
  return names;
}

async function readLines(path: string): Promise<string[]> {
  try {
    return (await readFile(path, 'utf8')).split('\n').map((line) => line.trimEnd()).filter((line) => line !== '');
  } catch (error) {
    throw new UserError(`--data: ${path} cannot be read: ${reason(error)}.`);
  }
}
