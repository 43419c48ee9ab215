import { pack } from 'tar-stream';
import { ByteWriter, parquetWrite } from 'hyparquet-writer';

/* Packed images as others write them. */

/** A row of a set of the Hugging Face hub. */
export interface ParquetRow {
  readonly bytes?: Uint8Array;
  readonly path?: string;
  readonly label?: number | string | null;
}

/** What a parquet file of such rows may differ in. */
export interface ParquetOptions {
  readonly names?: readonly string[];
  readonly labelColumn?: string;
  readonly rowGroupSize?: number;
  /** Bytes alone, without paths, and the column of the images by another name. */
  readonly bare?: string;
}

/** A file as the package `datasets` writes it: { bytes, path } and a class a row, its names beside them. */
export function parquetFile(
  rows: readonly ParquetRow[],
  { names, labelColumn = 'label', rowGroupSize = 1000, bare }: ParquetOptions = {},
): Uint8Array {
  const isText = rows.some(({ label }) => typeof label === 'string');
  const labels = rows.map(({ label }) => (typeof label === 'number' ? BigInt(label) : (label ?? null)));
  const hasLabels = rows.some(({ label }) => label !== undefined);
  const column = bare ?? 'image';
  const blob = { type: 'BYTE_ARRAY', repetition_type: 'OPTIONAL' } as const;
  const writer = new ByteWriter();
  void parquetWrite({
    writer,
    rowGroupSize,
    schema: [
      { name: 'root', num_children: hasLabels ? 2 : 1 },
      ...(bare === undefined
        ? ([
            { name: column, num_children: 2, repetition_type: 'OPTIONAL' },
            { name: 'bytes', ...blob },
            { name: 'path', ...blob, converted_type: 'UTF8' },
          ] as const)
        : [{ name: column, ...blob }]),
      ...(hasLabels
        ? [
            isText
              ? ({ name: labelColumn, ...blob, converted_type: 'UTF8' } as const)
              : ({ name: labelColumn, type: 'INT64', repetition_type: 'OPTIONAL' } as const),
          ]
        : []),
    ],
    columnData: [
      {
        name: column,
        data: rows.map(({ bytes, path }) =>
          bare === undefined ? { bytes: bytes ?? null, path: path ?? null } : bytes,
        ),
      },
      ...(hasLabels ? [{ name: labelColumn, data: labels }] : []),
    ],
    ...(names
      ? {
          kvMetadata: [
            {
              key: 'huggingface',
              value: JSON.stringify({ info: { features: { [labelColumn]: { names, _type: 'ClassLabel' } } } }),
            },
          ],
        }
      : {}),
  });
  return new Uint8Array(writer.getBuffer());
}

/** A tar archive of files in this order. */
export async function tarFile(
  files: readonly (readonly [path: string, content: Uint8Array | string])[],
): Promise<Uint8Array> {
  const archive = pack();
  for (const [name, content] of files) archive.entry({ name }, Buffer.from(content));
  archive.finalize();
  const parts: Buffer[] = [];
  for await (const part of archive) parts.push(part as Buffer);
  return new Uint8Array(Buffer.concat(parts));
}
