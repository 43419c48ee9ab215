import { indexTar } from '../../formats/tarIndex';
import { asFiles, holdOutTenth, type ClassFiles, type ImageTree } from './imageTree';
import { labelled, type LabelledImages, type PackedFile, type PackedRoot, type PackedSet } from './packedImages';
import { readParquet } from './parquet';
import { isWebDataset, readWebDataset } from './webDataset';

/** Files that may hold a set's images, by what they are called. */
export const PACKED = /\.(parquet|tar)$/i;

/**
 * The set that parquet files or the shards of a WebDataset are.
 *
 * @param files those of a folder, whose names `PACKED` knows
 * @param beside names of the other files of the folder
 * @param labelColumn of parquet: what holds the classes; by default that of a usual name
 * @returns undefined where there are none, or tar archives of something else
 * @throws UserError where there is one that cannot be used: what is wrong with it
 */
export async function findPackedTree(
  root: PackedRoot,
  files: readonly PackedFile[],
  beside: readonly string[],
  labelColumn?: string,
): Promise<ImageTree | undefined> {
  const parquet = files.filter(({ path }) => /\.parquet$/i.test(path));
  if (parquet.length > 0) return treeOf(root, parquet, await readParquet(root, parquet, labelColumn));
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
