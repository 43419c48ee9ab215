import { UserError } from '../../common/userError';
import { CIFAR_10, CIFAR_100, cifarSet, type CifarFormat, type NamedBytes } from './cifar';
import { cifarPickleSet } from './cifarPickle';
import type { ImageSet, TrainTest } from '../imageSet';

/** Files of one folder, wherever it lies: on disk or in an archive. */
export interface Folder {
  readonly path: string;
  readonly names: readonly string[];
  read(name: string): Promise<Uint8Array>;
}

/** A version of a set, as some folder holds it. */
export interface CifarVersion {
  readonly format: CifarFormat;
  readonly isPython: boolean;
}

/** Which set a folder holds, judged by any of its training files: what else is missing is said later, by name. */
export function cifarIn(names: readonly string[]): CifarVersion | undefined {
  const has = (pattern: RegExp): boolean => names.some((name) => pattern.test(name));
  if (has(/^data_batch_\d+\.bin$/) || names.includes(CIFAR_10.testFile)) return { format: CIFAR_10, isPython: false };
  if (names.includes('train.bin') || names.includes(CIFAR_100.testFile)) return { format: CIFAR_100, isPython: false };
  if (has(/^data_batch_\d+$/) || names.includes(CIFAR_10.python.classFile)) return { format: CIFAR_10, isPython: true };
  // These names alone would say little.
  if (['train', 'test', 'meta'].filter((name) => names.includes(name)).length >= 2)
    return { format: CIFAR_100, isPython: true };
  return undefined;
}

/** @throws UserError that names what is missing or damaged */
export async function loadCifar(folder: Folder, { format, isPython }: CifarVersion): Promise<TrainTest<ImageSet>> {
  const version = isPython ? 'python version' : 'binary version';
  const { testFile, classFile } = isPython ? format.python : format;
  const ending = isPython ? '' : '.bin';
  const trainNames = format === CIFAR_10 ? batchNames(folder, ending) : [`train${ending}`];
  const missing = [...trainNames, testFile, classFile].filter((name) => !folder.names.includes(name));
  if (missing.length > 0) {
    const named =
      missing.length > 3
        ? `${missing.slice(0, 2).join(', ')} and ${missing.length - 2} more files`
        : missing.join(' and ');
    const gone = `${named} ${missing.length > 1 ? 'are' : 'is'} missing`;
    throw new UserError(
      `${folder.path} looks like ${format.name}, but ${gone}. Unpack ${format.name} (${version}) again, or give its archive.`,
    );
  }
  const read = async (name: string): Promise<NamedBytes> => ({
    name: `${folder.path}/${name}`,
    bytes: await folder.read(name),
  });
  const train = await Promise.all(trainNames.map(read));
  const files = { train, test: await read(testFile), classNames: await read(classFile) };
  return isPython ? cifarPickleSet(files, format) : cifarSet(files, format);
}

/** data_batch_1 up to the highest number there is, so that one left out in between is noticed. */
function batchNames({ names }: Folder, ending: string): string[] {
  const numbers = names.map((name) => Number(/^data_batch_(\d+)(?:\.bin)?$/.exec(name)?.[1] ?? 0));
  return Array.from({ length: Math.max(1, ...numbers) }, (_, index) => `data_batch_${index + 1}${ending}`);
}

/** Whether a file of an archive may belong to a set, by its name alone: what may not need not be kept. */
export function mayBeOfCifar(name: string): boolean {
  return /\.(bin|txt)$/.test(name) || /^(data_batch_\d+|test_batch|batches\.meta|train|test|meta)$/.test(name);
}
