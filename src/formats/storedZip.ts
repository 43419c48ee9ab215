import type { ByteSource } from './byteSource';
import { UserError } from '../common/userError';

/*
 * The directory of a zip archive whose files are stored as they are, as PyTorch stores them: so that what is wanted of an
 * archive of any size can be read where it lies. With ZIP64, for archives beyond 4 GiB. Checksums are not compared:
 * PyTorch can be told to leave them out, and compares none itself.
 */

const END = 0x06054b50;
const END_BYTES = 22;
const LONGEST_COMMENT = 0xffff;
const END64_LOCATOR = 0x07064b50;
const END64_LOCATOR_BYTES = 20;
const END64 = 0x06064b50;
const END64_BYTES = 56;
const ENTRY = 0x02014b50;
const ENTRY_BYTES = 46;
const LOCAL = 0x04034b50;
const LOCAL_BYTES = 30;
/** In place of a number that stands in the ZIP64 field, whose tag is 1. */
const IN_ZIP64 = 0xffffffff;
const ZIP64_TAG = 1;

/** A file of an archive: where the archive says that it begins, and how long it is. */
interface Entry {
  readonly header: number;
  readonly size: number;
  /** 0 stored, 8 deflated … */
  readonly method: number;
}

export class StoredZip {
  private constructor(
    private readonly source: ByteSource,
    private readonly name: string,
    private readonly entries: ReadonlyMap<string, Entry>,
  ) {}

  /** Whether a source begins as a zip archive does. */
  static isZip(source: ByteSource): boolean {
    return source.size >= 4 && viewOf(source.read(0, 4)).getUint32(0, true) === LOCAL;
  }

  /**
   * Reads an archive's directory.
   *
   * @param name what messages call the archive
   * @throws UserError where it is damaged
   */
  static open(source: ByteSource, name: string): StoredZip {
    return new StoredZip(source, name, readDirectory(source, name));
  }

  /** In the archive's order. */
  get names(): readonly string[] {
    return [...this.entries.keys()];
  }

  /** Bytes of a file, undefined where there is none of that name. */
  sizeOf(file: string): number | undefined {
    return this.entries.get(file)?.size;
  }

  /** @throws UserError where there is no such file, or it is compressed or damaged */
  read(file: string): Uint8Array {
    const entry = this.entries.get(file);
    if (!entry) throw damaged(this.name, `it has no ${file}`);
    if (entry.method !== 0) {
      throw new UserError(
        `Cannot read ${this.name}: its ${file} is compressed, as PyTorch never does. Give the file as PyTorch saved it.`,
      );
    }
    const local = viewOf(readExactly(this.source, this.name, entry.header, LOCAL_BYTES));
    if (local.getUint32(0, true) !== LOCAL) throw damaged(this.name, `${file} is not where its directory says`);
    const begin = entry.header + LOCAL_BYTES + local.getUint16(26, true) + local.getUint16(28, true);
    return readExactly(this.source, this.name, begin, entry.size);
  }
}

function readDirectory(source: ByteSource, name: string): Map<string, Entry> {
  const { count, at, size } = findDirectory(source, name);
  const bytes = readExactly(source, name, at, size);
  const view = viewOf(bytes);
  const entries = new Map<string, Entry>();
  for (let index = 0, begin = 0; index < count; index++) {
    const cut = (): UserError => damaged(name, `file ${index + 1} of its directory is cut`);
    if (begin + ENTRY_BYTES > size || view.getUint32(begin, true) !== ENTRY) throw cut();
    const [nameBytes, extraBytes, commentBytes] = [28, 30, 32].map((field) => view.getUint16(begin + field, true)) as [
      number,
      number,
      number,
    ];
    const extra = begin + ENTRY_BYTES + nameBytes;
    const end = extra + extraBytes + commentBytes;
    if (end > size) throw cut();
    const file = new TextDecoder().decode(bytes.subarray(begin + ENTRY_BYTES, extra));
    if (entries.has(file)) throw damaged(name, `it has two files ${file}`);
    const wide = zip64Numbers(bytes.subarray(extra, extra + extraBytes));
    const number = (field: number): number => {
      const short = view.getUint32(begin + field, true);
      if (short !== IN_ZIP64) return short;
      const long = wide.shift();
      if (long === undefined) throw cut();
      return long;
    };
    // In the order of the ZIP64 field: as it is, as it is stored, where.
    const [plain, stored, header] = [number(24), number(20), number(42)] as [number, number, number];
    const method = view.getUint16(begin + 10, true);
    if (method === 0 && plain !== stored) throw damaged(name, `the length of ${file} is stated twice and differs`);
    entries.set(file, { header, size: stored, method });
    begin = end;
  }
  return entries;
}

function findDirectory(
  source: ByteSource,
  name: string,
): { readonly count: number; readonly at: number; readonly size: number } {
  const tailBytes = Math.min(source.size, END_BYTES + LONGEST_COMMENT);
  const tailAt = source.size - tailBytes;
  const tail = viewOf(source.read(tailAt, tailBytes));
  let end = tailBytes - END_BYTES;
  while (end >= 0 && tail.getUint32(end, true) !== END) end--;
  if (end < 0) {
    throw new UserError(
      `Cannot read ${name}: it begins as a zip archive and does not end as one. It was cut short: copy or download it again.`,
    );
  }
  const locatorAt = tailAt + end - END64_LOCATOR_BYTES;
  const locator = locatorAt < 0 ? undefined : viewOf(source.read(locatorAt, END64_LOCATOR_BYTES));
  if (locator?.getUint32(0, true) === END64_LOCATOR) {
    const wide = viewOf(readExactly(source, name, Number(locator.getBigUint64(8, true)), END64_BYTES));
    if (wide.getUint32(0, true) !== END64) throw damaged(name, 'its directory is not where it says');
    const [count, size, at] = [32, 40, 48].map((field) => Number(wide.getBigUint64(field, true))) as [
      number,
      number,
      number,
    ];
    return { count, size, at };
  }
  return {
    count: tail.getUint16(end + 10, true),
    size: tail.getUint32(end + 12, true),
    at: tail.getUint32(end + 16, true),
  };
}

/** The numbers of the ZIP64 field among an entry's extra fields. */
function zip64Numbers(extra: Uint8Array): number[] {
  const view = viewOf(extra);
  for (let at = 0; at + 4 <= extra.length;) {
    const length = view.getUint16(at + 2, true);
    if (view.getUint16(at, true) === ZIP64_TAG) {
      const count = Math.min(Math.floor(length / 8), Math.floor((extra.length - at - 4) / 8));
      return Array.from({ length: count }, (_, index) => Number(view.getBigUint64(at + 4 + 8 * index, true)));
    }
    at += 4 + length;
  }
  return [];
}

function readExactly(source: ByteSource, name: string, at: number, length: number): Uint8Array {
  if (at + length > source.size) {
    throw new UserError(
      `Cannot read ${name}: bytes ${at} to ${at + length} are wanted, and it has ${source.size}. ` +
        'It was cut short: copy or download it again.',
    );
  }
  return source.read(at, length);
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function damaged(name: string, what: string): UserError {
  return new UserError(`Cannot read ${name}: ${what}. It is damaged: copy or download it again.`);
}
