import { inflateSync, zipSync, type Zippable } from 'fflate';
import { UserError } from '../../files/userError';
import type { Files } from './memoryFolder';

/*
 * Run folders as zip files. Written by fflate. Read here, since fflate compares no checksums, and a run that was damaged
 * on its way must not be taken for whole: every file has its CRC-32 in the directory at the end of a zip file.
 */

/** Text shrinks to a part; weights and pictures hardly do. */
const TEXT = /\.jsonl?$/;
const LIGHTLY = 6;
const STORED = 0;

/** A folder as a zip file, in which it lies under its name. */
export function zipFolder(name: string, files: Files): Uint8Array {
  const entries: Zippable = {};
  for (const [path, bytes] of files) entries[`${name}/${path}`] = [bytes, { level: TEXT.test(path) ? LIGHTLY : STORED }];
  return zipSync(entries);
}

const END = 0x06054b50;
const END_BYTES = 22;
const LONGEST_COMMENT = 0xffff;
const DIRECTORY_ENTRY = 0x02014b50;
const LOCAL_ENTRY = 0x04034b50;
/** In the place of sizes and offsets that need 64 bits. */
const TOO_LARGE = 0xffffffff;
const ENCRYPTED = 1;
const METHOD = { stored: 0, deflated: 8 } as const;

/**
 * The files in a zip file.
 *
 * @param source what messages call it
 * @throws UserError where it is none, cut short or damaged
 */
export function unzip(zip: Uint8Array, source: string): Map<string, Uint8Array> {
  const view = new DataView(zip.buffer, zip.byteOffset, zip.byteLength);
  const end = findEnd(view);
  if (end === undefined) throw new UserError(`${source} is no zip file, or was cut short: its directory is missing. Save or copy it again.`);
  const files = new Map<string, Uint8Array>();
  try {
    const count = view.getUint16(end + 10, true);
    let at = view.getUint32(end + 16, true);
    for (let index = 0; index < count; index++) {
      if (view.getUint32(at, true) !== DIRECTORY_ENTRY) throw damaged(source, 'its directory is not where it should be');
      const [nameBytes, extraBytes, commentBytes] = [28, 30, 32].map((field) => view.getUint16(at + field, true)) as [number, number, number];
      const path = text(view, at + 46, nameBytes);
      const content = readEntry(view, at, path, source);
      if (!path.endsWith('/')) files.set(path.replaceAll('\\', '/'), content); // a folder's entry is empty
      at += 46 + nameBytes + extraBytes + commentBytes;
    }
    if (at !== end) throw damaged(source, 'its directory does not end where it should');
  } catch (error) {
    if (error instanceof RangeError) throw damaged(source, 'its directory points outside of it'); // of a DataView
    throw error;
  }
  return files;
}

/** Where the record at the end begins: the last one whose comment reaches to the end of the file. */
function findEnd(view: DataView): number | undefined {
  const first = Math.max(0, view.byteLength - END_BYTES - LONGEST_COMMENT);
  for (let at = view.byteLength - END_BYTES; at >= first; at--) {
    if (view.getUint32(at, true) === END && at + END_BYTES + view.getUint16(at + 20, true) === view.byteLength) return at;
  }
  return undefined;
}

/** The file that a directory entry at `at` tells of. */
function readEntry(view: DataView, at: number, path: string, source: string): Uint8Array {
  const flags = view.getUint16(at + 8, true);
  const method = view.getUint16(at + 10, true);
  const [checksum, packed, size, local] = [16, 20, 24, 42].map((field) => view.getUint32(at + field, true)) as [number, number, number, number];
  if ([packed, size, local].includes(TOO_LARGE)) {
    throw new UserError(`${source} has 4 GiB or more, which this page cannot read. Unpack it, and load the folder.`);
  }
  if (flags & ENCRYPTED) throw new UserError(`${source} is encrypted. Unpack it, and load the folder.`);
  const nameBytes = view.getUint16(local + 26, true);
  if (view.getUint32(local, true) !== LOCAL_ENTRY || text(view, local + 30, nameBytes) !== path) {
    throw damaged(source, `${path} is not where its directory says`);
  }
  const start = local + 30 + nameBytes + view.getUint16(local + 28, true);
  if (start + packed > view.byteLength) throw damaged(source, `${path} is cut short`);
  const content = new Uint8Array(view.buffer, view.byteOffset + start, packed);
  const bytes = unpack(content, method, size);
  if (!bytes) throw damaged(source, `${path} is packed in a way that this page does not know`);
  if (bytes.length !== size || crc32(bytes) !== checksum) throw damaged(source, `${path} is not what was saved`);
  return bytes;
}

/** Undefined where the method is not known; something of another length or checksum where the content is damaged. */
function unpack(content: Uint8Array, method: number, size: number): Uint8Array | undefined {
  if (method === METHOD.stored) return content.slice();
  if (method !== METHOD.deflated) return undefined;
  try {
    return inflateSync(content, { out: new Uint8Array(size) });
  } catch {
    return new Uint8Array();
  }
}

function text(view: DataView, at: number, length: number): string {
  return new TextDecoder().decode(new Uint8Array(view.buffer, view.byteOffset + at, length));
}

function damaged(source: string, what: string): UserError {
  return new UserError(`${source} is damaged: ${what}. Save or copy it again.`);
}

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? 0xedb88320 ^ (value >>> 1) : value >>> 1;
  return value;
});

/** The checksum of zip files. */
export function crc32(bytes: Uint8Array): number {
  let value = 0xffffffff;
  for (const byte of bytes) value = (CRC_TABLE[(value ^ byte) & 0xff] as number) ^ (value >>> 8);
  return (value ^ 0xffffffff) >>> 0;
}
