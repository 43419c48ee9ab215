import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readImages, type TrainTest } from '../data/imageSet';
import type { ImageTree } from '../data/sources/imageTree';
import { parquetFile, tarFile, type ParquetRow } from '../testing/packedImages';
import { halves, writeTree } from '../testing/testImages';
import { spawnTrain } from '../testing/spawnTrain';
import { TINY } from '../testing/tinyRun';
import { findImageSet, loadImageSets } from './loadImageSet';

/* Parquet files and WebDataset shards: they are the folders of the same pictures, bit for bit. */

const base = mkdtempSync(join(tmpdir(), 'palimpsest-'));
afterAll(() => rmSync(base, { recursive: true }));
const at = (path: string): string => join(base, path);

const CLASSES = ['even', 'odd'];
const IMAGES = Array.from({ length: 24 }, (_, index) => ({
  label: index < 20 ? Number(index >= 10) : Number(index >= 22),
  name: `${String(index).padStart(2, '0')}.png`,
  bytes: new Uint8Array(halves(24, 24, [10 * index, 99, 0], [0, 99, 250 - 10 * index])),
}));
/** In the order of folders. */
const [TRAIN, TEST] = [IMAGES.slice(0, 20), IMAGES.slice(20)];

const rows = (images: typeof IMAGES): ParquetRow[] =>
  images.map(({ bytes, name, label }) => ({ bytes, path: name, label }));
const samples = (images: typeof IMAGES): (readonly [string, Uint8Array | string])[] =>
  images.flatMap(({ bytes, name, label }) => [
    [`./${name.replace('.png', '.cls')}`, `${label}\n`],
    [`./${name}`, bytes],
    [`./${name.replace('.png', '.json')}`, '{}'],
  ]);

beforeAll(async () => {
  const folders = IMAGES.map(
    ({ name, bytes, label }, index) =>
      [`folders/${index < 20 ? 'train' : 'val'}/${CLASSES[label] ?? ''}/${name}`, Buffer.from(bytes)] as const,
  );
  const options = { names: CLASSES, rowGroupSize: 3 };
  await writeTree(base, {
    ...Object.fromEntries(folders),
    'hub/README.md': '# A set',
    'hub/data/train-00000-of-00002.parquet': parquetFile(rows(TRAIN.slice(0, 13)), options),
    'hub/data/train-00001-of-00002.parquet': parquetFile(rows(TRAIN.slice(13)), options),
    'hub/data/test-00000-of-00001.parquet': parquetFile(rows(TEST), options),
    'shards/set-train-000000.tar': await tarFile(samples(TRAIN.slice(0, 7))),
    'shards/set-train-000001.tar': await tarFile(samples(TRAIN.slice(7))),
    'shards/set-val-000000.tar': await tarFile(samples(TEST)),
    'shards/classnames.txt': CLASSES.join('\n'),
    'tiny.json': JSON.stringify({ ...TINY, logging: { ...TINY.logging, logEvery: 2 } }),
  });
});

async function treeAt(path: string, labelColumn?: string): Promise<ImageTree> {
  const found = await findImageSet(at(path), { labelColumn });
  if (found.kind !== 'tree') throw new Error(`${path} is ${found.kind}`);
  return found.tree;
}

const SETS = ['hub', 'hub/data', 'shards'];

describe('a packed set', () => {
  it.each(SETS)('%s has the images, classes and statistics of the folders', async (path) => {
    const wanted = await loadImageSets(at('folders'), { image: 16 });
    const found = await loadImageSets(at(path), { image: 16 });
    const all = ({ train }: TrainTest): Promise<Uint8Array> =>
      readImages(
        train,
        Uint32Array.from({ length: train.count }, (_, index) => index),
      );
    expect(found.train.classes).toEqual(CLASSES);
    expect([...found.train.labels]).toEqual([...wanted.train.labels]);
    expect([...found.test.labels]).toEqual([...wanted.test.labels]);
    expect(found.train.mean).toEqual(wanted.train.mean);
    expect(await all(found)).toEqual(await all(wanted));
    expect(found.test.images).toEqual(wanted.test.images);
  });

  it.each([
    ['shards', []],
    ['hub', ['--stream', 'yes']],
  ])('%s trains the same bits', async (path, options) => {
    const train = (data: string, out: string, ...args: string[]): ReturnType<typeof spawnTrain> =>
      spawnTrain(['--config', 'tiny.json', '--statistics', 'imagenet', '--data', data, '--out', out, ...args], {
        cwd: base,
      });
    const metrics = (run: string): string =>
      readFileSync(at(`${run}/metrics.jsonl`), 'utf8').replace(/,"(imagesPerSecond|waiting)":[^,}]*/g, '');
    expect(await train('folders', `from-folders-${path}`)).toMatchObject({ code: 0, err: '' });
    const packed = await train(path, `from-${path}`, ...options);
    expect(packed).toMatchObject({ code: 0, err: '' });
    expect(packed.out).toMatch(/20 images to train on and 4 held out, .*2 classes/);
    expect(metrics(`from-${path}`)).toBe(metrics(`from-folders-${path}`));
  });
});

