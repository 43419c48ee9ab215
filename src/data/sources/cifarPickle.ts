import { readPickle } from '../../formats/pickle';
import { BUILD, type PickleGlobals } from '../../formats/pickleValues';
import { UserError } from '../../common/userError';
import { cifarTrainTest, type CifarFormat, type NamedBytes } from './cifar';
import type { ImageSet, TrainTest } from '../imageSet';

/*
 * CIFAR-10 and CIFAR-100 in their publisher's "python version": a file is the pickle of a dict with `data`, a numpy array
 * [n, 3072] of bytes in the order of the binary version, and a list of labels. Python 2 made them, so that texts and bytes
 * alike are its `str`; files saved again by Python 3 are read as well.
 */

const PIXEL_BYTES = 3072;

/** A numpy array of bytes as its pickle builds it: `(version, shape, dtype, is Fortran, bytes)`. */
class PickledArray {
  shape: readonly number[] = [];
  bytes: Uint8Array = new Uint8Array(0);

  [BUILD](state: unknown): void {
    if (!Array.isArray(state) || state.length !== 5) throw new Error('the state of an array has five parts');
    const [, shape, dtype, fortran, content] = state as unknown[];
    if (!Array.isArray(shape) || !shape.every((size) => Number.isSafeInteger(size)))
      throw new Error('its shape is no list of sizes');
    if (!(dtype instanceof PickledType) || dtype.code !== 'u1') throw new Error('an array of bytes is wanted');
    if (fortran === true && shape.length > 1) throw new Error('its columns lie one behind the other, not its rows');
    this.shape = shape as number[];
    this.bytes = asBytes(content);
  }
}

class PickledType {
  constructor(readonly code: unknown) {}
  /** Of single bytes, it has nothing to say. */
  [BUILD](): void {
    return;
  }
}

/** `str` of Python 2 is read as a character a byte. */
function asBytes(content: unknown): Uint8Array {
  if (content instanceof Uint8Array) return content;
  if (typeof content !== 'string') throw new Error('bytes are wanted');
  const bytes = new Uint8Array(content.length);
  for (let at = 0; at < bytes.length; at++) bytes[at] = content.charCodeAt(at);
  return bytes;
}

const GLOBALS: PickleGlobals = {
  'numpy.core.multiarray._reconstruct': () => new PickledArray(),
  'numpy._core.multiarray._reconstruct': () => new PickledArray(),
  'numpy.ndarray': () => new PickledArray(),
  'numpy.dtype': (code) => new PickledType(code),
  // How Python 3 writes bytes for Python 2.
  '_codecs.encode': (text) => asBytes(text),
};

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

/** @throws UserError that names the file and what is wrong with it */
function parseBatch(
  file: NamedBytes,
  { name: set, classCount, python }: CifarFormat,
): { images: Uint8Array; labels: Uint16Array } {
  const entries = readDict(file);
  const data = entries.get('data');
  const labels = entries.get(python.labels);
  if (!(data instanceof PickledArray) || !Array.isArray(labels))
    throw damaged(file.name, `it has no data and ${python.labels}, as ${set} has`);
  const count = labels.length;
  const { shape, bytes } = data;
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
  return { images: bytes, labels: Uint16Array.from(labels as number[]) };
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
