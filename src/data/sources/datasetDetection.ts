import { UserError } from '../../common/userError';
import { cifarIn, loadCifar, type Folder } from './cifarFolder';
import type { ImageSet, TrainTest } from '../imageSet';
import type { ImageTree } from './imageTree';

/** Files that are looked into: the form in which publishers ship CIFAR. */
export const ARCHIVE = /\.(tar|tar\.gz|tgz)$/i;

export const EXPECTED =
  'Expected CIFAR-10 or CIFAR-100, binary or python version, as a folder (data_batch_1.bin … or data_batch_1 …; train.bin, ' +
  'test.bin … or train, test, meta) or as the .tar.gz archive that its publisher ships; or a folder of JPEG, PNG or WebP files: ' +
  'train/CLASS/… and val/CLASS/…, Tiny-ImageNet-200 as it is unpacked, CLASS/… alone, or images at any depth; or ' +
  'parquet files as Hugging Face has them, or the .tar shards of a WebDataset.';

/** What was found where images were looked for: a set that is read as a whole, or image files that have yet to be decoded. */
export type DetectedDataset =
  | { readonly kind: 'cifar'; readonly load: () => Promise<TrainTest<ImageSet>> }
  | { readonly kind: 'tree'; readonly tree: ImageTree };

/**
 * The one image set among folders.
 *
 * @param path what messages call the place
 * @param findTree looks for image files there, where there is nothing else
 * @throws UserError that says what was found, and what is needed
 */
export async function detectDataset(
  path: string,
  folders: readonly Folder[],
  findTree: () => Promise<ImageTree | undefined>,
): Promise<DetectedDataset> {
  const found = folders.flatMap((folder) => {
    const version = cifarIn(folder.names);
    return version ? [{ folder, version }] : [];
  });
  const [first, second] = found;
  if (second) {
    const names = found.map(({ folder, version }) => `${version.format.name} in ${folder.path}`).join(', ');
    throw new UserError(`--data: ${path} holds several image sets (${names}). Name the folder of one.`);
  }
  if (first) return { kind: 'cifar', load: () => loadCifar(first.folder, first.version) };
  const tree = await findTree();
  if (tree) return { kind: 'tree', tree };
  throw new UserError(`--data: ${path} holds no image set: ${describe(path, folders)} ${EXPECTED}`);
}

/** What was found instead, in a line. @param path of the folder or the archive */
function describe(path: string, folders: readonly Folder[]): string {
  const names = folders.flatMap((each) => each.names);
  const holding = folders.find((folder) => folder.names.some((name) => ARCHIVE.test(name)));
  const archive = holding?.names.find((name) => ARCHIVE.test(name));
  if (holding && archive) {
    return ARCHIVE.test(path)
      ? `it contains an archive, ${archive}. Unpack ${path} first, and give that.`
      : `it contains ${archive}; give ${holding.path}/${archive} to load that, or unpack it.`;
  }
  const below = folders.map((folder) => folder.path).filter((each) => each !== path);
  if (names.length === 0 && below.length === 0) return 'it is empty.';
  if (names.length === 0) return `it contains folders (${shortened(below)}), and no images in them.`;
  return `it contains ${shortened(names)}.`;
}

function shortened(names: readonly string[]): string {
  return names.slice(0, 5).join(', ') + (names.length > 5 ? ` and ${names.length - 5} more` : '');
}
