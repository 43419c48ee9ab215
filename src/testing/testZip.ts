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
    const begin = at;
    const text = new TextEncoder().encode(name);
    add(
      packed([
        [4, 0x04034b50],
        [2, 45],
        [2, 0],
        [2, method],
        [4, 0],
        [4, 0],
        [4, bytes.length],
        [4, bytes.length],
        [2, text.length],
        [2, 0],
      ]),
    );
    add(text);
    add(bytes);
    const extra = zip64
      ? packed([
          [2, 0x9999],
          [2, 1],
          [1, 7],
          [2, 1],
          [2, 24],
          [8, bytes.length],
          [8, bytes.length],
          [8, begin],
        ])
      : new Uint8Array();
    const [size, place] = zip64 ? [ALL, ALL] : [bytes.length, begin];
    directory.push(
      packed([
        [4, 0x02014b50],
        [2, 45],
        [2, 45],
        [2, 0],
        [2, method],
        [4, 0],
        [4, 0],
        [4, size],
        [4, size],
        [2, text.length],
        [2, extra.length],
      ]),
      packed([
        [2, 0],
        [2, 0],
        [2, 0],
        [4, 0],
        [4, place],
      ]),
      text,
      extra,
    );
  }
  const directoryAt = at;
  directory.forEach(add);
  const [count, size, end] = [names.length, at - directoryAt, at];
  if (zip64) {
    add(
      packed([
        [4, 0x06064b50],
        [8, 44],
        [2, 45],
        [2, 45],
        [4, 0],
        [4, 0],
        [8, count],
        [8, count],
        [8, size],
        [8, directoryAt],
      ]),
    );
    add(
      packed([
        [4, 0x07064b50],
        [4, 0],
        [8, end],
        [4, 1],
      ]),
    );
    add(
      packed([
        [4, 0x06054b50],
        [2, 0],
        [2, 0],
        [2, 0xffff],
        [2, 0xffff],
        [4, ALL],
        [4, ALL],
        [2, 0],
      ]),
    );
  } else {
    add(
      packed([
        [4, 0x06054b50],
        [2, 0],
        [2, 0],
        [2, count],
        [2, count],
        [4, size],
        [4, directoryAt],
        [2, 0],
      ]),
    );
  }
  return sparse(parts, at);
}

/** Numbers of so many bytes each, the lowest byte first. */
function packed(fields: readonly (readonly [bytes: number, value: number])[]): Uint8Array {
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
