import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { pack } from 'tar-stream';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CIFAR_10 } from '../../data/sources/cifar';
import type { DetectedDataset } from '../../data/sources/datasetDetection';
import { digestImages } from '../../data/imageSet';
import { findImageSet } from '../../node/loadImageSet';
import { writeTree } from '../../testing/testImages';
import { parquetFile, tarFile } from '../../testing/packedImages';
import { GivenTree, findImages, type GivenImages, type PlacedFile } from './givenImages';

/* A page finds among files what Node finds in the folder that they are of. */

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'given-'));
});
afterAll(() => rm(folder, { recursive: true }));

const placed = (path: string, bytes: Uint8Array | string): PlacedFile => ({
  path,
  file: new File([bytes as Uint8Array<ArrayBuffer>], path.split('/').at(-1) ?? ''),
});
const given = (name: string, files: Readonly<Record<string, Uint8Array | string>>): GivenImages => ({
  name,
  files: Object.entries(files).map(([path, bytes]) => placed(path, bytes)),
});

const records = (count: number, first: number): Uint8Array =>
  Uint8Array.from({ length: count * 3073 }, (_, at) =>
    at % 3073 === 0 ? (first + at / 3073) % 10 : (at * 31 + first) % 251,
  );
const CIFAR = {
  'data_batch_1.bin': records(12, 0),
  'data_batch_2.bin': records(9, 5),
  'test_batch.bin': records(6, 3),
  'batches.meta.txt': Array.from({ length: CIFAR_10.classCount }, (_, index) => `class ${index}\n`).join(''),
};

/** @param members parts that are packed each for itself */
async function archive(cut = Infinity, members = 1): Promise<Uint8Array> {
  const tar = pack();
  for (const [name, content] of Object.entries(CIFAR))
    tar.entry({ name: `cifar-10-batches-bin/${name}` }, Buffer.from(content));
  tar.entry({ name: 'cifar-10-batches-bin/readme.html' }, 'no part of it');
  tar.finalize();
  const parts: Buffer[] = [];
  for await (const part of tar as AsyncIterable<Buffer>) parts.push(part);
  const whole = Buffer.concat(parts);
  const length = Math.ceil(whole.length / members);
  const packed = Array.from({ length: members }, (_, at) => gzipSync(whole.subarray(at * length, (at + 1) * length)));
  return Buffer.concat(packed).subarray(0, cut);
}

async function digests(found: DetectedDataset): Promise<string[]> {
  if (found.kind !== 'cifar') throw new Error('It is no CIFAR.');
  const { train, test } = await found.load();
  return [await digestImages(train), await digestImages(test)];
}

