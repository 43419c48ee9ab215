import { digest } from '../../common/digest';
import { counted, formatBytes } from '../../common/format';
import { UserError } from '../../common/userError';
import { BrokenFiles, BrokenImageError } from './brokenFiles';
import {
  ChannelCounts,
  channelStatistics,
  imageBytes,
  spreadIndices,
  type ImageSet,
  type SetFacts,
  type TrainTest,
} from '../imageSet';
import type { ImageFiles, ImageTree } from './imageTree';

/** How image files become a set. */
export interface FileSetOptions {
  /** Side of the model's images. */
  readonly image: number;
  readonly decodeSize: number | 'auto';
  readonly broken: 'stop' | 'skip';
  readonly stream: 'auto' | 'yes' | 'no';
  /** Whether the set's own mean and deviation are wanted: a streamed set has to be looked at as a whole for it. */
  readonly ownStatistics: boolean;
}

/** What decodes the files of a tree, by their paths in it, and where their images are to be kept. */
export interface FileReader {
  /** A file in the stored form, 3 × `side` × `side` bytes: see `decodeImage` of Node. @throws BrokenImageError */
  decode(path: string, side: number): Promise<Uint8Array>;
  /** Its sides, upright. @throws BrokenImageError */
  size(path: string): Promise<{ readonly width: number; readonly height: number }>;
  /** What decodes, where that is not Node: its pixels differ from Node's. */
  readonly decoder?: string;
  readonly memory: MemoryRoom;
}

/** In bytes. */
export interface MemoryRoom {
  /** What a set may take; beyond, it is streamed. */
  readonly free: number;
  /** What can be held at once in any case. */
  readonly most: number;
  /** What held-out images may take: they are kept in memory, and those beyond it left out. The same on every machine. */
  readonly heldOut: number;
}

/** Who watches a set being loaded. */
export interface LoadWatcher {
  note(text: string): void;
  /** A stretch of work on so many images begins. */
  begin(what: string, images: number): void;
  /** So many of them are done. */
  done(images: number): void;
}

export const UNWATCHED: LoadWatcher = { note: () => undefined, begin: () => undefined, done: () => undefined };

/** A set with the files that could not be decoded; more may be met while a streamed one is used. */
export interface FileSet extends TrainTest {
  readonly broken: BrokenFiles;
}

const CHANNELS = 3;
/** Stored images are so much larger than the model's, that a random crop has something to choose: 256 for 224. */
const STORED_LARGER = 8 / 7;
/** Files whose size is looked at, to learn what kind of set it is. */
const LOOKED_AT = 64;

/** Files whose lengths are asked for at once. */
const MEASURED_AT_ONCE = 1024;
/** Images of a set read as a whole that are under way at once; how many are decoded at once, the decoders say. */
const UNDER_WAY = 64;

/** Loads a tree of image files, or makes it ready to be streamed. @throws UserError */
export async function loadFiles(
  tree: ImageTree,
  files: FileReader,
  options: FileSetOptions,
  watcher: LoadWatcher,
): Promise<FileSet> {
  for (const note of tree.notes) watcher.note(note);
  const side = await storedSide(tree, files, options, watcher);
  const broken = new BrokenFiles();
  const reader = { side, broken, skips: options.broken === 'skip', files };
  const train = new FileImages(tree, tree.train, reader);
  const held = new FileImages(tree, heldOut(tree, side, files.memory.heldOut, watcher), reader);
  const shape = { width: side, height: side, channels: CHANNELS };
  const facts = async ({ listed }: FileImages): Promise<Omit<SetFacts, 'mean' | 'std'>> => ({
    ...shape,
    name: tree.root.name,
    classes: tree.classes,
    count: listed.paths.length,
    labels: listed.labels,
    identity: await identityOf(tree, listed, side),
    ...(files.decoder === undefined ? {} : { decoder: files.decoder }),
  });
  const isKept = keepsInMemory(train, files.memory, options);
  const testImages = await held.readAll('held-out images', watcher);
  let statistics: Pick<SetFacts, 'mean' | 'std'> = { mean: [NaN, NaN, NaN], std: [NaN, NaN, NaN] };
  let trainImages: Uint8Array | undefined;
  if (isKept) {
    trainImages = await train.readAll('images', watcher);
    statistics = channelStatistics(trainImages, shape);
  } else if (options.ownStatistics) {
    statistics = await train.statistics(watcher);
  }
  const test: ImageSet = { ...(await facts(held)), ...statistics, images: testImages };
  const common = { ...(await facts(train)), ...statistics };
  return {
    train: trainImages ? { ...common, images: trainImages } : { ...common, read: (indices) => train.read(indices) },
    test,
    broken,
  };
}

