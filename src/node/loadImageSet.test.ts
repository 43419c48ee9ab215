import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { pack } from 'tar-stream';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { pickledBatch, pickledNames } from '../testing/cifarPickle.samples';
import type { ImageSet, TrainTest } from '../data/imageSet';
import { UserError } from '../common/userError';
import { findImageSet } from './loadImageSet';

type Files = Readonly<Record<string, Uint8Array | string>>;

function record(labels: readonly number[], value: number): Uint8Array {
  return Uint8Array.from([...labels, ...new Array<number>(3072).fill(value)]);
}

const names = (count: number): string => Array.from({ length: count }, (_, index) => `class${index}\n`).join('');

const CIFAR_10_FILES: Files = {
  'data_batch_1.bin': record([3], 10),
  'data_batch_2.bin': record([7], 20),
  'test_batch.bin': record([9], 30),
  'batches.meta.txt': names(10),
  'readme.html': '<p>',
};

const CIFAR_100_FILES: Files = {
  'train.bin': record([1, 98], 10),
  'test.bin': record([2, 0], 30),
  'fine_label_names.txt': names(100),
  'coarse_label_names.txt': names(20),
};

const PYTHON_10_FILES: Files = {
  data_batch_1: pickledBatch(
    { labels: [3] },
    Uint8Array.from({ length: 3072 }, () => 10),
  ),
  data_batch_2: pickledBatch(
    { labels: [7] },
    Uint8Array.from({ length: 3072 }, () => 20),
  ),
  test_batch: pickledBatch(
    { labels: [9] },
    Uint8Array.from({ length: 3072 }, () => 30),
  ),
  'batches.meta': pickledNames('label_names', 10),
};

const PYTHON_100_FILES: Files = {
  train: pickledBatch(
    { coarse_labels: [1], fine_labels: [98] },
    Uint8Array.from({ length: 3072 }, () => 10),
  ),
  test: pickledBatch(
    { coarse_labels: [2], fine_labels: [0] },
    Uint8Array.from({ length: 3072 }, () => 30),
  ),
  meta: pickledNames('fine_label_names', 100),
};

let folder = '';

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'image-set-'));
});
afterEach(() => rm(folder, { recursive: true }));

async function write(files: Files, ...under: string[]): Promise<string> {
  const target = join(folder, ...under);
  await mkdir(target, { recursive: true });
  for (const [name, content] of Object.entries(files)) await writeFile(join(target, name), content);
  return target;
}

