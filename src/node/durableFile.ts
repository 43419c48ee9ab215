import {
  accessSync,
  closeSync,
  constants,
  existsSync,
  fdatasyncSync,
  fsyncSync,
  mkdirSync,
  openSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { dirname, resolve } from 'node:path';
import { UserError } from '../common/userError';
import { errorCode, reason } from './failure';

/** What a file is called that is not whole yet. */
export const TEMPORARY = '.tmp';

/** A disk that is full, read-only or gone: what was written before is still there. */
export class StorageError extends UserError {}

/** Does what may fail for the disk's sake. @throws StorageError that names the file */
export function writing<T>(path: string, write: () => T): T {
  try {
    return write();
  } catch (error) {
    if (errorCode(error) === undefined) throw error;
    throw new StorageError(`${path} cannot be written: ${reason(error)}.`);
  }
}

/** Writes a file whole or not at all, making its folder; it is on the disk when this returns. @throws StorageError */
export function writeWhole(path: string, content: Uint8Array | string): void {
  const temporary = path + TEMPORARY;
  writing(path, () => {
    makeFolder(dirname(path));
    try {
      const file = openSync(temporary, 'w');
      try {
        writeFileSync(file, content);
        fsyncSync(file);
      } finally {
        closeSync(file);
      }
      renameSync(temporary, path);
    } catch (error) {
      rmSync(temporary, { force: true }); // on a full disk, it would take what is left
      throw error;
    }
  });
}

/** Appends a whole text; it is on the disk when this returns. */
export function appendWhole(descriptor: number, text: string): void {
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length;) at += writeSync(descriptor, bytes, at);
  fdatasyncSync(descriptor);
}

/** Makes a folder and those above it. Node's own recursive way never returns where the system has no room for one. */
export function makeFolder(path: string): void {
  const existing = nearestExisting(path);
  const missing: string[] = [];
  for (let folder = resolve(path); folder !== existing && folder !== dirname(folder); folder = dirname(folder))
    missing.push(folder);
  for (const folder of missing.reverse()) {
    try {
      mkdirSync(folder);
    } catch (error) {
      if (errorCode(error) !== 'EEXIST') throw error; // another process made it
    }
  }
}

/** The path itself, or the nearest above it that exists; the root where even that does not, as of a drive that is absent. */
export function nearestExisting(path: string): string {
  let folder = resolve(path);
  while (!existsSync(folder) && folder !== dirname(folder)) folder = dirname(folder);
  return folder;
}

/** Finds out whether a file could be written, before what is to be written takes its time. @throws UserError (usage) */
export function assertWritable(flag: string, path: string): void {
  const refuse = (what: string): never => {
    throw new UserError(`${flag}: ${path === '' ? 'the path' : path} ${what}.`, { usage: true });
  };
  if (path === '') refuse('is empty. Give one, or leave it out');
  const existing = nearestExisting(path);
  const isFolder = statSync(existing).isDirectory();
  if (existing === resolve(path) && isFolder) refuse('is a folder. Give the name of a file');
  if (existing !== resolve(path) && !isFolder) refuse(`cannot be written: ${existing} is no folder`);
  try {
    accessSync(isFolder ? existing : dirname(existing), constants.W_OK);
  } catch (error) {
    refuse(`cannot be written: ${reason(error)}`);
  }
}