async function storedSide(
  { train }: ImageTree,
  files: FileReader,
  { image, decodeSize }: FileSetOptions,
  watcher: LoadWatcher,
): Promise<number> {
  if (decodeSize !== 'auto' && decodeSize < image) {
    throw new UserError(
      `--decode-size ${decodeSize} is smaller than the model's images of ${image} × ${image}. Give ${image} or more, or a smaller --image.`,
      {
        usage: true,
      },
    );
  }
  const looks = [...spreadIndices(train.paths.length, LOOKED_AT)].map((index) =>
    files.size(train.paths[index] as string),
  );
  const sizes = (await Promise.allSettled(looks)).flatMap((look) => (look.status === 'fulfilled' ? [look.value] : []));
  const sides = sizes.map(({ width, height }) => Math.min(width, height));
  const isLarger = sides.some((side) => side > image);
  const side = decodeSize !== 'auto' ? decodeSize : isLarger ? Math.round(image * STORED_LARGER) : image;
  const smaller = sides.filter((each) => each < side).length;
  if (smaller > 0)
    watcher.note(
      `of ${counted(sides.length, 'file')} looked at, ${smaller} are smaller than ${side} pixels and are scaled up`,
    );
  return side;
}

function heldOut({ test }: ImageTree, side: number, bytes: number, watcher: LoadWatcher): ImageFiles {
  const most = Math.floor(bytes / (CHANNELS * side * side));
  if (test.paths.length <= most) return test;
  watcher.note(
    `${most} of the ${test.paths.length} held-out images are used, evenly spread: as many as ${formatBytes(bytes)} hold`,
  );
  const chosen = spreadIndices(test.paths.length, most);
  return {
    paths: [...chosen].map((index) => test.paths[index] as string),
    labels: Uint16Array.from(chosen, (index) => test.labels[index] as number),
  };
}

function keepsInMemory({ bytes }: FileImages, { free, most }: MemoryRoom, { stream }: FileSetOptions): boolean {
  if (stream === 'yes') return false;
  if (stream === 'no' && bytes > most) {
    throw new UserError(
      `--stream no: the images take ${formatBytes(bytes)}, more than can be held at once here (${formatBytes(most)}). ` +
        'Leave it out, or give a smaller --decode-size.',
    );
  }
  return stream === 'no' || bytes <= Math.min(most, free);
}

/**
 * Stands for the images of files: their paths, classes and lengths, and the size at which they are kept. To hash their
 * contents would mean to read a large set from end to end before every run; times of modification differ between two
 * copies of a set. So a file that is replaced by another of the same length is not noticed.
 */
async function identityOf({ root }: ImageTree, { paths, labels }: ImageFiles, side: number): Promise<string> {
  const lines = [`${side}\n`];
  for (let from = 0; from < paths.length; from += MEASURED_AT_ONCE) {
    const some = paths.slice(from, from + MEASURED_AT_ONCE);
    const sizes = await root.sizes(some);
    lines.push(some.map((path, at) => `${labels[from + at] ?? 0}\t${sizes[at] ?? 0}\t${path}\n`).join(''));
  }
  return await digest(lines.map((line) => new TextEncoder().encode(line)));
}

interface Reader {
  readonly side: number;
  readonly broken: BrokenFiles;
  /** Whether a broken file has another image put in its place. */
  readonly skips: boolean;
  readonly files: FileReader;
}

