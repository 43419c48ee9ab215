import { parquetMetadataAsync, parquetReadObjects, parquetSchema, type FileMetaData, type SchemaTree } from 'hyparquet';
import { compressors } from 'hyparquet-compressors';
import { UserError } from '../../common/userError';
import { BrokenImageError } from './brokenFiles';
import {
  partsOfFiles,
  type PackedFile,
  type PackedImages,
  type PackedRoot,
  type PackedSet,
  type RawLabel,
} from './packedImages';

/*
 * Images in parquet files, as the Hugging Face hub keeps them: a row an image, in a column of its file's bytes or of
 * { bytes, path }, beside a column of classes, whose names the package `datasets` writes into the file.
 */

const IMAGE_COLUMNS = ['image', 'img', 'images', 'picture', 'photo', 'jpg', 'png', 'bytes', 'content'];
const LABEL_COLUMNS = ['label', 'labels', 'class', 'cls', 'fine_label', 'target', 'category', 'y'];
/** What is kept of groups of rows: neighbours of a row are often wanted next. */
const KEPT_BYTES = 2 ** 28;

/** A file with what it holds. */
interface Shard {
  readonly file: PackedFile;
  readonly metadata: FileMetaData;
  /** The first row of each group of rows, and behind the last group the number of rows. */
  readonly groups: readonly number[];
}

/** Which columns of a set are read. */
interface Columns {
  readonly image: string;
  readonly label: string | undefined;
}

/** The image of a row: its file's bytes, or where that lies. */
type Cell = Uint8Array | string;

/**
 * A set of parquet files.
 *
 * @param labelColumn what holds the classes; by default that of a usual name
 * @throws UserError where a file is damaged, or has no column of images
 */
export async function readParquet(
  root: PackedRoot,
  files: readonly PackedFile[],
  labelColumn?: string,
): Promise<PackedSet> {
  const parts = partsOfFiles(root, files);
  const open = (list: readonly PackedFile[]): Promise<Shard[]> =>
    Promise.all(list.map((file) => openShard(root, file)));
  const train = await open(parts.train);
  const held = await Promise.all(parts.held.map(open));
  const columns = columnsOf(root, train[0] as Shard, labelColumn); // a part has a file
  const shards = new Map([...train, ...held.flat()].map((shard) => [shard.file.path, shard]));
  const reader = new RowReader(root, columns.image, shards);
  const names = columns.label === undefined ? undefined : classNames(train[0] as Shard, columns.label);
  return {
    train: await imagesOf(root, train, columns),
    held: await Promise.all(held.map((part) => imagesOf(root, part, columns))),
    names,
    notes: [
      `images are read from the column '${columns.image}'` +
        (columns.label === undefined ? '' : `, classes from '${columns.label}'`),
    ],
    bytes: (path) => reader.bytes(path),
    fileOf: (path) => path.slice(0, path.lastIndexOf('#')),
  };
}

async function openShard(root: PackedRoot, file: PackedFile): Promise<Shard> {
  const metadata = await parsed(root, file, () => parquetMetadataAsync(file));
  let row = 0;
  const groups = [0, ...metadata.row_groups.map(({ num_rows }) => (row += Number(num_rows)))];
  return { file, metadata, groups };
}

async function parsed<T>(root: PackedRoot, file: PackedFile, parse: () => Promise<T>): Promise<T> {
  try {
    return await parse();
  } catch (error) {
    if (error instanceof UserError) throw error;
    const why = reasonOf(error).replace(/^parquet /, '');
    throw new UserError(
      `--data: ${root.path}/${file.path} is damaged, cut short, or no parquet file: ${why}. Fetch it again.`,
    );
  }
}

function reasonOf(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).replace(/\.$/, '');
}

function columnsOf(root: PackedRoot, { file, metadata }: Shard, labelColumn: string | undefined): Columns {
  const { children } = parquetSchema(metadata);
  const there = children.map(({ element }) => element.name).join(', ');
  const named = (list: readonly string[]): SchemaTree[] =>
    list.flatMap((name) => children.find(({ element }) => element.name.toLowerCase() === name) ?? []);
  const image = [...named(IMAGE_COLUMNS), ...children].find(holdsImages);
  if (!image) {
    throw new UserError(
      `--data: ${root.path}/${file.path} has no column of images (its columns: ${there}). Expected a column of bytes, or of ` +
        '{ bytes, path }, as the package datasets writes it.',
    );
  }
  if (labelColumn !== undefined && !children.some(({ element }) => element.name === labelColumn)) {
    throw new UserError(`--label-column ${labelColumn}: ${root.path}/${file.path} has the columns ${there}.`, {
      usage: true,
    });
  }
  return { image: image.element.name, label: labelColumn ?? named(LABEL_COLUMNS)[0]?.element.name };
}

/** Whether a column is of bytes that are no text, or of such beside paths. */
function holdsImages({ element, children }: SchemaTree): boolean {
  if (children.length === 0) return element.type === 'BYTE_ARRAY' && !isText(element);
  return children.some((child) => child.element.name === 'bytes' && holdsImages(child));
}

function isText({ converted_type, logical_type }: SchemaTree['element']): boolean {
  return converted_type !== undefined || logical_type !== undefined;
}

