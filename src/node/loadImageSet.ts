import { stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { ImageSet, TrainTest } from '../data/imageSet';
import { UserError } from '../files/userError';
import { errorCode, reason } from './failure';
import { ARCHIVE, cifarIn, foldersInArchive, foldersOnDisk, loadCifar, type Folder } from './images/cifarFiles';
import { findImageTree, type ImageTree } from './images/tree';

const EXPECTED =
  'Expected CIFAR-10 or CIFAR-100, binary or python version, as a folder (data_batch_1.bin … or data_batch_1 …; train.bin, ' +
  'test.bin … or train, test, meta) or as the .tar.gz archive that its publisher ships; or a folder of JPEG, PNG or WebP files: ' +
  'train/CLASS/… and val/CLASS/…, Tiny-ImageNet-200 as it is unpacked, or CLASS/… alone.';

/** What lies at a path: a set that is read as a whole, or image files that have yet to be decoded. */
export type FoundSet =
  | { readonly kind: 'cifar'; readonly load: () => Promise<TrainTest<ImageSet>> }
  | { readonly kind: 'tree'; readonly tree: ImageTree };

/**
 * Finds the image set at a path: CIFAR-10 or CIFAR-100, its folder, a folder that holds that folder, or its archive
 * (`.tar.gz`, `.tgz` or `.tar`); or a tree of image files.
 *
 * @throws UserError that says what was found, and what is needed
 */
export async function findImageSet(path: string): Promise<FoundSet> {
  const status = await stat(path).catch((error: unknown) => {
    throw new UserError(`--data: ${path} cannot be opened: ${reason(error)}. ${EXPECTED}`, {
      usage: errorCode(error) === 'ENOENT',
    });
  });
  if (!status.isDirectory() && !ARCHIVE.test(path)) {
    throw new UserError(`--data: ${path} is neither a folder nor a .tar.gz archive. ${EXPECTED}`);
  }
  const folders = status.isDirectory() ? await foldersOnDisk(path) : await foldersInArchive(path);
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
  const tree = status.isDirectory() ? await findImageTree(path) : undefined;
  if (tree) return { kind: 'tree', tree };
  throw new UserError(`--data: ${path} holds no image set: ${describe(folders)} ${EXPECTED}`);
}

/** What was found instead, in a line. */
function describe(folders: readonly Folder[]): string {
  const [folder] = folders;
  const names = folders.flatMap((each) => each.names);
  const archive = folder?.names.find((name) => ARCHIVE.test(name));
  if (folder && archive) return `it contains ${archive}; give ${join(folder.path, archive)} to load that, or unpack it.`;
  if (names.length === 0) return 'it is empty.';
  const shown = names.slice(0, 5).map((name) => basename(name)).join(', ');
  return `it contains ${shown}${names.length > 5 ? ` and ${names.length - 5} more files` : ''}.`;
}
