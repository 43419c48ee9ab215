import { UserError } from '../../common/userError';
import { channelStatistics, type ImageSet, type TrainTest } from '../imageSet';

/*
 * CIFAR-10 and CIFAR-100 in their publisher's binary form: a file is records of some label bytes and 3072 pixel bytes,
 * 1024 each of red, green and blue, row by row. CIFAR-10 has one label byte, CIFAR-100 a coarse and a fine one; the
 * fine one is used.
 */

const SHAPE = { width: 32, height: 32, channels: 3 } as const;
const PIXEL_BYTES = 3072;

/** How the records of a set are laid out, and in which files: in the binary version, and in the python one (see cifarPickle.ts). */
export interface CifarFormat {
  readonly name: string;
  readonly classCount: number;
  /** Bytes of labels before the pixels; the last of them is the class. */
  readonly labelBytes: 1 | 2;
  /** The file that names the classes, one a line. */
  readonly classFile: string;
  readonly testFile: string;
  readonly python: {
    readonly classFile: string;
    readonly testFile: string;
    /** The entry of a batch that holds its labels, and of the class file that holds the names. */
    readonly labels: string;
    readonly names: string;
  };
}

export const CIFAR_10: CifarFormat = {
  name: 'CIFAR-10',
  classCount: 10,
  labelBytes: 1,
  classFile: 'batches.meta.txt',
  testFile: 'test_batch.bin',
  python: { classFile: 'batches.meta', testFile: 'test_batch', labels: 'labels', names: 'label_names' },
};

export const CIFAR_100: CifarFormat = {
  name: 'CIFAR-100',
  classCount: 100,
  labelBytes: 2,
  classFile: 'fine_label_names.txt',
  testFile: 'test.bin',
  python: { classFile: 'meta', testFile: 'test', labels: 'fine_labels', names: 'fine_label_names' },
};

/** A file's bytes under the name that messages call it by. */
export interface NamedBytes {
  readonly name: string;
  readonly bytes: Uint8Array;
}

/**
 * Takes the records of one or several files apart.
 *
 * @returns images (count × 3 × 32 × 32) and labels
 * @throws UserError that names file and record
 */
export function parseCifar(
  files: readonly NamedBytes[],
  format: CifarFormat,
): { images: Uint8Array; labels: Uint16Array } {
  const { labelBytes } = format;
  const recordBytes = labelBytes + PIXEL_BYTES;
  for (const { name, bytes } of files) {
    const rest = bytes.length % recordBytes;
    if (bytes.length === 0) throw new UserError(`${name} is empty. Download ${format.name} (binary version) again.`);
    if (rest !== 0) {
      throw new UserError(
        `${name} has ${bytes.length} bytes: ${(bytes.length - rest) / recordBytes} whole ${format.name} records of ` +
          `${recordBytes} bytes and ${rest} bytes more. It was cut short or is of another format: ` +
          `download ${format.name} (binary version) again.`,
      );
    }
  }
  const count = files.reduce((sum, { bytes }) => sum + bytes.length / recordBytes, 0);
  const images = new Uint8Array(count * PIXEL_BYTES);
  const labels = new Uint16Array(count);
  let image = 0;
  for (const { name, bytes } of files) {
    for (let start = 0; start < bytes.length; start += recordBytes, image++) {
      const pixels = start + labelBytes;
      const label = bytes[pixels - 1] as number;
      if (label >= format.classCount) {
        throw new UserError(
          `${name}, record ${start / recordBytes}: label ${label}, but ${format.name} has classes 0 to ` +
            `${format.classCount - 1}. The file is damaged or of another format: ` +
            `download ${format.name} (binary version) again.`,
        );
      }
      labels[image] = label;
      images.set(bytes.subarray(pixels, pixels + PIXEL_BYTES), image * PIXEL_BYTES);
    }
  }
  return { images, labels };
}

/** The names of the classes, one a line. @throws UserError where there are too few or too many */
export function parseClassNames({ name, bytes }: NamedBytes, format: CifarFormat): string[] {
  const classes = new TextDecoder()
    .decode(bytes)
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');
  if (classes.length !== format.classCount) {
    throw new UserError(
      `${name} names ${classes.length} classes, but ${format.name} has ${format.classCount}, one a line. ` +
        `Download ${format.name} (binary version) again.`,
    );
  }
  return classes;
}

/** The whole set from its files. */
export function cifarSet(
  files: { readonly train: readonly NamedBytes[]; readonly test: NamedBytes; readonly classNames: NamedBytes },
  format: CifarFormat,
): TrainTest<ImageSet> {
  const classes = parseClassNames(files.classNames, format);
  return cifarTrainTest(format, classes, parseCifar(files.train, format), parseCifar([files.test], format));
}

type ImagesAndLabels = Pick<ImageSet, 'images' | 'labels'>;

/** Mean and deviation of both halves are the training images'. */
export function cifarTrainTest(
  { name }: CifarFormat,
  classes: readonly string[],
  train: ImagesAndLabels,
  test: ImagesAndLabels,
): TrainTest<ImageSet> {
  const common = { ...SHAPE, name, classes, ...channelStatistics(train.images, SHAPE) };
  return {
    train: { ...common, ...train, count: train.labels.length },
    test: { ...common, ...test, count: test.labels.length },
  };
}
