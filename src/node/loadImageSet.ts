import { stat } from 'node:fs/promises';
import { ARCHIVE, EXPECTED, detectDataset, type DetectedDataset } from '../data/sources/datasetDetection';
import { findImageTree } from '../data/sources/imageTree';
import { UserError } from '../common/userError';
import { errorCode, reason } from './failure';
import { foldersInArchive, foldersOnDisk } from './images/cifarFiles';
import { TreeOnDisk } from './images/fileTree';

/**
 * Finds the image set at a path: CIFAR-10 or CIFAR-100, its folder, a folder that holds that folder, or its archive
 * (`.tar.gz`, `.tgz` or `.tar`); or a tree of image files.
 *
 * @throws UserError that says what was found, and what is needed
 */
export async function findImageSet(path: string): Promise<DetectedDataset> {
  const status = await stat(path).catch((error: unknown) => {
    throw new UserError(`--data: ${path} cannot be opened: ${reason(error)}. ${EXPECTED}`, {
      usage: errorCode(error) === 'ENOENT',
    });
  });
  if (!status.isDirectory() && !ARCHIVE.test(path)) {
    throw new UserError(`--data: ${path} is neither a folder nor a .tar.gz archive. ${EXPECTED}`);
  }
  if (!status.isDirectory())
    return await detectDataset(path, await foldersInArchive(path), () => Promise.resolve(undefined));
  return await detectDataset(path, await foldersOnDisk(path), () => findImageTree(new TreeOnDisk(path)));
}
