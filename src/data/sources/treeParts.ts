import { UserError } from '../../common/userError';
import { joinPath, type ImageFolder, type LeftOut } from './fileTree';

/*
 * Which folders of a set are its parts, to train on and held out, and which are classes: by their names, and where a class
 * may have the name of a part, by what lies in them.
 */

/** The parts of a set. */
export interface TreeParts {
  readonly train: ImageFolder;
  /** Undefined where the set has none. */
  readonly held: ImageFolder | undefined;
}

const TRAIN = /^(train|training)$/;
/** Held-out parts, the likelier first. */
const HELD = [/^(val|valid|validation|dev)$/, /^(test|testing|eval|evaluation)$/] as const;
/** What may stand beside the word for the part. */
const SAYS_NOTHING = /^(set|images?|imgs?|data|split|folder|part)$/;
/** Names of folders that say nothing of what lies in them. */
const GENERIC = /^(images?|imgs?|pictures?|photos?|pics?|jpe?gs?|pngs?|data|all)$/i;

/** A folder's name as a part's: `seg_train` is the part `train` of `seg`. */
interface PartName {
  readonly folder: ImageFolder;
  /** 0: to train on; else its place among held-out parts, from 1. */
  readonly rank: number;
  /** The rest of the name. */
  readonly rest: string;
}

function partName(folder: ImageFolder): PartName | undefined {
  const words = folder.name
    .toLowerCase()
    .split(/[^a-z]+|(?<=[a-z])(?=set$|\d)/)
    .filter((word) => word !== '');
  const ranks = words.map((word) => [TRAIN, ...HELD].findIndex((part) => part.test(word)));
  const parts = ranks.filter((rank) => rank >= 0);
  if (parts.length !== 1) return undefined;
  const at = ranks.findIndex((rank) => rank >= 0);
  const rest = words.filter((word, index) => index !== at && !SAYS_NOTHING.test(word));
  return { folder, rank: ranks[at] as number, rest: [...rest, folder.name.replace(/\D/g, '')].join(' ').trim() };
}

/**
 * The parts that lie in a folder. Two folders are parts of one set where their names differ by the word for the part alone:
 * `Train` and `Test`, `training_set` and `test_set`; `train` is one alone.
 *
 * @returns undefined where there are none, or they are classes by such names
 */
export function partsOf(parent: ImageFolder): TreeParts | undefined {
  const inside = parent.folders.filter(({ count }) => count > 0);
  const empty = parent.folders.filter(({ count }) => count === 0);
  const named = inside.flatMap((folder) => partName(folder) ?? []);
  const trains = named.filter(({ rank }) => rank === 0);
  const train = trains.find(({ folder }) => folder.name === 'train') ?? (trains.length === 1 ? trains[0] : undefined);
  if (!train) return undefined;
  const held = [...named, ...empty.flatMap((folder) => partName(folder) ?? [])]
    .filter(({ rank, rest }) => rank > 0 && rest === train.rest)
    .sort((a, b) => Number(a.folder.count === 0) - Number(b.folder.count === 0) || a.rank - b.rank);
  if (train.rest !== '' && held.length === 0) return undefined;
  const others = inside.filter((folder) => folder !== train.folder && !held.some((part) => part.folder === folder));
  if (others.length > 0 && isAmong(train.folder, others)) return undefined;
  return { train: unwrapped(train.folder), held: held[0] && unwrapped(held[0].folder) };
}

/** Whether a folder looks like the others, as one class among several: with images in it, or in a folder of no meaning. */
function isAmong({ images, folders }: ImageFolder, others: readonly ImageFolder[]): boolean {
  const filled = folders.filter(({ count }) => count > 0);
  if (images.length > 0) return filled.length === 0 || others.every((other) => other.images.length > 0);
  const [only, second] = filled;
  if (!only || second || !GENERIC.test(only.name)) return false;
  return others.every((other) => other.images.length > 0 || other.folders.some(({ name }) => name === only.name));
}

/** `seg_train/seg_train/CLASS`: what some archives become when they are unpacked. */
function unwrapped(part: ImageFolder): ImageFolder {
  const [only, second] = part.folders.filter(({ count }) => count > 0);
  const isAgain = only && !second && part.images.length === 0 && only.name.toLowerCase() === part.name.toLowerCase();
  return isAgain && only.images.length === 0 ? unwrapped(only) : part;
}

/**
 * The folder where a set begins: the root, or below it, where each folder on the way holds nothing else; or the one folder
 * in it that has parts, to train on and held out.
 *
 * @throws UserError where several have
 */
export function beginningOf(top: ImageFolder, path: string, leftOut: LeftOut): { at: ImageFolder; parts?: TreeParts } {
  let at = top;
  for (;;) {
    const parts = partsOf(at);
    if (parts) return { at, parts };
    const [only, second] = at.folders.filter(({ count }) => count > 0);
    if (!only || second || at.images.length > 0 || only.images.length > 0) break;
    at = only;
  }
  if (at.images.length > 0 || at.folders.some(({ images }) => images.length > 0)) return { at };
  const sets = at.folders.flatMap((folder) => {
    const parts = partsOf(folder);
    return parts ? [{ at: folder, parts }] : [];
  });
  const [first, second] = sets;
  if (second && sets.every(({ parts }) => parts.held || parts.train.images.length === 0)) {
    const names = sets.map((set) => joinPath(path, set.at.path)).join(', ');
    throw new UserError(`--data: ${path} holds several image sets (${names}). Name the folder of one.`);
  }
  if (!first?.parts.held || second) return { at };
  for (const other of at.folders.filter((folder) => folder !== first.at && folder.count > 0))
    leftOut.add(`${joinPath(path, other.path)}: ${other.count} images beside the set in ${first.at.name}`);
  return first;
}
