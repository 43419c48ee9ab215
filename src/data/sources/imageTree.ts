import { counted } from '../../common/format';
import { UserError } from '../../common/userError';
import { someIndices } from '../imageSet';
import { permutation, RandomStream } from '../philox';
import * as purposes from '../purposes';
import { imagesUnder, joinPath, LeftOut, walkTree, type FileTree, type ImageFolder, type ImageRoot } from './fileTree';
import { beginningOf, type TreeParts } from './treeParts';

/*
 * Trees of image files with a folder a class: `train/CLASS/…` beside `val/CLASS/…` (ImageNet), Tiny-ImageNet's own layout,
 * whose validation images lie in one folder beside a list of their classes, or `CLASS/…` alone, of which a part is held out.
 * In a class images may lie at any depth. Images in one folder are of one class.
 */

/** Some files of a tree. */
export interface ImageFiles {
  /** From the tree's root. */
  readonly paths: readonly string[];
  /** Indices into the classes. */
  readonly labels: Uint16Array;
}

export interface ImageTree {
  readonly root: ImageRoot;
  readonly classes: readonly string[];
  readonly train: ImageFiles;
  readonly test: ImageFiles;
  /** What a user should know of it. */
  readonly notes: readonly string[];
  /** The bytes of an image's file, where that lies in another. @throws UserError where they can't be had */
  bytes?(path: string): Promise<Uint8Array>;
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
    };
  };
  return { ...tree, train: some(tree.train, train), test: some(tree.test, test) };
}

const ANNOTATIONS = 'val_annotations.txt';
/** Files that say what classes are called, a line each: the folder, white space, the name. */
const NAME_FILES = ['words.txt', 'LOC_synset_mapping.txt', 'classes.txt'];
/** The share of each class that is held out where a tree has no part for it. */
const HELD_OUT_SHARE = 0.1;
const MOST_CLASSES = 2 ** 16;
const NO_IMAGES = 'holds no JPEG, PNG or WebP file';

/** A class's files, from the tree's root, sorted. */
export interface ClassFiles {
  readonly name: string;
  readonly paths: readonly string[];
}

/** A tree while it is read. */
interface Reading {
  readonly root: FileTree;
  readonly leftOut: LeftOut;
  /** What else a user should know of it. */
  readonly notes: string[];
}

/**
 * The tree of image files that a folder is, or that the only folder in it is that holds one.
 *
 * @param listing is told of so many files from time to time, while they are looked for
 * @returns undefined where nothing there looks like one
 * @throws UserError where there is one that cannot be used: what is wrong with it
 */
export async function findImageTree(root: FileTree, listing?: (files: number) => void): Promise<ImageTree | undefined> {
  const leftOut = new LeftOut();
  const top = await walkTree(root, leftOut, listing);
  if (top.count === 0) {
    if (!leftOut.hasPictures) return undefined;
    throw new UserError(`--data: ${root.path} ${NO_IMAGES}. ${leftOut.notes.join('. ')}.`);
  }
  const { at, parts } = beginningOf(top, root.path, leftOut);
  const reading = { root, leftOut, notes: [] };
  const tree = parts ? await readSplit(reading, at, parts) : await readClasses(reading, at);
  return at.path === '' ? tree : fromBelow(tree, root, at.path);
}

/** A tree as it is from a folder of its root. */
function fromBelow(tree: ImageTree, root: FileTree, folder: string): ImageTree {
  const cut = ({ paths, labels }: ImageFiles): ImageFiles => ({
    paths: paths.map((path) => path.slice(folder.length + 1)),
    labels,
  });
  return { ...tree, root: root.below(folder), train: cut(tree.train), test: cut(tree.test) };
}

