import { counted } from '../../common/format';

/*
 * Folders of files, on a disk or dropped on a page, and what is found in them. Paths have slashes, and are the same on
 * every system: what a set is, and what is held out of it, follows from them.
 */

/** What lies in a folder, by name, sorted. */
export interface Entries {
  readonly folders: readonly string[];
  readonly files: readonly string[];
  /** Symbolic links to folders, and where those really lie. */
  readonly links?: readonly { readonly name: string; readonly target: string }[];
  /** What is there and cannot be had. */
  readonly unreadable?: readonly { readonly name: string; readonly why: string }[];
}

/** Where the images of a set lie. */
export interface ImageRoot {
  /** What messages call it. */
  readonly path: string;
  readonly name: string;
  /** Bytes of each file. @throws UserError where one cannot be read */
  sizes(paths: readonly string[]): Promise<number[]>;
}

/** A folder with all that lies below it. Paths are from it; '' is itself. */
export interface FileTree extends ImageRoot {
  /** Where it really lies, all links followed. */
  real(): Promise<string>;
  /** @throws UserError where it cannot be read; as all of these */
  list(folder: string): Promise<Entries>;
  text(path: string): Promise<string>;
  /** A folder of it. */
  below(folder: string): FileTree;
}

/** A folder, and what it holds of images. */
export interface ImageFolder {
  /** From the root of the tree. */
  readonly path: string;
  readonly name: string;
  /** Images that lie in it directly, by name. */
  readonly images: readonly string[];
  /** Names of its text files: some say what images are called, or of which class they are. */
  readonly texts: readonly string[];
  readonly folders: readonly ImageFolder[];
  /** Images in it and below it. */
  readonly count: number;
}

