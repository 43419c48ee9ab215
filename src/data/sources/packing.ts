import { UserError } from '../../common/userError';

/*
 * How an archive is packed, by what is in it: its name may say otherwise, as of a file that a browser has unpacked while it
 * was downloaded.
 */

/** Bytes that tell it. */
export const PACKING_HEAD_BYTES = 512;
/** Where tar has its name, in the first record. */
const USTAR = /^[^]{257}ustar/;

/** Archives of other kinds. */
const OTHERS: readonly (readonly [begin: RegExp, name: string])[] = [
  [/^PK\x03\x04/, 'a ZIP archive'],
  [/^7z\xbc\xaf\x27\x1c/, 'a 7z archive'],
  [/^Rar!\x1a/, 'a RAR archive'],
  [/^\xfd7zXZ/, 'packed by xz'],
  [/^BZh/, 'packed by bzip2'],
  [/^\x28\xb5\x2f\xfd/, 'packed by zstd'],
];

/**
 * How a file is packed.
 *
 * @param head its first bytes: all, or `PACKING_HEAD_BYTES`
 * @param path what messages call it
 * @returns undefined where that is not known
 * @throws UserError where it is an archive of a kind that is not read
 */
export function packingOf(head: Uint8Array, path: string): 'gzip' | 'tar' | undefined {
  const text = String.fromCharCode(...head);
  const other = OTHERS.find(([begin]) => begin.test(text))?.[1];
  if (other !== undefined)
    throw new UserError(`--data: ${path} is ${other}. Unpack it first, and give the folder that comes of it.`);
  return text.startsWith('\x1f\x8b') ? 'gzip' : USTAR.test(text) ? 'tar' : undefined;
}
