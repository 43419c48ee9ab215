import { counted } from '../../common/format';
import { UserError } from '../../common/userError';
import { someIndices } from '../imageSet';
import { permutation, RandomStream } from '../philox';
import * as purposes from '../purposes';
import { Semaphore } from './semaphore';

/*
 * Trees of image files with a folder a class: `train/CLASS/…` beside `val/CLASS/…` (ImageNet), Tiny-ImageNet's own layout,
 * whose validation images lie in one folder beside a list of their classes, or `CLASS/…` alone, of which a part is held out.
 * Paths have slashes, and are the same on every system: what a set is, and what is held out of it, follows from them.
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
  readonly root: FileTree;
  readonly classes: readonly string[];
  readonly train: ImageFiles;
  readonly test: ImageFiles;
  /** What a user should know of it. */
  readonly notes: readonly string[];
}

/** How many files of each part are enough, drawn by a seed. */
export interface FewerFiles {
  readonly train: number;
  readonly test: number;
  readonly seed: number;
}

/** A tree with fewer files, so that no more are decoded than are looked at: those that `someImages` takes of all. */
export function fewerFiles(tree: ImageTree, { train, test, seed }: FewerFiles): ImageTree {
  const some = (files: ImageFiles, most: number): ImageFiles => {
    const chosen = someIndices(files.paths.length, most, seed);
    return {
      paths: Array.from(chosen, (index) => files.paths[index] as string),
      labels: Uint16Array.from(chosen, (index) => files.labels[index] as number),
      sizes: Float64Array.from(chosen, (index) => files.sizes[index] as number),
    };
  };
  return { ...tree, train: some(tree.train, train), test: some(tree.test, test) };
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

/** The names of what lies in a folder, sorted. */
export interface Entries {
  readonly folders: readonly string[];
  readonly files: readonly string[];
}

/** A folder with all that lies below it, on a disk or dropped on a page. Paths are from it; '' is itself. */
export interface FileTree {
  /** What messages call it. */
  readonly path: string;
  readonly name: string;
  /** @throws UserError where it cannot be read; as all of these */
  list(folder: string): Promise<Entries>;
  /** Bytes of a file. */
  size(path: string): Promise<number>;
  text(path: string): Promise<string>;
  /** A folder of it. */
  below(folder: string): FileTree;
}

const join = (...parts: readonly string[]): string => parts.filter((part) => part !== '').join('/');

/**
 * The tree of image files that a folder is, or that the only folder in it is that holds one.
 *
 * @returns undefined where nothing there looks like one
 * @throws UserError where there is one that cannot be used: what is wrong with it
 */
export async function findImageTree(root: FileTree): Promise<ImageTree | undefined> {
  const here = await root.list('');
  if (isSplit(here)) return await readSplit(root);
  const inside = await Promise.all(here.folders.map(async (folder) => ({ folder, entries: await root.list(folder) })));
  if (inside.some(({ entries }) => entries.files.some(isImage)))
    return await holdOut(root, await classesIn(root, '', here.folders));
  const splits = inside.filter(({ entries }) => isSplit(entries));
  if (splits.length > 1) {
    const names = splits.map(({ folder }) => join(root.path, folder)).join(', ');
    throw new UserError(`--data: ${root.path} holds several image sets (${names}). Name the folder of one.`);
  }
  if (splits[0]) return await readSplit(root.below(splits[0].folder));
  if (here.files.some(isImage)) {
    throw new UserError(
      `--data: ${root.path} holds images, but no folders of classes. Put the images of each class into a folder of its own; ` +
        'without classes, all into one folder.',
    );
  }
  return undefined;
}

const isImage = (name: string): boolean => IMAGE.test(name) && !name.startsWith('.');
const isSplit = ({ folders }: Entries): boolean => folders.includes('train');

async function readSplit(root: FileTree): Promise<ImageTree> {
  const { folders } = await root.list('');
  const train = await readClasses(root, 'train');
  const held = HELD_OUT_NAMES.find((name) => folders.includes(name));
  if (held === undefined) return await holdOut(root, train);
  const names = train.map(({ name }) => name);
  const { files } = await root.list(held);
  const test = files.includes(ANNOTATIONS) ? await readAnnotated(root, held) : await readClasses(root, held);
  const stranger = test.find(({ name }) => !names.includes(name));
  if (stranger) {
    throw new UserError(
      `--data: ${join(root.path, held)} has images of the class ${stranger.name}, which ${join(root.path, 'train')} has not.`,
    );
  }
  return await makeTree(root, names, train, test, []);
}

/** The classes under a part of the tree, each a folder. */
async function readClasses(root: FileTree, part: string): Promise<ClassFiles[]> {
  const { folders, files } = await root.list(part);
  if (folders.length > 0) return await classesIn(root, part, folders);
  const flat = files.some(isImage) ? 'holds images that are in no folder of a class' : 'holds no folders of classes';
  throw new UserError(
    `--data: ${join(root.path, part)} ${flat}. Put the images of each class into a folder of its own, ${join(part, 'CLASS')}; only ` +
      `Tiny-ImageNet's val, with its ${ANNOTATIONS}, may be flat.`,
  );
}

async function classesIn(root: FileTree, part: string, folders: readonly string[]): Promise<ClassFiles[]> {
  if (folders.length > MOST_CLASSES) {
    throw new UserError(
      `--data: ${join(root.path, part)} has ${folders.length} classes; ${MOST_CLASSES} are possible.`,
    );
  }
  const turnstile = new Semaphore(AT_ONCE);
  const classes = await Promise.all(
    folders.map((name) => turnstile.pass(async () => ({ name, paths: await imagesUnder(root, join(part, name)) }))),
  );
  const empty = classes.filter(({ paths }) => paths.length === 0);
  if (empty[0]) {
    const more = empty.length > 1 ? ` (and ${counted(empty.length - 1, 'more folder')})` : '';
    throw new UserError(
      `--data: the folder ${join(root.path, part, empty[0].name)}${more} holds no JPEG, PNG or WebP file. Add images, or delete it.`,
    );
  }
  return classes;
}

async function imagesUnder(root: FileTree, folder: string): Promise<string[]> {
  const { folders, files } = await root.list(folder);
  const below: string[] = [];
  for (const each of folders) below.push(...(await imagesUnder(root, join(folder, each))));
  return [...files.filter(isImage).map((name) => join(folder, name)), ...below];
}

/** Tiny-ImageNet's validation images: a line each of `val_annotations.txt` names the file, its class, and a box. */
async function readAnnotated(root: FileTree, part: string): Promise<ClassFiles[]> {
  const listing = join(root.path, part, ANNOTATIONS);
  const there = new Set(await imagesUnder(root, join(part, 'images')));
  const paths = new Map<string, string[]>();
  for (const [index, line] of (await readLines(root, join(part, ANNOTATIONS))).entries()) {
    const [file, name] = line.split('\t');
    if (!file || !name)
      throw new UserError(
        `--data: ${listing}, line ${index + 1}: a file and its class are wanted, with tabs between, not "${line}".`,
      );
    const path = join(part, 'images', file);
    if (!there.has(path))
      throw new UserError(`--data: ${listing}, line ${index + 1}, names ${join(root.path, path)}, which is not there.`);
    const known = paths.get(name) ?? [];
    paths.set(name, known);
    known.push(path);
  }
  if (paths.size === 0) throw new UserError(`--data: ${listing} names no images.`);
  return [...paths].map(([name, files]) => ({ name, paths: files.sort() })).sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** Holds a tenth of each class out, at least one image of those that have two, always the same ones. */
async function holdOut(root: FileTree, classes: readonly ClassFiles[]): Promise<ImageTree> {
  const train: ClassFiles[] = [];
  const test: ClassFiles[] = [];
  for (const [index, { name, paths }] of classes.entries()) {
    const count = paths.length < 2 ? 0 : Math.max(1, Math.floor(paths.length * HELD_OUT_SHARE));
    const chosen = new Set(permutation(RandomStream.at(0, purposes.holdOut, index), paths.length).subarray(0, count));
    train.push({ name, paths: paths.filter((_, at) => !chosen.has(at)) });
    if (count > 0) test.push({ name, paths: paths.filter((_, at) => chosen.has(at)) });
  }
  const note = `${root.path} has no val or test folder: a tenth of each class is held out, the same images in every run`;
  return await makeTree(
    root,
    classes.map(({ name }) => name),
    train,
    test,
    [note],
  );
}

async function makeTree(
  root: FileTree,
  names: readonly string[],
  train: readonly ClassFiles[],
  test: readonly ClassFiles[],
  notes: readonly string[],
): Promise<ImageTree> {
  const called = await classNames(root);
  const place = new Map(names.map((name, index) => [name, index]));
  return {
    root,
    classes: names.map((name) => called.get(name) ?? name),
    train: await asFiles(root, train, place),
    test: await asFiles(root, test, place),
    notes,
  };
}

async function asFiles(
  root: FileTree,
  classes: readonly ClassFiles[],
  place: ReadonlyMap<string, number>,
): Promise<ImageFiles> {
  const paths = classes.flatMap((each) => each.paths);
  const labels = Uint16Array.from(
    classes.flatMap(({ name, paths: { length } }) => new Array<number>(length).fill(place.get(name) ?? 0)),
  );
  const turnstile = new Semaphore(AT_ONCE);
  const sizes = await Promise.all(paths.map((path) => turnstile.pass(() => root.size(path))));
  return { paths, labels, sizes: Float64Array.from(sizes) };
}

async function classNames(root: FileTree): Promise<ReadonlyMap<string, string>> {
  const { files } = await root.list('');
  const file = NAME_FILES.find((name) => files.includes(name));
  if (file === undefined) return new Map();
  const names = new Map<string, string>();
  for (const line of await readLines(root, file)) {
    const [, folder, name] = /^(\S+)\s+(.+)$/.exec(line) ?? [];
    if (folder !== undefined && name !== undefined) names.set(folder, name);
  }
  return names;
}

async function readLines(root: FileTree, path: string): Promise<string[]> {
  return (await root.text(path))
    .split('\n')
    .map((line) => line.trimEnd())
    .filter((line) => line !== '');
}