/** The names of classes as the package `datasets` keeps them beside the rows. */
function classNames({ metadata }: Shard, column: string): readonly string[] | undefined {
  const text = metadata.key_value_metadata?.find(({ key }) => key === 'huggingface')?.value;
  if (text === undefined) return undefined;
  let told: unknown;
  try {
    told = JSON.parse(text);
  } catch {
    return undefined; // what others wrote there
  }
  const at = (value: unknown, key: string): unknown =>
    typeof value === 'object' && value !== null ? Object.entries(value).find(([name]) => name === key)?.[1] : undefined;
  const names = at(at(at(at(told, 'info'), 'features'), column), 'names');
  return Array.isArray(names) && names.every((name) => typeof name === 'string') ? names : undefined;
}

/** The images of a part: a row each, by the name of its file and its number. */
async function imagesOf(root: PackedRoot, shards: readonly Shard[], { label }: Columns): Promise<PackedImages> {
  const paths: string[] = [];
  const labels: RawLabel[] = [];
  for (const { file, metadata, groups } of shards) {
    const rows = groups.at(-1) ?? 0;
    for (let row = 0; row < rows; row++) paths.push(`${file.path}#${row}`);
    if (label === undefined) {
      for (let row = 0; row < rows; row++) labels.push(undefined);
      continue;
    }
    const found = await parsed(root, file, () => parquetReadObjects({ file, metadata, columns: [label], compressors }));
    for (const [row, cells] of found.entries()) {
      const value: unknown = cells[label];
      labels.push(asLabel(value, `${root.path}/${file.path}, row ${row}`, label));
    }
  }
  return { paths, labels };
}

/** @param where names the row in messages */
function asLabel(value: unknown, where: string, column: string): RawLabel {
  if (value === null || value === undefined) return undefined;
  if (typeof value === 'string' || typeof value === 'boolean') return String(value);
  if ((typeof value === 'number' || typeof value === 'bigint') && Number.isInteger(Number(value))) return Number(value);
  throw new UserError(
    `--data: ${where}: the column '${column}' holds no class (a whole number or a text). Give another as --label-column.`,
  );
}

/** Reads rows, a group of them at once, and keeps some groups. */
class RowReader {
  private readonly kept = new Map<string, Promise<readonly Cell[]>>();
  private readonly sizes = new Map<string, number>();

  constructor(
    private readonly root: PackedRoot,
    private readonly column: string,
    private readonly shards: ReadonlyMap<string, Shard>,
  ) {}

  async bytes(path: string): Promise<Uint8Array> {
    const at = path.lastIndexOf('#');
    const shard = this.shards.get(path.slice(0, at));
    const row = Number(path.slice(at + 1));
    const group = shard?.groups.findLastIndex((first) => first <= row) ?? -1;
    if (!shard || group < 0) throw new Error(`${path} is no row of this set.`);
    const cell = (await this.group(shard, group))[row - (shard.groups[group] as number)];
    if (cell instanceof Uint8Array) return cell;
    if (cell === undefined || cell === '')
      throw new BrokenImageError(`${this.root.path}/${path}`, 'the row holds no image');
    try {
      return await this.root.read(cell);
    } catch (error) {
      throw new BrokenImageError(`${this.root.path}/${path}`, `its file ${cell} cannot be read: ${reasonOf(error)}`);
    }
  }

  private group(shard: Shard, group: number): Promise<readonly Cell[]> {
    const key = `${shard.file.path}#${group}`;
    let cells = this.kept.get(key);
    if (!cells) {
      cells = this.read(shard, group, key);
      this.kept.set(key, cells);
    }
    return cells;
  }

  private async read({ file, metadata, groups }: Shard, group: number, key: string): Promise<readonly Cell[]> {
    try {
      const rows = await parsed(this.root, file, () =>
        parquetReadObjects({
          ...{ file, metadata, compressors, columns: [this.column], utf8: false },
          ...{ rowStart: groups[group] ?? 0, rowEnd: groups[group + 1] ?? 0 },
        }),
      );
      const cells = rows.map((row): Cell => asCell(row[this.column]));
      this.makeRoom(key, cells);
      return cells;
    } catch (error) {
      this.kept.delete(key); // it may succeed another time
      throw error;
    }
  }

  /** Forgets the groups that were read first. */
  private makeRoom(key: string, cells: readonly Cell[]): void {
    this.sizes.set(
      key,
      cells.reduce((sum, { length }) => sum + length, 0),
    );
    let held = [...this.sizes.values()].reduce((sum, size) => sum + size, 0);
    for (const [oldest, size] of this.sizes) {
      if (held <= KEPT_BYTES || oldest === key) return;
      held -= size;
      this.sizes.delete(oldest);
      this.kept.delete(oldest);
    }
  }
}

function asCell(value: unknown): Cell {
  if (value instanceof Uint8Array || typeof value === 'string') return value;
  if (typeof value !== 'object' || value === null) return '';
  const { bytes, path } = value as { readonly bytes?: unknown; readonly path?: unknown };
  if (bytes instanceof Uint8Array) return bytes;
  return typeof path === 'string' ? path : '';
}
