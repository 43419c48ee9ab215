import { UserError } from '../../common/userError';
import { indexTar, type TarEntry } from '../../formats/tarIndex';
import {
  partsOfFiles,
  type PackedFile,
  type PackedImages,
  type PackedRoot,
  type PackedSet,
  type RawLabel,
} from './packedImages';

/*
 * Images in tar files as WebDataset has them: files of one name but for what follows its first dot are a sample, `00001.jpg`
 * and `00001.cls`, of which the second holds the number of the class, or its name.
 */

const IMAGE = /(^|\.)(jpe?g|png|webp)$/;
const LABEL = /^cls(\.txt)?$/;
/** A file of a class longer than this is none. */
const MOST_LABEL_BYTES = 1000;
/** Names of the classes, a line each, beside the shards. */
const NAME_FILES = ['classnames.txt', 'classes.txt'];

/** Where a file lies. */
interface Place {
  readonly shard: PackedFile;
  readonly entry: TarEntry;
}

/** Whether an archive is of samples, by the files that it holds. */
export function isWebDataset(entries: readonly TarEntry[]): boolean {
  return (
    entries.some(({ path }) => LABEL.test(splitName(path).kind)) &&
    entries.some(({ path }) => IMAGE.test(splitName(path).kind))
  );
}

/**
 * A set of tar shards.
 *
 * @param beside names of the files beside them
 * @throws UserError where a shard is damaged, or holds no images
 */
export async function readWebDataset(
  root: PackedRoot,
  files: readonly PackedFile[],
  beside: readonly string[] = [],
): Promise<PackedSet> {
  const parts = partsOfFiles(root, files);
  const places = new Map<string, Place>();
  const part = async (shards: readonly PackedFile[]): Promise<PackedImages> => {
    const paths: string[] = [];
    const labels: RawLabel[] = [];
    for (const shard of shards) {
      for (const { image, label } of samplesOf(await indexed(root, shard))) {
        const path = `${shard.path}/${image.path}`;
        places.set(path, { shard, entry: image });
        paths.push(path);
        labels.push(label && (await readLabel(root, shard, label)));
      }
    }
    return { paths, labels };
  };
  const train = await part(parts.train);
  const held: PackedImages[] = [];
  for (const shards of parts.held) held.push(await part(shards));
  const names = NAME_FILES.find((name) => beside.includes(name));
  return {
    train,
    held,
    names: names === undefined ? undefined : lines(await root.read(names)),
    notes: [],
    fileOf: (path) => (places.get(path) as Place).shard.path,
    bytes: async (path) => {
      const { shard, entry } = places.get(path) as Place; // it is one of the set's
      return new Uint8Array(await shard.slice(entry.offset, entry.offset + entry.size));
    },
  };
}

async function indexed(root: PackedRoot, shard: PackedFile): Promise<TarEntry[]> {
  try {
    return await indexTar(shard);
  } catch (error) {
    if (error instanceof UserError) throw error;
    const why = error instanceof Error ? error.message : String(error);
    throw new UserError(`--data: ${root.path}/${shard.path} is damaged, or no tar archive: ${why}. Fetch it again.`);
  }
}

/** `images/00001.seg.png` is of the sample `images/00001`, and its `seg.png`. */
function splitName(path: string): { readonly sample: string; readonly kind: string } {
  const folder = path.lastIndexOf('/') + 1;
  const dot = path.indexOf('.', folder);
  const end = dot < 0 ? path.length : dot;
  return { sample: path.slice(0, end), kind: path.slice(end + 1).toLowerCase() };
}

interface Sample {
  readonly image: TarEntry;
  readonly label: TarEntry | undefined;
}

/** Files of a sample lie one behind another; what has no image is left out. */
function samplesOf(entries: readonly TarEntry[]): Sample[] {
  const samples: Sample[] = [];
  let [name, image, label]: [string | undefined, TarEntry | undefined, TarEntry | undefined] = [
    undefined,
    undefined,
    undefined,
  ];
  const end = (): void => {
    if (image) samples.push({ image, label });
    [image, label] = [undefined, undefined];
  };
  for (const entry of entries) {
    const { sample, kind } = splitName(entry.path);
    if (sample !== name) end();
    name = sample;
    if (LABEL.test(kind)) label = entry;
    else if (IMAGE.test(kind)) image ??= entry;
  }
  end();
  return samples;
}

async function readLabel(root: PackedRoot, shard: PackedFile, { path, offset, size }: TarEntry): Promise<RawLabel> {
  const text = new TextDecoder().decode(await shard.slice(offset, offset + Math.min(size, MOST_LABEL_BYTES))).trim();
  if (text === '' || size > MOST_LABEL_BYTES) {
    throw new UserError(`--data: ${root.path}/${shard.path}/${path} holds no class: a number or a name is wanted.`);
  }
  return /^-?\d+$/.test(text) ? Number(text) : text;
}

function lines(bytes: Uint8Array): string[] {
  return new TextDecoder()
    .decode(bytes)
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');
}
