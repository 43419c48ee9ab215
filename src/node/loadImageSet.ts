import { stat } from 'node:fs/promises';
import { ARCHIVE, EXPECTED, detectDataset, type DetectedDataset } from '../data/sources/datasetDetection';
import { findImageTree, type ImageTree } from '../data/sources/imageTree';
import { PACKED, findPackedTree, type ParquetOptions } from '../data/sources/packedTree';
import type { TrainTest } from '../data/imageSet';
import { PACKING_HEAD_BYTES, packingOf } from '../data/sources/packing';
import { UserError } from '../common/userError';
import { fileHead } from './fileHead';
import { errorCode, reason } from './failure';
import { foldersInArchive, foldersOnDisk } from './images/cifarFiles';
import { TreeOnDisk } from './images/fileTree';
import { loadTree } from './images/loadTree';
import { PackedFolder, placeOf } from './images/packedFiles';

/** What finding a set may be told. */
export interface FindOptions {
  /** Of parquet files: the column of the classes; by default one of a usual name. */
  readonly labelColumn?: string | undefined;
  /** Is told of so many files from time to time, while image files are looked for. */
  readonly listing?: (files: number) => void;
}

/**
 * Finds the image set at a path: CIFAR-10 or CIFAR-100, its folder, a folder that holds that folder, or its archive
 * (`.tar.gz`, `.tgz` or `.tar`); parquet files or the shards of a WebDataset, one or a folder of them; or a tree of image
 * files.
 *
 * @throws UserError that says what was found, and what is needed
 */
export async function findImageSet(path: string, { labelColumn, listing }: FindOptions = {}): Promise<DetectedDataset> {
  const status = await stat(path).catch((error: unknown) => {
    throw new UserError(`--data: ${path} cannot be opened: ${reason(error)}. ${EXPECTED}`, {
      usage: errorCode(error) === 'ENOENT',
    });
  });
  if (status.isDirectory()) {
    return await detectDataset(
      path,
      await foldersOnDisk(path),
      async () => (await packedTreeIn(path, labelColumn)) ?? (await findImageTree(new TreeOnDisk(path), listing)),
    );
  }
  if (PACKED.test(path)) {
    const { root, file } = placeOf(path);
    const tree = await findPackedTree(root, [await root.file(file)], [], parquet(labelColumn));
    if (tree) return { kind: 'tree', tree: { ...tree, root: { ...tree.root, name: file } } };
  }
  if (!ARCHIVE.test(path) && !(await isPacked(path))) {
    throw new UserError(`--data: ${path} is neither a folder nor a .tar.gz archive. ${EXPECTED}`);
  }
  return await detectDataset(path, await foldersInArchive(path), () => Promise.resolve(undefined));
}

function parquet(labelColumn: string | undefined): ParquetOptions {
  return { load: () => import('../data/sources/parquet'), labelColumn };
}

async function packedTreeIn(path: string, labelColumn: string | undefined): Promise<ImageTree | undefined> {
  const root = new PackedFolder(path);
  const paths = await root.paths();
  const files = await Promise.all(paths.filter((each) => PACKED.test(each)).map((each) => root.file(each)));
  return await findPackedTree(root, files, paths, parquet(labelColumn));
}

/** Whether a file is an archive, whatever it is called. @throws UserError where it is one that is not read */
async function isPacked(path: string): Promise<boolean> {
  const head = await fileHead(path, PACKING_HEAD_BYTES).catch((error: unknown) => {
    throw new UserError(`--data: ${path} cannot be read: ${reason(error)}.`);
  });
  return packingOf(head, path) !== undefined;
}

/** How image files become a set. */
export interface ImageSetOptions {
  /** Side of the model's images, in pixels. */
  readonly image: number;
  /** What becomes of files that cannot be decoded; `stop` by default. */
  readonly broken?: 'stop' | 'skip';
}

/**
 * Loads the image set at a path, as `node train.js --data` does. Image files are decoded by the package sharp.
 *
 * @throws UserError as `findImageSet`, where a file is broken, or sharp is missing
 */
export async function loadImageSets(path: string, { image, broken = 'stop' }: ImageSetOptions): Promise<TrainTest> {
  const found = await findImageSet(path);
  if (found.kind === 'cifar') return await found.load();
  const options = { image, broken, decodeSize: 'auto', stream: 'auto', workers: 'auto', ownStatistics: true } as const;
  return await loadTree(found.tree, options);
}