const IMAGE = /\.(jpe?g|png|webp)$/i;
/** Pictures that are not read. */
const OTHER_PICTURES = /^\.(heic|heif|gif|bmp|tiff?|avif|jp2|jxl|cr2|cr3|nef|arw|dng|raw|svg|psd)$/;
/** What systems and tools leave in folders, beside all names that begin with a dot. */
const LEFT_BY_TOOLS =
  /^(__MACOSX|__pycache__|@eaDir|#recycle|\$RECYCLE\.BIN|System Volume Information|lost\+found|Thumbs\.db|desktop\.ini)$/i;
/** Folders that are looked at at once. */
const AT_ONCE = 32;
/** At most so many are named in a note. */
const NAMED = 4;

export const joinPath = (...parts: readonly string[]): string => parts.filter((part) => part !== '').join('/');

const isHidden = (name: string): boolean => name.startsWith('.') || LEFT_BY_TOOLS.test(name);

/** What is not taken, and why. */
export class LeftOut {
  private readonly kinds = new Map<string, number>();
  private readonly hidden: string[] = [];
  private readonly others: string[] = [];

  /** A file of another kind. */
  addFile(name: string): void {
    const kind = /\.[^.]+$/.exec(name)?.[0].toLowerCase() ?? 'without an ending';
    this.kinds.set(kind, (this.kinds.get(kind) ?? 0) + 1);
  }

  addHidden(path: string): void {
    this.hidden.push(path);
  }

  /** @param what names it, and says why */
  add(what: string): void {
    this.others.push(what);
  }

  /** Whether there are pictures among the files of other kinds. */
  get hasPictures(): boolean {
    return [...this.kinds.keys()].some((kind) => OTHER_PICTURES.test(kind));
  }

  /** A line each. */
  get notes(): readonly string[] {
    const kinds = [...this.kinds].sort((a, b) => b[1] - a[1]).map(([kind, count]) => `${count} ${kind}`);
    const camera = [...this.kinds.keys()].some((kind) => /^\.(heic|heif)$/.test(kind));
    return [
      ...(kinds.length === 0
        ? []
        : [
            `left out: files that are no JPEG, PNG or WebP: ${listed(kinds, 2 * NAMED, ', ')}` +
              (camera ? '. HEIC is not read: convert those to JPEG' : ''),
          ]),
      ...(this.hidden.length === 0 ? [] : [`left out: hidden, or left by tools: ${listed(this.hidden, NAMED, ', ')}`]),
      ...(this.others.length === 0 ? [] : [`left out: ${listed(this.others, NAMED, '; ')}`]),
    ];
  }
}

function listed(names: readonly string[], most: number, between: string): string {
  const more = names.length - most;
  return names.slice(0, most).join(between) + (more > 0 ? `${between}and ${more} more` : '');
}

/** A folder while it is filled. */
interface Found {
  readonly path: string;
  readonly name: string;
  /** Where it really lies. */
  readonly real: string;
  readonly images: string[];
  readonly texts: string[];
  readonly folders: Found[];
  count: number;
}

/**
 * All images below a root. Each folder is taken once, however many links lead to it: under its own path where it has one
 * in the tree, else under the first link.
 *
 * @param listing is told of so many files from time to time
 * @throws UserError where a folder cannot be read
 */
export async function walkTree(
  root: FileTree,
  leftOut: LeftOut,
  listing: (files: number) => void = () => undefined,
): Promise<ImageFolder> {
  const top = emptyFolder('', root.name, await root.real());
  const known: Found[] = [top];
  const seen = new Map([[top.real, top.path]]);
  const links: { readonly into: Found; readonly name: string; readonly target: string }[] = [];
  let files = 0;

  const look = async (folder: Found): Promise<Found[]> => {
    const entries = await root.list(folder.path);
    files += entries.files.length;
    for (const name of entries.files) {
      if (isHidden(name)) {
        if (IMAGE.test(name)) leftOut.addHidden(joinPath(folder.path, name));
      } else if (IMAGE.test(name)) folder.images.push(name);
      else {
        if (name.endsWith('.txt')) folder.texts.push(name);
        leftOut.addFile(name);
      }
    }
    for (const { name, why } of entries.unreadable ?? [])
      leftOut.add(`${joinPath(root.path, folder.path, name)}: ${why}`);
    for (const { name, target } of entries.links ?? []) {
      if (isHidden(name)) leftOut.addHidden(joinPath(folder.path, name));
      else links.push({ into: folder, name, target });
    }
    return entries.folders.flatMap((name) => {
      const path = joinPath(folder.path, name);
      if (isHidden(name)) leftOut.addHidden(`${path}/`);
      return isHidden(name) ? [] : addFolder(folder, name, `${folder.real}/${name}`);
    });
  };
  const addFolder = (into: Found, name: string, real: string): Found[] => {
    const path = joinPath(into.path, name);
    const before = seen.get(real);
    if (before !== undefined) {
      leftOut.add(`${joinPath(root.path, path)} is ${joinPath(root.path, before)} by a link, which is read already`);
      return [];
    }
    const folder = emptyFolder(path, name, real);
    seen.set(real, path);
    known.push(folder);
    into.folders.push(folder);
    return [folder];
  };
  const lookBelow = async (start: Found): Promise<void> => {
    for (let level = [start]; level.length > 0;) {
      const next: Found[] = [];
      for (let at = 0; at < level.length; at += AT_ONCE) {
        for (const found of await Promise.all(level.slice(at, at + AT_ONCE).map(look))) next.push(...found);
        listing(files);
      }
      level = next;
    }
  };

  await lookBelow(top);
  // Only now is it known what has a path of its own.
  for (let link = links.shift(); link; link = links.shift()) {
    const { into, name, target } = link;
    if (`${top.real}/`.startsWith(target === '/' ? target : `${target}/`) && target !== top.real) {
      leftOut.add(`${joinPath(root.path, into.path, name)} is a link to ${target}, above the set`);
      continue;
    }
    for (const folder of addFolder(into, name, target)) await lookBelow(folder);
  }
  for (const folder of known.toReversed()) {
    folder.folders.sort((a, b) => (a.name < b.name ? -1 : 1));
    folder.count = folder.folders.reduce((sum, { count }) => sum + count, folder.images.length);
  }
  return top;
}

function emptyFolder(path: string, name: string, real: string): Found {
  return { path, name, real, images: [], texts: [], folders: [], count: 0 };
}

/** The paths of all images of a folder, from the root of the tree: its own first, then those of the folders in it. */
export function imagesUnder(folder: ImageFolder): string[] {
  const paths: string[] = [];
  const add = ({ path, images, folders }: ImageFolder): void => {
    const start = path === '' ? '' : `${path}/`;
    for (const name of images) paths.push(start + name);
    for (const each of folders) add(each);
  };
  add(folder);
  return paths;
}

/** `3 classes: bus (4 images), car (4), train (4)`; of many, the first, and how many images they have. */
export function describeClasses(classes: readonly string[], labels: ArrayLike<number>): string {
  const counts = new Array<number>(classes.length).fill(0);
  for (let at = 0; at < labels.length; at++) counts[labels[at] as number] = (counts[labels[at] as number] ?? 0) + 1;
  const most = 8;
  const named = classes.slice(0, most).map((name, index) => `${name} (${counts[index] ?? 0})`);
  const head = `${classes.length} ${classes.length === 1 ? 'class' : 'classes'}`;
  if (classes.length <= most) return `${head} with so many images each: ${named.join(', ')}`;
  const [least, largest] = [counts.reduce((a, b) => Math.min(a, b)), counts.reduce((a, b) => Math.max(a, b))];
  const each = least === largest ? `${counted(least, 'image')} each` : `${least} to ${largest} images each`;
  return `${head} of ${each}: ${named.slice(0, NAMED).join(', ')}, and ${classes.length - NAMED} more`;
}
