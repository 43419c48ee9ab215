import { indexTar } from '../../formats/tarIndex';
import { asFiles, holdOutTenth, type ClassFiles, type ImageTree } from './imageTree';
import { labelled, type LabelledImages, type PackedFile, type PackedRoot, type PackedSet } from './packedImages';
import type { readParquet } from './parquet';
import { isWebDataset, readWebDataset } from './webDataset';

/** Files that may hold a set's images, by what they are called. */
export const PACKED = /\.(parquet|tar)$/i;

/** How parquet is read. */
export interface ParquetOptions {
  /** Loads parquet.ts: its decompressors weigh more than an engine, and most sets need none. */
  readonly load: () => Promise<{ readonly readParquet: typeof readParquet }>;
  /** What holds the classes; by default the column of a usual name. */
  readonly labelColumn?: string | undefined;
}

/**
 * The set that parquet files or the shards of a WebDataset are.
 *
 * @param files those of a folder, whose names `PACKED` knows
 * @param beside names of the other files of the folder
 * @param parquet how that is read
 * @returns undefined where there are none, or tar archives of something else
 * @throws UserError where there is one that cannot be used: what is wrong with it
 */
export async function findPackedTree(
  root: PackedRoot,
  files: readonly PackedFile[],
  beside: readonly string[],
  { load, labelColumn }: ParquetOptions,
): Promise<ImageTree | undefined> {
  const tables = files.filter(({ path }) => /\.parquet$/i.test(path));
  if (tables.length > 0) {
    const { readParquet } = await load();
    return treeOf(root, tables, await readParquet(root, tables, labelColumn));
  }
  const [first] = files;
  if (!first || !(await isShard(first))) return undefined;
  return treeOf(root, files, await readWebDataset(root, files, beside));
}

async function isShard(file: PackedFile): Promise<boolean> {
  try {
    return isWebDataset(await indexTar(file));
  } catch {
    return false; // whoever looks for something else in it says what is wrong
  }
}

/** Images of a class lie one behind another, as those of a tree do. */
function treeOf(root: PackedRoot, files: readonly PackedFile[], set: PackedSet): ImageTree {
  const { classes, train, held, notes } = labelled(root, set);
  const byClass = ({ paths, labels }: LabelledImages): ClassFiles[] => {
    const found = classes.map((name) => ({ name, paths: [] as string[] }));
    for (const [at, label] of labels.entries()) found[label]?.paths.push(paths[at] as string);
    return found;
  };
  const parts = held ? { train: byClass(train), test: byClass(held) } : holdOutTenth(byClass(train));
  const place = new Map(classes.map((name, index) => [name, index]));
  const lengths = new Map(files.map(({ path, byteLength }) => [path, byteLength]));
  return {
    root: {
      path: root.path,
      name: root.name,
      // An image has no length before it is read: that of the file it lies in stands for it.
      sizes: (paths) => Promise.resolve(paths.map((path) => lengths.get(set.fileOf(path)) ?? 0)),
    },
    classes,
    train: asFiles(parts.train, place),
    test: asFiles(parts.test, place),
    notes: [...notes, ...(held ? [] : ['no part is held out: a tenth of each class is, the same images in every run'])],
    bytes: (path) => set.bytes(path),
  };
}