async function readSplit(reading: Reading, at: ImageFolder, { train, held }: TreeParts): Promise<ImageTree> {
  const { root, leftOut } = reading;
  const place = (folder: ImageFolder): string => joinPath(root.path, folder.path);
  for (const other of at.folders) {
    if (other.count === 0 || [train, held].some((part) => part?.path.startsWith(other.path))) continue;
    leftOut.add(
      `${place(other)}: ${counted(other.count, 'image')} beside ${held ? 'the parts' : 'the part'} of the set`,
    );
  }
  const classes = classesOf(reading, train);
  const names = classes.map(({ name }) => name);
  if (!held) return await holdOut(reading, at, classes);
  if (held.texts.includes(ANNOTATIONS) && isFlat(held, names))
    return await makeTree(reading, at, names, classes, await readAnnotated(reading, held));
  if (names.length === 1 && train.folders.every(({ count }) => count === 0))
    return await makeTree(reading, at, names, classes, [{ name: names[0] as string, paths: imagesUnder(held) }]);
  if (isFlat(held, names)) {
    if (held.count === 0) throw new UserError(`--data: ${place(held)} ${NO_IMAGES}. Add images, or delete it.`);
    leftOut.add(`${place(held)}: ${counted(held.count, 'image')} in no folder of a class, of ${ANNOTATIONS} no word`);
    return await holdOut(reading, at, classes);
  }
  for (const { path, count } of held.folders)
    if (count === 0) leftOut.add(`the folder ${joinPath(root.path, path)}, without images`);
  const test = classesOf(reading, { ...held, folders: held.folders.filter(({ count }) => count > 0) });
  const stranger = test.find(({ name }) => !names.includes(name));
  if (stranger)
    throw new UserError(
      `--data: ${place(held)} has images of the class ${stranger.name}, which ${place(train)} has not.`,
    );
  return await makeTree(reading, at, names, classes, test);
}

/** Whether the images of a held-out part lie in no folders of classes, but all in it, or in one folder of another name. */
function isFlat({ folders }: ImageFolder, classes: readonly string[]): boolean {
  const filled = folders.filter(({ count }) => count > 0);
  return (
    filled.length === 0 ||
    (filled.length === 1 && filled.every(({ name }) => name === 'images' && !classes.includes(name)))
  );
}

/** A set without parts: a class a folder; images that lie beside these folders are a class of their own, as are all where there are none. */
async function readClasses(reading: Reading, at: ImageFolder): Promise<ImageTree> {
  const { root, leftOut } = reading;
  for (const { path, count } of at.folders)
    if (count === 0) leftOut.add(`the folder ${joinPath(root.path, path)}, without images`);
  const classes = at.folders
    .filter(({ count }) => count > 0)
    .map((folder) => ({ name: folder.name, paths: imagesUnder(folder) }));
  assertPossible(classes.length, joinPath(root.path, at.path));
  reading.notes.push(...sameInside(at.folders));
  if (at.images.length === 0) return await holdOut(reading, at, classes);
  const loose = { name: at.name, paths: at.images.map((name) => joinPath(at.path, name)) };
  return await holdOut(reading, at, [loose, ...classes]);
}

/** A word where folders look like the parts of a set more than like classes. */
function sameInside(folders: readonly ImageFolder[]): string[] {
  const filled = folders.filter(({ count }) => count > 0);
  const inside = filled.map((folder) => folder.folders.filter(({ count }) => count > 0).map(({ name }) => name));
  const [first = []] = inside;
  if (filled.length < 2 || first.length < 2 || inside.some((names) => names.join('/') !== first.join('/'))) return [];
  return [
    `${filled
      .slice(0, 3)
      .map(({ name }) => name)
      .join(', ')} are taken as classes, and hold folders of the same names ` +
      `(${first.slice(0, 3).join(', ')}): if those are the classes, call the folders above them train and val`,
  ];
}

/** The classes of a part: its folders, or all of it where its images lie in none. */
function classesOf({ root, leftOut }: Reading, part: ImageFolder): ClassFiles[] {
  const place = joinPath(root.path, part.path);
  if (part.count === part.images.length) return [{ name: 'images', paths: imagesUnder(part) }];
  if (part.images.length > 0)
    leftOut.add(
      `${counted(part.images.length, 'image')} of ${place} that ${part.images.length === 1 ? 'lies' : 'lie'} in no folder of a class`,
    );
  const empty = part.folders.filter(({ count }) => count === 0);
  if (empty[0]) {
    const more = empty.length > 1 ? ` (and ${counted(empty.length - 1, 'more folder')})` : '';
    throw new UserError(
      `--data: the folder ${joinPath(root.path, empty[0].path)}${more} ${NO_IMAGES}. Add images, or delete it.`,
    );
  }
  assertPossible(part.folders.length, place);
  return part.folders.map((folder) => ({ name: folder.name, paths: imagesUnder(folder) }));
}