/** The images of some files of a tree, decoded when they are wanted. */
class FileImages {
  private readonly imageBytes: number;
  readonly bytes: number;

  constructor(
    private readonly tree: ImageTree,
    readonly listed: ImageFiles,
    private readonly reader: Reader,
  ) {
    this.imageBytes = imageBytes({ width: reader.side, height: reader.side, channels: CHANNELS });
    this.bytes = listed.paths.length * this.imageBytes;
  }

  /** @throws UserError that names a broken file, where those stop the run */
  async read(indices: ArrayLike<number>): Promise<Uint8Array> {
    const out = new Uint8Array(indices.length * this.imageBytes);
    try {
      await Promise.all(
        Array.from(indices, async (index, at) => out.set(await this.image(index), at * this.imageBytes)),
      );
    } catch (error) {
      if (!(error instanceof BrokenImageError)) throw error;
      throw new UserError(`--data: ${error.message} Replace or delete it, or go on with --broken skip.`);
    }
    return out;
  }

  /** @throws UserError that names the first broken file and says how many there are, where those stop the run */
  async readAll(what: string, watcher: LoadWatcher): Promise<Uint8Array> {
    const { length } = this.listed.paths;
    const out = new Uint8Array(this.bytes);
    await this.each(what, watcher, (image, index) => out.set(image, index * this.imageBytes), length);
    return out;
  }

  async statistics(watcher: LoadWatcher): Promise<Pick<SetFacts, 'mean' | 'std'>> {
    const { side } = this.reader;
    const counts = new ChannelCounts({ width: side, height: side, channels: CHANNELS });
    await this.each(
      'images for their mean and deviation',
      watcher,
      (image) => counts.add(image),
      this.listed.paths.length,
    );
    return counts.statistics();
  }

  private async each(
    what: string,
    watcher: LoadWatcher,
    use: (image: Uint8Array, index: number) => void,
    count: number,
  ): Promise<void> {
    const broken: { readonly index: number; readonly error: BrokenImageError }[] = [];
    let done = 0;
    watcher.begin(what, count);
    const work = async (index: number): Promise<void> => {
      try {
        use(await this.image(index), index);
      } catch (error) {
        if (!(error instanceof BrokenImageError)) throw error;
        broken.push({ index, error });
      }
      watcher.done(++done);
    };
    // Not all at once: a promise for each image of a large set would take its memory, too.
    let next = 0;
    const line = async (): Promise<void> => {
      while (next < count) await work(next++);
    };
    await Promise.all(Array.from({ length: UNDER_WAY }, line));
    const [first] = broken.sort((a, b) => a.index - b.index);
    if (!first) return;
    const others = broken.length > 1 ? `, the first of ${broken.length} such files` : '';
    const { path, why } = first.error;
    throw new UserError(
      `--data: ${path} cannot be decoded: ${why}${others}. Replace or delete ${broken.length > 1 ? 'them' : 'it'}, or give --broken skip.`,
    );
  }

  /** An image; where its file is broken and that does not stop, the next one of its class that is not. */
  private async image(index: number): Promise<Uint8Array> {
    for (let at = index, tried = 0; ; at = this.nextOfClass(at), tried++) {
      if (tried > 0 && at === index) {
        const name = this.tree.classes[this.listed.labels[index] ?? 0] ?? '';
        throw new UserError(
          `--data: no image of the class ${name} in ${this.tree.root.path} can be decoded. Delete the class, or bring its files back.`,
        );
      }
      try {
        return await this.reader.files.decode(this.listed.paths[at] as string, this.reader.side);
      } catch (error) {
        if (!(error instanceof BrokenImageError) || !this.reader.skips) throw error;
        this.reader.broken.add(error);
      }
    }
  }

  /** The next image of its class, after the last the first: a class's images lie one behind the other. */
  private nextOfClass(index: number): number {
    const { labels } = this.listed;
    const label = labels[index];
    return labels[index + 1] === label ? index + 1 : labels.indexOf(label as number);
  }
}
