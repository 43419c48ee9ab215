import { counted } from '../../common/format';
import { UserError } from '../../common/userError';

/* Sets whose images lie many in a file: parquet and WebDataset. */

/** A file that is read in pieces: on a disk, or given to a page. */
export interface PackedFile {
  /** From the root of the set, with slashes. */
  readonly path: string;
  readonly byteLength: number;
  /** @throws UserError where it cannot be read */
  slice(start: number, end?: number): Promise<ArrayBuffer>;
}

/** Where a set lies. */
export interface PackedRoot {
  /** What messages call it. */
  readonly path: string;
  readonly name: string;
  /** The bytes of a file in it. @throws UserError where it cannot be read */
  read(path: string): Promise<Uint8Array>;
}

/** What a file says of an image's class: its number, its name, or nothing. */
export type RawLabel = number | string | undefined;

/** Images of a part of a set, in its order. */
export interface PackedImages {
  /** Each names an image, and no other does. */
  readonly paths: readonly string[];
  readonly labels: readonly RawLabel[];
}

/** A set as it is packed. */
export interface PackedSet {
  readonly train: PackedImages;
  /** Held-out parts, the likelier first. */
  readonly held: readonly PackedImages[];
  /** Names of classes by number, where the set has them. */
  readonly names: readonly string[] | undefined;
  readonly notes: readonly string[];
  /** The bytes of an image's file. @throws UserError where they can't be had */
  bytes(path: string): Promise<Uint8Array>;
  /** The path of the file that an image lies in. */
  fileOf(path: string): string;
}

/** Images with their classes. */
export interface LabelledImages {
  readonly paths: readonly string[];
  readonly labels: readonly number[];
}

/** The classes of a set, and which image is of which. */
export interface LabelledSet {
  readonly classes: readonly string[];
  readonly train: LabelledImages;
  /** Undefined where no part has classes. */
  readonly held: LabelledImages | undefined;
  readonly notes: readonly string[];
}

const MOST_CLASSES = 2 ** 16;

/** Gives each image the number of its class: that which the set says, or where it says names, their place in sorted order. */
export function labelled(root: PackedRoot, { train, held, names, notes }: PackedSet): LabelledSet {
  const known = [...notes];
  if (train.paths.length === 0) throw new UserError(`--data: ${root.path} holds no images to train on.`);
  const missing = train.labels.indexOf(undefined);
  if (missing >= 0 && train.labels.some((label) => label !== undefined)) {
    throw new UserError(
      `--data: ${root.path}/${train.paths[missing] ?? ''} has no class, and others have. Leave it out.`,
    );
  }
  if (missing >= 0) {
    known.push('no classes are told: all images are of one');
    return {
      classes: ['images'],
      train: { paths: train.paths, labels: train.paths.map(() => 0) },
      held: held[0] && { paths: held[0].paths, labels: held[0].paths.map(() => 0) },
      notes: known,
    };
  }
  const classes = names ?? classesOf(train.labels as readonly (number | string)[]); // none is missing
  if (classes.length > MOST_CLASSES) {
    throw new UserError(`--data: ${root.path} has ${classes.length} classes; ${MOST_CLASSES} are possible.`);
  }
  const numbers = new Map<RawLabel, number>();
  for (const [index, name] of classes.entries()) numbers.set(index, index).set(name, index);
  const numbered = ({ paths, labels }: PackedImages): LabelledImages => ({
    paths,
    labels: labels.map((label, at) => {
      const number = numbers.get(label);
      if (number !== undefined) return number;
      throw new UserError(
        `--data: ${root.path}/${paths[at] ?? ''} is of the class ${String(label)}, which ${
          names ? `is none of the ${names.length} classes that the set names` : 'no image to train on is of'
        }.`,
      );
    }),
  });
  for (const part of held) {
    const places = part.labels.flatMap((label, at) => (label === undefined || label === -1 ? [] : [at]));
    if (places.length === 0) {
      known.push(`left out: ${counted(part.paths.length, 'image')} of a held-out part that tells no classes`);
      continue;
    }
    if (places.length < part.paths.length) {
      known.push(`left out: ${counted(part.paths.length - places.length, 'held-out image')} without a class`);
    }
    const told = {
      paths: places.map((at) => part.paths[at] as string),
      labels: places.map((at) => part.labels[at]),
    };
    return { classes, train: numbered(train), held: numbered(told), notes: known };
  }
  return { classes, train: numbered(train), held: undefined, notes: known };
}

/** Numbers stand for themselves, from 0 to the largest; names are sorted. */
function classesOf(labels: readonly (number | string)[]): string[] {
  const told = [...new Set(labels)];
  const texts = told.filter((label) => typeof label === 'string');
  if (texts.length > 0) return told.map(String).sort();
  const largest = told.reduce<number>((most, label) => Math.max(most, Number(label)), 0);
  return Array.from({ length: Math.min(largest, MOST_CLASSES) + 1 }, (_, label) => String(label));
}

/** The parts of a set, by what their files are called; of held-out ones the likelier first. */
const PARTS = [/^train(ing)?$/, /^(val|valid|validation|dev)$/, /^(test|testing|eval|evaluation)$/];

/** Files to train on, and those of each part that is held out. */
export interface PackedParts {
  readonly train: readonly PackedFile[];
  readonly held: readonly (readonly PackedFile[])[];
}

/**
 * The parts of a set of files: `train-00000-of-00002.parquet` beside `test-….parquet`, or in folders of such names. Where no
 * name says anything, all are to train on.
 *
 * @throws UserError where some names say something and others don't, or several sets lie in one folder
 */
export function partsOfFiles(root: PackedRoot, files: readonly PackedFile[]): PackedParts {
  const sorted = [...files].sort((a, b) => (a.path < b.path ? -1 : 1));
  const ranks = sorted.map(({ path }) => rankOf(path));
  if (ranks.every((rank) => rank === undefined)) return { train: sorted, held: [] };
  const unsaid = sorted[ranks.indexOf(undefined)];
  if (unsaid) {
    throw new UserError(
      `--data: ${root.path}: the name of ${unsaid.path} does not say which part it is of, as others do. ` +
        'Call files train-…, and validation-… or test-….',
    );
  }
  const [train = [], ...held] = PARTS.map((_, rank) => sorted.filter((__, index) => ranks[index] === rank));
  const [first] = sorted;
  if (train.length === 0) {
    throw new UserError(
      `--data: ${root.path} has no part to train on, only ${first?.path ?? ''}${sorted.length > 1 ? ' and the like' : ''}. ` +
        'Give the folder that holds the files of train, too.',
    );
  }
  const folders = new Set(train.map(({ path }) => folderOfSet(path)));
  if (folders.size > 1) {
    throw new UserError(
      `--data: ${root.path} holds several sets (${[...folders].join(', ')}). Name the folder of one.`,
    );
  }
  return { train, held: held.filter((part) => part.length > 0) };
}

/** Which part a file is of, by the last name on its path that says so. */
function rankOf(path: string): number | undefined {
  for (const name of path.toLowerCase().split('/').reverse()) {
    const words = name.split(/[^a-z]+/);
    const rank = PARTS.findIndex((part) => words.some((word) => part.test(word)));
    if (rank >= 0) return rank;
  }
  return undefined;
}

/** Where a file's set lies: its folder, without that of its part. */
function folderOfSet(path: string): string {
  const folders = path.split('/').slice(0, -1);
  const at = folders.findIndex((name) => rankOf(name) !== undefined);
  return (at < 0 ? folders : folders.slice(0, at)).join('/') || '.';
}
