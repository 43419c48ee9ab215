/*
 * Where the files of a tar archive lie (POSIX.1-2001, ustar and pax, with GNU's long names and large sizes): only headers are
 * read, since archives of images are large, and no package reads less than all of one.
 */

/** A file in an archive. */
export interface TarEntry {
  readonly path: string;
  /** Where its bytes begin in the archive. */
  readonly offset: number;
  readonly size: number;
}

/** An archive that is read in pieces. */
export interface TarSource {
  readonly byteLength: number;
  slice(start: number, end?: number): Promise<ArrayBuffer>;
}

const BLOCK = 512;
/** Headers lie close together where files are small: so much is read at once. */
const PIECE = 2 ** 16;
/** A name or a list of attributes that takes more is none. */
const MOST_ATTRIBUTES = 2 ** 20;

/**
 * The files of an archive, in its order; folders and links are left out.
 *
 * @throws Error that says what is wrong with it
 */
export async function indexTar(archive: TarSource): Promise<TarEntry[]> {
  const read = pieces(archive);
  const entries: TarEntry[] = [];
  let own: Attributes = {};
  for (let at = 0; at + BLOCK <= archive.byteLength;) {
    const header = await read(at, BLOCK);
    if (header.every((byte) => byte === 0)) return entries;
    if (!hasSum(header)) throw new Error(`there is no header of a file at byte ${at}`);
    const type = String.fromCharCode(header[156] ?? 0);
    const size = own.size ?? numberIn(header.subarray(124, 136));
    const offset = at + BLOCK;
    if (!Number.isSafeInteger(size) || offset + size > archive.byteLength) throw new Error('it ends too early');
    at = offset + Math.ceil(size / BLOCK) * BLOCK;
    if (type === 'x' || type === 'L') {
      if (size > MOST_ATTRIBUTES) throw new Error(`a file's name takes ${size} bytes`);
      const text = await read(offset, size);
      own = type === 'x' ? { ...own, ...attributes(text) } : { ...own, path: textIn(text) };
      continue;
    }
    if (type === '0' || type === '\0' || type === '7') {
      entries.push({ path: (own.path ?? nameIn(header)).replace(/^\.\//, ''), offset, size });
    }
    if (type !== 'g' && type !== 'K') own = {};
  }
  throw new Error('it ends too early'); // the end of an archive is a block of zeros
}

/** What a header says of the file behind it, in the place of that file's own. */
interface Attributes {
  readonly path?: string;
  readonly size?: number;
}

function pieces(archive: TarSource): (at: number, length: number) => Promise<Uint8Array> {
  let start = 0;
  let piece = new Uint8Array(0);
  return async (at, length) => {
    if (at < start || at + length > start + piece.length) {
      start = at;
      piece = new Uint8Array(await archive.slice(at, Math.min(archive.byteLength, at + Math.max(PIECE, length))));
    }
    if (at + length > start + piece.length) throw new Error('it ends too early');
    return piece.subarray(at - start, at - start + length);
  };
}

/** The sum of a header's bytes, its own field taken as spaces. */
function hasSum(header: Uint8Array): boolean {
  const sum = header.reduce((total, byte, at) => total + (at >= 148 && at < 156 ? 32 : byte), 0);
  return sum === numberIn(header.subarray(148, 156));
}

/** Octal digits; of what they can't say, big-endian bytes behind a first bit of 1. */
function numberIn(field: Uint8Array): number {
  const [first = 0] = field;
  if (first & 0x80) return field.reduce((sum, byte, at) => sum * 256 + (at === 0 ? byte & 0x7f : byte), 0);
  const digits = textIn(field).trim();
  return /^[0-7]*$/.test(digits) ? parseInt(digits || '0', 8) : NaN;
}

function nameIn(header: Uint8Array): string {
  const name = textIn(header.subarray(0, 100));
  const isPosix = textIn(header.subarray(257, 263)) === 'ustar';
  const prefix = isPosix ? textIn(header.subarray(345, 500)) : '';
  return prefix === '' ? name : `${prefix}/${name}`;
}

/** `LENGTH KEY=VALUE\n`, one behind another; lengths count bytes. */
function attributes(bytes: Uint8Array): Attributes {
  const found: { path?: string; size?: number } = {};
  for (let at = 0; at < bytes.length;) {
    const space = bytes.indexOf(32, at);
    const length = Number(textIn(bytes.subarray(at, Math.max(at, space))));
    if (space < 0 || !Number.isInteger(length) || length <= space - at)
      throw new Error('a list of attributes is damaged');
    const [, key, value] =
      /^([^=]+)=([\s\S]*)\n$/.exec(new TextDecoder().decode(bytes.subarray(space + 1, at + length))) ?? [];
    if (key === 'path' && value !== undefined) found.path = value;
    if (key === 'size') found.size = Number(value);
    at += length;
  }
  return found;
}

/** Up to the first zero. */
function textIn(bytes: Uint8Array): string {
  const end = bytes.indexOf(0);
  return new TextDecoder().decode(end < 0 ? bytes : bytes.subarray(0, end));
}