describe('parquet', () => {
  it('is read from one file, of which a tenth of each class is held out', async () => {
    await writeTree(base, { 'one.parquet': parquetFile(rows(IMAGES), { names: CLASSES }) });
    const { root, classes, train, test, notes } = await treeAt('one.parquet');
    expect([root.name, classes, train.paths.length, test.paths.length]).toEqual(['one.parquet', CLASSES, 22, 2]);
    expect(notes.join('; ')).toMatch(/column 'image', classes from 'label'.*a tenth of each class is/);
  });

  it('takes names as classes, bytes without paths, columns by other names, and pictures beside it', async () => {
    const named = TRAIN.map(({ bytes, label }) => ({ bytes, label: ['zebra', 'ant'][label] as string }));
    const beside = TRAIN.map(({ name, label }) => ({ path: `pictures/${name}`, label }));
    await writeTree(base, {
      'named/train.parquet': parquetFile(named, { bare: 'photo', labelColumn: 'animal' }),
      'beside/train.parquet': parquetFile(beside),
      ...Object.fromEntries(TRAIN.map(({ name, bytes }) => [`beside/pictures/${name}`, Buffer.from(bytes)])),
    });
    const tree = await treeAt('named', 'animal');
    expect(tree.classes).toEqual(['ant', 'zebra']);
    expect([...new Set(tree.train.labels)]).toEqual([0, 1]);
    expect((await treeAt('named')).classes).toEqual(['images']);
    const pictures = await treeAt('beside');
    expect(new Uint8Array((await pictures.bytes?.(pictures.train.paths[0] as string)) ?? [])).toEqual(TRAIN[0]?.bytes);
  });

  it('leaves out held-out rows without a class', async () => {
    const hidden = TEST.map((image) => ({ ...image, label: -1 }));
    const some = TEST.map((image, index) => (index === 0 ? { ...image, label: -1 } : image));
    await writeTree(base, {
      'blind/train.parquet': parquetFile(rows(TRAIN)),
      'blind/validation.parquet': parquetFile(rows(some)),
      'blind/test.parquet': parquetFile(rows(hidden)),
      'blinder/train.parquet': parquetFile(rows(TRAIN)),
      'blinder/test.parquet': parquetFile(rows(hidden)),
    });
    const blind = await treeAt('blind');
    expect([blind.classes, blind.test.paths.length]).toEqual([['0', '1'], 3]);
    expect(blind.notes.join('; ')).toMatch(/left out: 1 held-out image without a class/);
    const blinder = await treeAt('blinder');
    expect(blinder.test.paths.length).toBe(2);
    expect(blinder.notes.join('; ')).toMatch(/left out: 4 images of a held-out part that tells no classes/);
  });

  it('is refused where it is damaged, holds no images, or several sets', async () => {
    const whole = parquetFile(rows(TRAIN));
    await writeTree(base, {
      'cut/train.parquet': whole.slice(0, whole.length / 2),
      'texts/train.parquet': parquetFile(
        TRAIN.map(({ name, label }) => ({ path: name, label })),
        { labelColumn: 'text' },
      ),
      'several/a/train.parquet': whole,
      'several/b/train.parquet': whole,
      'half/train.parquet': whole,
      'half/other.parquet': whole,
      'gap/train.parquet': parquetFile(TRAIN.map((image, index) => ({ ...image, label: index === 3 ? null : 0 }))),
      'alien/train.parquet': parquetFile(rows(TRAIN.slice(0, 10))),
      'alien/test.parquet': parquetFile(rows(TEST)),
    });
    await expect(treeAt('cut')).rejects.toThrow(/cut\/train\.parquet is damaged, cut short, or no parquet file/);
    await expect(treeAt('texts', 'kind')).rejects.toThrow(/--label-column kind: .* has the columns image, text/);
    await expect(treeAt('several')).rejects.toThrow(/holds several sets \(a, b\)/);
    await expect(treeAt('half')).rejects.toThrow(/the name of other\.parquet does not say which part/);
    await expect(treeAt('gap')).rejects.toThrow(/gap\/train\.parquet#3 has no class/);
    await expect(treeAt('alien')).rejects.toThrow(
      /test\.parquet#2 is of the class 1, which no image to train on is of/,
    );
  });
});

describe('a WebDataset', () => {
  it('is read from one shard', async () => {
    await writeTree(base, { 'one.tar': await tarFile(samples(IMAGES)) });
    const { classes, train, test } = await treeAt('one.tar');
    expect([classes, train.paths.length, test.paths.length]).toEqual([['0', '1'], 22, 2]);
  });

  it('is refused where a class is none, or a shard is damaged', async () => {
    const good = await tarFile(samples(TRAIN));
    await writeTree(base, {
      'unclear/train-0.tar': await tarFile([
        ['1.png', TRAIN[0]?.bytes as Uint8Array],
        ['1.cls', ''],
      ]),
      'torn/train-0.tar': good,
      'torn/train-1.tar': good.slice(0, 3000),
    });
    await expect(treeAt('unclear')).rejects.toThrow(/train-0\.tar\/1\.cls holds no class/);
    await expect(treeAt('torn')).rejects.toThrow(/train-1\.tar is damaged, or no tar archive: it ends too early/);
  });
});