function assertPossible(classes: number, place: string): void {
  if (classes > MOST_CLASSES)
    throw new UserError(`--data: ${place} has ${classes} classes; ${MOST_CLASSES} are possible.`);
}

/** Tiny-ImageNet's validation images: a line each of `val_annotations.txt` names the file, its class, and a box. */
async function readAnnotated({ root }: Reading, part: ImageFolder): Promise<ClassFiles[]> {
  const place = joinPath(part.path, ANNOTATIONS);
  const listing = joinPath(root.path, place);
  const there = new Map(imagesUnder(part).map((path) => [path.slice(path.lastIndexOf('/') + 1), path]));
  const paths = new Map<string, string[]>();
  for (const [index, line] of (await readLines(root, place)).entries()) {
    const [file, name] = line.split('\t');
    if (!file || !name)
      throw new UserError(
        `--data: ${listing}, line ${index + 1}: a file and its class are wanted, with tabs between, not "${line}".`,
      );
    const path = there.get(file);
    if (path === undefined)
      throw new UserError(
        `--data: ${listing}, line ${index + 1}, names ${joinPath(root.path, part.path, 'images', file)}, which is not there.`,
      );
    const known = paths.get(name) ?? [];
    paths.set(name, known);
    known.push(path);
  }
  if (paths.size === 0) throw new UserError(`--data: ${listing} names no images.`);
  return [...paths].map(([name, files]) => ({ name, paths: files.sort() })).sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** Holds a tenth of each class out, at least one image of those that have two, always the same ones. */
export function holdOutTenth(classes: readonly ClassFiles[]): {
  readonly train: readonly ClassFiles[];
  readonly test: readonly ClassFiles[];
} {
  const train: ClassFiles[] = [];
  const test: ClassFiles[] = [];
  for (const [index, { name, paths }] of classes.entries()) {
    const count = paths.length < 2 ? 0 : Math.max(1, Math.floor(paths.length * HELD_OUT_SHARE));
    const chosen = new Set(permutation(RandomStream.at(0, purposes.holdOut, index), paths.length).subarray(0, count));
    train.push({ name, paths: paths.filter((_, place) => !chosen.has(place)) });
    if (count > 0) test.push({ name, paths: paths.filter((_, place) => chosen.has(place)) });
  }
  return { train, test };
}

async function holdOut(reading: Reading, at: ImageFolder, classes: readonly ClassFiles[]): Promise<ImageTree> {
  const { train, test } = holdOutTenth(classes);
  const names = classes.map(({ name }) => name);
  const place = joinPath(reading.root.path, at.path);
  reading.notes.push(
    `${place} has no val or test folder of classes: a tenth of each class is held out, the same images in every run`,
  );
  return await makeTree(reading, at, names, train, test);
}

async function makeTree(
  { root, leftOut, notes }: Reading,
  at: ImageFolder,
  names: readonly string[],
  train: readonly ClassFiles[],
  test: readonly ClassFiles[],
): Promise<ImageTree> {
  const called = await classNames(root, at);
  const place = new Map(names.map((name, index) => [name, index]));
  return {
    root,
    classes: names.map((name) => called.get(name) ?? name),
    train: asFiles(train, place),
    test: asFiles(test, place),
    notes: [...leftOut.notes, ...notes],
  };
}

export function asFiles(classes: readonly ClassFiles[], place: ReadonlyMap<string, number>): ImageFiles {
  const labels = new Uint16Array(classes.reduce((sum, { paths }) => sum + paths.length, 0));
  let at = 0;
  for (const { name, paths } of classes) labels.fill(place.get(name) ?? 0, at, (at += paths.length));
  return { paths: classes.flatMap(({ paths }) => paths), labels };
}

async function classNames(root: FileTree, at: ImageFolder): Promise<ReadonlyMap<string, string>> {
  const file = NAME_FILES.find((name) => at.texts.includes(name));
  if (file === undefined) return new Map();
  const names = new Map<string, string>();
  for (const line of await readLines(root, joinPath(at.path, file))) {
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