describe('images given to a page', () => {
  it('are CIFAR to the bit: in a folder, below one, as files and as the archive', async () => {
    await writeTree(join(folder, 'cifar'), CIFAR);
    const inNode = await digests(await findImageSet(join(folder, 'cifar')));
    expect(await digests(await findImages(given('cifar', CIFAR)))).toEqual(inNode);
    const below = Object.fromEntries(
      Object.entries(CIFAR).map(([name, content]) => [`cifar-10-batches-bin/${name}`, content]),
    );
    expect(await digests(await findImages(given('data', below)))).toEqual(inNode);
    for (const packed of [await archive(), await archive(Infinity, 3), gunzipSync(await archive())])
      expect(await digests(await findImages(given('cifar.tar.gz', { 'cifar.tar.gz': packed })))).toEqual(inNode);
  });

  it('are the tree that Node finds: classes, files, labels, sizes, and what is held out', async () => {
    const image = (path: string): [string, string] => [path, path];
    const trees = {
      split: Object.fromEntries(
        [
          'train/b/1.png',
          'train/a/2.JPEG',
          'train/a/deeper/3.webp',
          'val/a/4.png',
          'val/b/5.png',
          'train/a/notes.txt',
        ].map(image),
      ),
      whole: Object.fromEntries(
        Array.from({ length: 40 }, (_, at) => image(`${at % 2 === 0 ? 'cats' : 'dogs'}/${at}.png`)),
      ),
      tiny: {
        ...Object.fromEntries(
          [
            'train/n02/images/n02_0.JPEG',
            'train/n01/images/n01_0.JPEG',
            'val/images/val_0.JPEG',
            'val/images/val_1.JPEG',
          ].map(image),
        ),
        'val/val_annotations.txt': 'val_0.JPEG\tn02\t0\t0\t9\t9\nval_1.JPEG\tn01\t0\t0\t9\t9\n',
        'words.txt': 'n01\tgoldfish\nn02\tbullfrog\n',
      },
    };
    for (const [name, files] of Object.entries(trees)) {
      await writeTree(join(folder, name), files);
      const [here, inNode] = [await findImages(given(name, files)), await findImageSet(join(folder, name))];
      if (here.kind !== 'tree' || inNode.kind !== 'tree') throw new Error('It is no tree.');
      const { classes, train, test } = inNode.tree;
      expect(here.tree).toMatchObject({ classes, train, test });
      expect(here.tree.root.name).toBe(name);
    }
    const rows = Object.values(trees.whole).map((text, label) => ({
      bytes: new TextEncoder().encode(text),
      label: label % 2,
    }));
    const packed = {
      hub: { 'data/train-0.parquet': Buffer.from(parquetFile(rows, { names: ['cat', 'dog'] })) },
      shards: {
        'train-0.tar': Buffer.from(
          await tarFile(
            rows.flatMap(({ bytes, label }, at) => [
              [`${at}.png`, bytes],
              [`${at}.cls`, String(label)],
            ]),
          ),
        ),
      },
    };
    for (const [name, files] of Object.entries(packed)) {
      await writeTree(join(folder, name), files);
      const [here, inNode] = [await findImages(given(name, files)), await findImageSet(join(folder, name))];
      if (here.kind !== 'tree' || inNode.kind !== 'tree') throw new Error('It is no set of images.');
      const { classes, train, test } = inNode.tree;
      expect(here.tree).toMatchObject({ classes, train, test });
      expect(await here.tree.bytes?.(train.paths[3] as string)).toEqual(
        new Uint8Array((await inNode.tree.bytes?.(train.paths[3] as string)) ?? []),
      );
    }
    const nested = Object.fromEntries(Object.entries(trees.split).map(([path, content]) => [`set/${path}`, content]));
    const found = await findImages(given('outer', nested));
    expect(
      found.kind === 'tree' && [
        found.tree.root.path,
        found.tree.train.paths[0],
        found.tree.root instanceof GivenTree && (await found.tree.root.text('train/b/1.png')),
      ],
    ).toEqual(['outer/set', 'train/a/2.JPEG', 'train/b/1.png']);
  });

  it.each<[string, () => Promise<GivenImages>, RegExp]>([
    [
      'nothing',
      () => Promise.resolve(given('empty', {})),
      /^--data: empty holds no image set: it is empty\. Expected CIFAR-10/,
    ],
    [
      'other files',
      () => Promise.resolve(given('papers', { 'a.pdf': 'x' })),
      /^--data: papers holds no image set: it contains a\.pdf/,
    ],
    [
      'pictures of another kind',
      () => Promise.resolve(given('phone', { 'holiday/1.heic': 'x' })),
      /^--data: phone holds no JPEG, PNG or WebP file\. left out: .*1 \.heic\. HEIC is not read/,
    ],
    [
      'a part of CIFAR',
      () => Promise.resolve(given('part', { 'data_batch_1.bin': CIFAR['data_batch_1.bin'] })),
      /part looks like CIFAR-10, but test_batch\.bin and batches\.meta\.txt are missing/,
    ],
    [
      'an archive that was cut short',
      async () => given('cut.tar.gz', { 'cut.tar.gz': await archive(200) }),
      /^cut\.tar\.gz cannot be unpacked: .* It is damaged or was cut short/,
    ],
    [
      'what is no archive',
      () => Promise.resolve(given('text.tar', { 'text.tar': readFileSync(import.meta.filename) })),
      /^text\.tar cannot be unpacked/,
    ],
  ])('say what is wrong with %s', async (_, make, message) => {
    const refused = async (): Promise<void> => {
      const found = await findImages(await make());
      if (found.kind === 'cifar') await found.load();
    };
    await expect(refused()).rejects.toThrow(message);
  });
});
