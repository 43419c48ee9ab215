import { expose, transfer } from 'comlink';
import type { Files } from '../training/memoryFolder';
import { unzip, zipFolder } from '../training/zip';

/* The worker that packs and unpacks run folders. */

const runFiles = {
  async zip(name: string, files: Files): Promise<Uint8Array> {
    const bytes = await zipFolder(name, files);
    return transfer(bytes, [bytes.buffer as ArrayBuffer]);
  },

  /** @throws UserError as `unzip` */
  async unzip(file: Blob, name: string): Promise<Files> {
    const files = await unzip(new Uint8Array(await file.arrayBuffer()), name);
    return transfer(
      files,
      [...files.values()].map(({ buffer }) => buffer as ArrayBuffer),
    );
  },
};

export type RunFilesService = typeof runFiles;

expose(runFiles);
