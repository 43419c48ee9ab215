import { readPickle } from '../../formats/pickle';
import { NUMPY_GLOBALS, PickledArray, PYTHON_GLOBALS, type NumpyArray } from '../../formats/pickleGlobals';
import type { PickleGlobals } from '../../formats/pickleValues';
import { UserError } from '../../common/userError';
import { cifarTrainTest, type CifarFormat, type NamedBytes } from './cifar';
import type { ImageSet, TrainTest } from '../imageSet';

/*
 * CIFAR-10 and CIFAR-100 in their publisher's "python version": a file is the pickle of a dict with `data`, a numpy array
 * [n, 3072] of bytes in the order of the binary version, and a list of labels. Python 2 made them, so that texts and bytes
 * alike are its `str`; files saved again by Python 3 are read as well.
 */

const PIXEL_BYTES = 3072;

const GLOBALS: PickleGlobals = { ...PYTHON_GLOBALS, ...NUMPY_GLOBALS };

/** The dict of a file, its keys as texts. @throws UserError that names the file */
function readDict({ name, bytes }: NamedBytes): Map<string, unknown> {
  const value = readPickle(bytes, name, { globals: GLOBALS });
  if (!(value instanceof Map)) throw damaged(name, 'it holds no dict');
  return new Map([...(value as Map<unknown, unknown>)].map(([key, entry]) => [asText(key), entry]));
}

function asText(value: unknown): string {
  return value instanceof Uint8Array ? new TextDecoder().decode(value) : String(value);
}

function damaged(name: string, what: string): UserError {
  return new UserError(`${name}: ${what}. It is damaged or of another format: download it again.`);
}

/** A list of labels, or an array of them. */
function numbersOf(labels: unknown): readonly unknown[] | undefined {
  if (Array.isArray(labels)) return labels as unknown[];
  if (!(labels instanceof PickledArray) || labels.shape.length !== 1 || !/^[<|][iu]/.test(labels.dtype))
    return undefined;
  const { bytes, dtype } = labels;
  const width = Number(dtype[2]);
  // Of a label's bytes, the lowest come first; those above are nothing but its sign.
  return Array.from({ length: bytes.length / width }, (_, at) =>
    Array.from(bytes.subarray(at * width, (at + 1) * width)).reduceRight((sum, byte) => 256 * sum + byte, 0),
  );
}

/** The elements of an array whose columns lie one behind the other, row by row. */
function inRows({ shape: [rows = 0, columns = 0], bytes }: NumpyArray): Uint8Array {
  return Uint8Array.from(bytes, (_, at) => bytes[Math.floor(at / columns) + (at % columns) * rows] as number);
}

/** @throws UserError that names the file and what is wrong with it */
function parseBatch(
  file: NamedBytes,
  { name: set, classCount, python }: CifarFormat,
): { images: Uint8Array; labels: Uint16Array } {
  const entries = readDict(file);
  const data = entries.get('data');
  const labels = numbersOf(entries.get(python.labels));
  if (!(data instanceof PickledArray) || !labels)
    throw damaged(file.name, `it has no data and ${python.labels}, as ${set} has`);
  const count = labels.length;
  const { shape } = data;
  if (data.dtype !== '|u1') throw damaged(file.name, `its data are ${data.dtype}, and an array of bytes is wanted`);
  const bytes = data.columnMajor ? inRows(data) : data.bytes;
  if (shape.length !== 2 || shape[0] !== count || shape[1] !== PIXEL_BYTES || bytes.length !== count * PIXEL_BYTES) {
    throw damaged(
      file.name,
      `its data is [${shape.join(', ')}] in ${bytes.length} bytes; ${count} labels want [${count}, ${PIXEL_BYTES}]`,
    );
  }
  const wrong = labels.findIndex(
    (label) => !Number.isInteger(label) || (label as number) < 0 || (label as number) >= classCount,
  );
  if (wrong >= 0)
    throw damaged(
      file.name,
      `image ${wrong} has the label ${String(labels[wrong])}, but ${set} has classes 0 to ${classCount - 1}`,
    );
  return { images: bytes, labels: Uint16Array.from(labels as readonly number[]) };
}

/** The whole set from its files. @throws UserError that names the file and what is wrong with it */
export function cifarPickleSet(
  files: { readonly train: readonly NamedBytes[]; readonly test: NamedBytes; readonly classNames: NamedBytes },
  format: CifarFormat,
): TrainTest<ImageSet> {
  const names = readDict(files.classNames).get(format.python.names);
  if (!Array.isArray(names) || names.length !== format.classCount) {
    throw damaged(
      files.classNames.name,
      `it does not name the ${format.classCount} classes of ${format.name} as ${format.python.names}`,
    );
  }
  const batches = files.train.map((file) => parseBatch(file, format));
  const images = new Uint8Array(batches.reduce((sum, batch) => sum + batch.images.length, 0));
  const labels = new Uint16Array(images.length / PIXEL_BYTES);
  let at = 0;
  for (const batch of batches) {
    images.set(batch.images, at * PIXEL_BYTES);
    labels.set(batch.labels, at);
    at += batch.labels.length;
  }
  return cifarTrainTest(format, names.map(asText), { images, labels }, parseBatch(files.test, format));
}
