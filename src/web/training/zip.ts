import {
  configure,
  Uint8ArrayReader,
  Uint8ArrayWriter,
  ZipReader,
  ZipWriter,
} from '@zip.js/zip.js/lib/zip-core-native.js';
import { UserError } from '../../common/userError';
import type { Files } from './memoryFolder';

/*
 * Run folders as zip files, by zip.js on the browser's own (de)compression. A run that was damaged on its way must not be
 * taken for whole: checksums are compared, and nothing is taken that could be read in two ways.
 */

configure({ useWebWorkers: false }); // it is in a worker already

/** Text shrinks to a part; weights and pictures hardly do. */
const TEXT = /\.jsonl?$/;
const LIGHTLY = 6;
const STORED = 0;

/** A folder as a zip file, in which it lies under its name. */
export async function zipFolder(name: string, files: Files): Promise<Uint8Array> {
  const zip = new ZipWriter(new Uint8ArrayWriter());
  for (const [path, bytes] of files) {
    await zip.add(`${name}/${path}`, new Uint8ArrayReader(bytes), { level: TEXT.test(path) ? LIGHTLY : STORED });
  }
  return await zip.close();
}

/**
 * The files in a zip file.
 *
 * @param source what messages call it
 * @throws UserError where it is none, cut short or damaged
 */
export async function unzip(zip: Uint8Array, source: string): Promise<Map<string, Uint8Array>> {
  const reader = new ZipReader(new Uint8ArrayReader(zip), { checkSignature: true, strictness: 'strict' });
  const files = new Map<string, Uint8Array>();
  try {
    for (const entry of await reader.getEntries()) {
      if (entry.directory && entry.uncompressedSize > 0)
        throw new Error(`${entry.filename} is a folder with content of its own`);
      if (!entry.directory)
        files.set(entry.filename.replaceAll('\\', '/'), await entry.getData(new Uint8ArrayWriter()));
    }
    return files;
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new UserError(`${source} is no zip file, or was damaged or cut short (${why}). Save or copy it again.`);
  } finally {
    await reader.close();
  }
}
