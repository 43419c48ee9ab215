import { BrokenImageError, type BrokenFiles } from '../../data/sources/brokenFiles';
import { loadFiles, type FileReader, type LoadWatcher } from '../../data/sources/fileSet';
import type { DetectedDataset } from '../../data/sources/datasetDetection';
import { PICTURE_HEAD_BYTES, pictureKind } from '../../data/sources/pictureKind';
import type { TrainTest } from '../../data/imageSet';
import type { ImageTree } from '../../data/sources/imageTree';
import { UserError } from '../../common/userError';
import type { Config } from '../../imae/config/config';
import { assertFits } from '../../imae/train/trainingData';
import type { BrowserDecoders } from './decoders';
import { GivenTree, type KnownImages } from './givenImages';
import { trainingSize } from './pageConfig';

export type LoadedImages = TrainTest & { readonly broken?: BrokenFiles };

const GIBIBYTE = 2 ** 30;
/** What browsers that do not say are taken to have. */
const LIKELY_MEMORY = 4 * GIBIBYTE;
/** The share of the machine's memory that a set may take; beyond, it is decoded step by step. */
const MEMORY_SHARE = 0.25;
const HELD_OUT_BYTES = 2 ** 28;

/** What a page has to know of a set before it is loaded for a run. @throws UserError where it is damaged */
export async function lookAt(found: DetectedDataset): Promise<KnownImages> {
  if (found.kind === 'tree') {
    const { root, train, classes, notes } = found.tree;
    return { name: root.name, count: train.paths.length, classes: classes.length, side: undefined, notes };
  }
  const { name, count, classes, width } = (await found.load()).train;
  return { name, count, classes: classes.length, side: width, notes: [] };
}

/**
 * Loads a set that was given, or makes it ready to be decoded step by step.
 *
 * @param toTrain false where its identity alone is wanted: then no training image is decoded
 * @throws UserError where a file is broken and that is to stop it, or it does not fit the model or the memory
 */
export async function loadImages(
  found: DetectedDataset,
  config: Config,
  open: () => BrowserDecoders,
  watcher: LoadWatcher,
  toTrain: boolean,
): Promise<LoadedImages> {
  if (found.kind === 'cifar') return await found.load();
  const { tree } = found;
  const { decodeSize, broken, stream, statistics } = config.data;
  assertFits(config, trainingSize(config, await lookAt(found)));
  const options = {
    image: config.model.image,
    decodeSize,
    broken,
    stream: toTrain ? stream : 'yes',
    ownStatistics: toTrain && statistics === 'own',
  } as const;
  try {
    return await loadFiles(tree, readerOf(tree, open()), options, watcher);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new UserError(
      `The ${tree.train.paths.length} images of ${tree.root.name} do not fit into the memory that this browser gives a page (${error.message}). Give fewer, or smaller ones.`,
    );
  }
}

function readerOf(tree: ImageTree, decoders: BrowserDecoders): FileReader {
  const { root } = tree;
  const fileAt = async (path: string): Promise<Blob> => {
    if (tree.bytes) return new Blob([(await tree.bytes(path)) as Uint8Array<ArrayBuffer>]); // no memory is shared here
    if (root instanceof GivenTree) return root.file(path);
    throw new Error('These files were not given to a page.');
  };
  const named = async <T>(path: string, work: (file: Blob) => Promise<T>): Promise<T> => {
    const file = await fileAt(path);
    try {
      return await work(file);
    } catch (error) {
      const head = await file
        .slice(0, PICTURE_HEAD_BYTES)
        .arrayBuffer()
        .catch(() => undefined); // it may be gone
      const why = error instanceof Error ? error.message.replace(/\.$/, '') : String(error);
      throw new BrokenImageError(`${root.path}/${path}`, (head && pictureKind(new Uint8Array(head))) ?? why);
    }
  };
  const { deviceMemory } = navigator as { readonly deviceMemory?: number };
  const free = MEMORY_SHARE * (deviceMemory === undefined ? LIKELY_MEMORY : deviceMemory * GIBIBYTE);
  return {
    decode: (path, side) => named(path, (file) => decoders.decode(file, side)),
    size: (path) => named(path, (file) => decoders.size(file)),
    decoder: decoders.name,
    memory: { free, most: 2 * GIBIBYTE, heldOut: HELD_OUT_BYTES },
  };
}