async function tar(files: Files, prefix: string): Promise<Buffer> {
  const archive = pack();
  archive.entry({ name: prefix, type: 'directory' });
  for (const [name, content] of Object.entries(files)) archive.entry({ name: prefix + name }, Buffer.from(content));
  archive.finalize();
  const chunks: Buffer[] = [];
  for await (const chunk of archive) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

async function loadImageSet(path: string): Promise<TrainTest<ImageSet>> {
  const found = await findImageSet(path);
  if (found.kind !== 'cifar') throw new Error('not a CIFAR');
  return await found.load();
}

async function failure(path: string): Promise<string> {
  const error: unknown = await loadImageSet(path).catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(UserError);
  return (error as UserError).message;
}

function without(files: Files, ...left: string[]): Files {
  return Object.fromEntries(Object.entries(files).filter(([name]) => !left.includes(name)));
}

describe('findImageSet', () => {
  it('loads the folder of CIFAR-10', async () => {
    const { train, test } = await loadImageSet(await write(CIFAR_10_FILES));
    expect(train).toMatchObject({ name: 'CIFAR-10', count: 2, width: 32, height: 32, channels: 3 });
    expect([...train.labels]).toEqual([3, 7]);
    expect([train.images[0], train.images[3072]]).toEqual([10, 20]);
    expect([...test.labels]).toEqual([9]);
    expect(train.classes[9]).toBe('class9');
    expect(train.mean[0]).toBeCloseTo(15 / 255, 15);
  });

  it('loads the folder of CIFAR-100, also one level down', async () => {
    await write(CIFAR_100_FILES, 'cifar-100-binary');
    await write({ 'notes.txt': 'x' }, 'other');
    const { train, test } = await loadImageSet(folder);
    expect(train).toMatchObject({ name: 'CIFAR-100', count: 1 });
    expect([...train.labels, ...test.labels]).toEqual([98, 0]);
  });

  it.each([
    ['cifar-10-binary.tar.gz', CIFAR_10_FILES, 'cifar-10-batches-bin/'],
    ['cifar-10-binary.tgz', CIFAR_10_FILES, './cifar-10-batches-bin/'],
    ['cifar-100-binary.tar', CIFAR_100_FILES, 'cifar-100-binary/'],
    ['flat.tar.gz', CIFAR_100_FILES, './'],
  ])('loads the archive %s like its folder', async (name, files, prefix) => {
    const bytes = await tar(files, prefix);
    const path = join(folder, name);
    await writeFile(path, name.endsWith('.tar') ? bytes : gzipSync(bytes));
    expect(await loadImageSet(path)).toEqual(await loadImageSet(await write(files, 'folder')));
  });

  it.each([
    ['CIFAR-10', 'cifar-10-python.tar.gz', PYTHON_10_FILES, CIFAR_10_FILES],
    ['CIFAR-100', 'cifar-100-python.tar.gz', PYTHON_100_FILES, CIFAR_100_FILES],
  ])(
    'finds in the python version of %s what is in the binary one, as a folder and as an archive',
    async (_, name, python, binary) => {
      const wanted = await loadImageSet(await write(binary, 'binary'));
      expect(await loadImageSet(await write(python, 'python'))).toEqual(wanted);
      await writeFile(join(folder, name), gzipSync(await tar(python, 'cifar-python/')));
      expect(await loadImageSet(join(folder, name))).toEqual(wanted);
    },
  );

  it('numbers more than nine batches by value', async () => {
    const batches = Object.fromEntries(
      Array.from({ length: 10 }, (_, index) => [`data_batch_${index + 1}.bin`, record([index], index)]),
    );
    const { train } = await loadImageSet(await write({ ...CIFAR_10_FILES, ...batches }));
    expect([...train.labels]).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  });

  it('says that nothing is there', async () => {
    const path = join(folder, 'nowhere');
    expect(await failure(path)).toMatch(
      `--data: ${path} cannot be opened: there is no such file or folder. Expected CIFAR-10`,
    );
  });

  it.each<[string, Files, RegExp]>([
    ['an empty folder', {}, /holds no image set: it is empty\. Expected/],
    ['some other folder', { 'a.pdf': '', 'b.pdf': '' }, /it contains a\.pdf, b\.pdf\. Expected/],
    [
      'half of the python version',
      { data_batch_1: '', 'batches.meta': '' },
      /like CIFAR-10, but test_batch is missing.*python version/,
    ],
    ['half of that of CIFAR-100', { train: '', meta: '' }, /like CIFAR-100, but test is missing.*python version/],
    ['no pickle', { train: 'x', test: 'y', meta: 'z' }, /Cannot read .*meta/],
    ['a packed archive', { 'cifar-10-binary.tar.gz': '' }, /contains cifar-10-binary\.tar\.gz; give .*tar\.gz to load/],
    ['no test images', without(CIFAR_10_FILES, 'test_batch.bin'), /like CIFAR-10, but test_batch\.bin is missing/],
    ['no class names', without(CIFAR_100_FILES, 'fine_label_names.txt'), /but fine_label_names\.txt is missing/],
    ['no training images', without(CIFAR_100_FILES, 'train.bin'), /but train\.bin is missing/],
    ['a batch left out', without(CIFAR_10_FILES, 'data_batch_1.bin'), /but data_batch_1\.bin is missing/],
    ['a damaged file', { ...CIFAR_10_FILES, 'test_batch.bin': 'xx' }, /test_batch\.bin has 2 bytes/],
  ])('says what is wrong with %s', async (_, files, message) => {
    expect(await failure(await write(files))).toMatch(message);
  });

  it('asks which of two sets is meant', async () => {
    await write(CIFAR_10_FILES, 'ten');
    await write(CIFAR_100_FILES, 'hundred');
    expect(await failure(folder)).toMatch(/several image sets \(CIFAR-100 in .*hundred, CIFAR-10 in .*ten\)/);
  });

  it('reads an archive by what is in it, whatever it is called, also of several gzip members', async () => {
    const wanted = await loadImageSet(await write(CIFAR_10_FILES, 'folder'));
    const bytes = await tar(CIFAR_10_FILES, 'x/');
    const halved = [bytes.subarray(0, 5000), bytes.subarray(5000)].map((part) => gzipSync(part));
    for (const [name, content] of [
      ['unpacked.tar.gz', bytes],
      ['packed.tar', gzipSync(bytes)],
      ['download', gzipSync(bytes)],
      ['members.tgz', Buffer.concat(halved)],
    ] as const) {
      await writeFile(join(folder, name), content);
      expect(await loadImageSet(join(folder, name))).toEqual(wanted);
    }
  });

  it('says of an archive in an archive and of other kinds that they are to be unpacked', async () => {
    const nested = join(folder, 'nested.tar.gz');
    await writeFile(nested, gzipSync(await tar({ 'cifar-10-binary.tar': 'x' }, '')));
    expect(await failure(nested)).toMatch(/contains an archive, cifar-10-binary\.tar\. Unpack .*nested\.tar\.gz first/);
    for (const [name, begin] of [
      ['cifar.zip', 'PK\x03\x04'],
      ['cifar.tar.xz', '\xfd7zXZ'],
      ['cifar.tar.gz', 'BZh9'],
    ] as const) {
      await writeFile(join(folder, name), Buffer.from(begin, 'latin1'));
      expect(await failure(join(folder, name))).toMatch(/cifar\S* is (a ZIP archive|packed by \w+)\. Unpack it first/);
    }
  });

  it('says of a stray batch what is missing, in a line', async () => {
    expect((await failure(await write({ ...CIFAR_10_FILES, 'data_batch_99.bin': '' }))).length).toBeLessThan(300);
  });

  it('refuses a file that is no archive, and one cut short', async () => {
    const plain = join(folder, 'model.bin');
    await writeFile(plain, 'x');
    expect(await failure(plain)).toMatch(/neither a folder nor a \.tar\.gz archive/);

    const archive = await tar(CIFAR_10_FILES, 'x/');
    const zipped = gzipSync(archive);
    for (const [name, bytes] of [
      ['cut.tar.gz', zipped.subarray(0, zipped.length / 2)],
      ['text.tar.gz', Buffer.from('not a gzip file')],
      ['cut.tar', archive.subarray(0, 5000)],
    ] as const) {
      const path = join(folder, name);
      await writeFile(path, bytes);
      expect(await failure(path)).toMatch(`--data: ${path} cannot be unpacked`);
    }
  });
});
