import type { ByteSource } from '../formats/byteSource';

/*
 * Zip archives for tests: stored files, as PyTorch writes them.
 */

interface ZipOptions {
  /** Writes every length and place as 64 bits. */
  readonly zip64?: boolean;
  /** Bytes of nothing before the directory: they are not held. */
  readonly gap?: number;
  /** What the directory says of how files are compressed. */
  readonly method?: number;
}

const ALL = 0xffffffff;

type Fields = readonly (readonly [bytes: number, value: number])[];

/** A file of an archive. */
interface Entry {
  readonly name: Uint8Array;
  readonly size: number;
  /** Where it begins. */
  readonly at: number;
}

/** An archive of files by name, the last of them behind the gap. */
export function zipOf(
  files: Readonly<Record<string, Uint8Array>>,
  { zip64 = false, gap = 0, method = 0 }: ZipOptions = {},
): ByteSource {
  const parts: { at: number; bytes: Uint8Array }[] = [];
  let at = 0;
  const add = (bytes: Uint8Array): void => {
    parts.push({ at, bytes });
    at += bytes.length;
  };
  const directory: Uint8Array[] = [];
  const names = Object.keys(files);
  for (const [name, bytes] of Object.entries(files)) {
    if (name === names.at(-1)) at += gap;
    const entry: Entry = { name: new TextEncoder().encode(name), size: bytes.length, at };
    add(fileHeader(entry, method));
    add(bytes);
    directory.push(directoryEntry(entry, method, zip64));
  }
  const directoryAt = at;
  directory.forEach(add);
  add((zip64 ? endOfDirectory64 : endOfDirectory)({ count: names.length, size: at - directoryAt, at: directoryAt }));
  return sparse(parts, at);
}

function fileHeader({ name, size }: Entry, method: number): Uint8Array {
  const fields: Fields = [
    [4, 0x04034b50],
    [2, 45],
    [2, 0],
    [2, method],
    [4, 0],
    [4, 0],
    [4, size],
    [4, size],
    [2, name.length],
    [2, 0],
  ];
  return joined(packed(fields), name);
}

function directoryEntry({ name, size, at }: Entry, method: number, zip64: boolean): Uint8Array {
  const long: Fields = [
    [2, 0x9999],
    [2, 1],
    [1, 7],
    [2, 1],
    [2, 24],
    [8, size],
    [8, size],
    [8, at],
  ];
  const extra = packed(zip64 ? long : []);
  const fields: Fields = [
    [4, 0x02014b50],
    [2, 45],
    [2, 45],
    [2, 0],
    [2, method],
    [4, 0],
    [4, 0],
    [4, zip64 ? ALL : size],
    [4, zip64 ? ALL : size],
    [2, name.length],
    [2, extra.length],
    [2, 0],
    [2, 0],
    [2, 0],
    [4, 0],
    [4, zip64 ? ALL : at],
  ];
  return joined(packed(fields), name, extra);
}

/** How many entries a directory has, how many bytes, and where it begins. */
interface Directory {
  readonly count: number;
  readonly size: number;
  readonly at: number;
}

function endOfDirectory({ count, size, at }: Directory): Uint8Array {
  return packed([
    [4, 0x06054b50],
    [2, 0],
    [2, 0],
    [2, count],
    [2, count],
    [4, size],
    [4, at],
    [2, 0],
  ]);
}

/** The end in 64 bits, where that is, and an end in 32 bits that says nothing. */
function endOfDirectory64({ count, size, at }: Directory): Uint8Array {
  return packed([
    [4, 0x06064b50],
    [8, 44],
    [2, 45],
    [2, 45],
    [4, 0],
    [4, 0],
    [8, count],
    [8, count],
    [8, size],
    [8, at],

    [4, 0x07064b50],
    [4, 0],
    [8, at + size],
    [4, 1],

    [4, 0x06054b50],
    [2, 0],
    [2, 0],
    [2, 0xffff],
    [2, 0xffff],
    [4, ALL],
    [4, ALL],
    [2, 0],
  ]);
}

function joined(...parts: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}

/** Numbers of so many bytes each, the lowest byte first. */
function packed(fields: Fields): Uint8Array {
  return Uint8Array.from(
    fields.flatMap(([bytes, value]) =>
      Array.from({ length: bytes }, (_, i) => Number((BigInt(value) >> BigInt(8 * i)) & 255n)),
    ),
  );
}

/** A source of which only parts are held; the rest is zero. */
function sparse(parts: readonly { readonly at: number; readonly bytes: Uint8Array }[], size: number): ByteSource {
  return {
    size,
    read: (from, length) => {
      const out = new Uint8Array(length);
      for (const { at, bytes } of parts) {
        const begin = Math.max(from, at);
        const end = Math.min(from + length, at + bytes.length);
        if (begin < end) out.set(bytes.subarray(begin - at, end - at), begin - from);
      }
      return out;
    },
  };
}
