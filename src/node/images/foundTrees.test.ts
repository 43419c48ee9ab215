import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { describeClasses } from '../../data/sources/fileTree';
import { findImageTree, type ImageFiles, type ImageTree } from '../../data/sources/imageTree';
import { writeTree } from '../../testing/testImages';
import { TreeOnDisk } from './fileTree';

/* Folders as people have them: what of them is taken for classes, parts and images, and what is said of the rest. */

let folder = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'found-'));
});
afterEach(() => rm(folder, { recursive: true }));

const find = async (): Promise<ImageTree> => (await findImageTree(new TreeOnDisk(folder))) as ImageTree;

async function found(...paths: string[]): Promise<ImageTree> {
  await writeTree(folder, Object.fromEntries(paths.map((path) => [path, path])));
  return await find();
}

/** Images of each class, in both parts. */
function counts({ classes, train, test }: ImageTree): Record<string, [train: number, test: number]> {
  const of = ({ labels }: ImageFiles, label: number): number => labels.filter((each) => each === label).length;
  return Object.fromEntries(classes.map((name, label) => [name, [of(train, label), of(test, label)]]));
}

const numbered = (start: string, count: number): string[] =>
  Array.from({ length: count }, (_, i) => `${start}/${i}.jpg`);

describe('a class of the name of a part', () => {
  it.each([
    ['with its images in a folder', ['bus/images', 'car/images', 'train/images']],
    ['with its images in it', ['bus', 'car', 'train']],
    ['beside one called test', ['bus', 'test', 'train']],
  ])('is a class among others: %s', async (_, places) => {
    const tree = await found(...places.flatMap((place) => numbered(place, 4)));
    const names = places.map((place) => place.split('/')[0] as string);
    expect(counts(tree)).toEqual(Object.fromEntries(names.map((name) => [name, [3, 1]])));
  });

  it('is the part where it holds classes, and what lies beside it is named', async () => {
    const tree = await found(
      ...numbered('train/ant', 3),
      ...numbered('train/bee', 3),
      ...numbered('val/ant', 1),
      'extra/1.jpg',
    );
    expect(counts(tree)).toEqual({ ant: [3, 1], bee: [3, 0] });
    expect(tree.notes.join()).toMatch(/left out: .*extra: 1 image beside the parts of the set/);
  });

  it('is a class that lies in a folder of its own', async () => {
    const tree = await found(...numbered('2022/holiday', 2), ...numbered('2023/train', 2));
    expect(counts(tree)).toEqual({ 2022: [1, 1], 2023: [1, 1] });
  });
});

describe('parts by other names', () => {
  it.each([
    ['Train', 'Test'],
    ['TRAIN', 'VAL'],
    ['training', 'validation'],
    ['training_set', 'test_set'],
    ['trainset', 'testset'],
    ['seg_train', 'seg_test'],
    ['seg_train/seg_train', 'seg_test/seg_test'],
    ['train2017', 'val2017'],
    ['train_images', 'dev'],
  ])('are read: %s and %s', async (train, held) => {
    const tree = await found(
      ...['ant', 'bee'].flatMap((name) => [...numbered(`${train}/${name}`, 3), ...numbered(`${held}/${name}`, 1)]),
    );
    expect(counts(tree)).toEqual({ ant: [3, 1], bee: [3, 1] });
  });

  it('are pointed out where they are not plain', async () => {
    const tree = await found(
      ...['ant', 'bee'].flatMap((name) => [...numbered(`fold1/${name}`, 2), ...numbered(`fold2/${name}`, 2)]),
    );
    expect(Object.keys(counts(tree))).toEqual(['fold1', 'fold2']);
    expect(tree.notes.join()).toMatch(
      /fold1, fold2 are taken as classes, and hold folders of the same names \(ant, bee\).*train and val/,
    );
  });

  it('of which the held-out one has no classes are left out with a word', async () => {
    const tree = await found(...numbered('train/ant', 20), ...numbered('train/bee', 20), ...numbered('test', 5));
    expect(counts(tree)).toEqual({ ant: [18, 2], bee: [18, 2] });
    expect(tree.notes.join()).toMatch(/left out: .*test: 5 images in no folder of a class/);
  });

  it('may both be without classes', async () => {
    expect(counts(await found(...numbered('train', 3), ...numbered('val', 2)))).toEqual({ images: [3, 2] });
  });
});

describe('Tiny-ImageNet’s val', () => {
  const train = ['train/ant/images/1.jpg', 'train/bee/images/1.jpg'];
  const annotations = 'ant0.jpg\tant\t0\t0\t1\t1\r\nbee0.jpg\tbee\t0\t0\t1\t1\r\n';

  it.each([
    ['moved into folders of classes', ['val/ant/ant0.jpg', 'val/bee/bee0.jpg']],
    ['as it is unpacked', ['val/images/ant0.jpg', 'val/images/bee0.jpg']],
    ['moved out of images', ['val/ant0.jpg', 'val/bee0.jpg']],
  ])('is read %s, its list with a mark of byte order', async (_, val) => {
    await mkdir(join(folder, 'val', 'images'), { recursive: true });
    for (const text of [`\uFEFF${annotations}`, Buffer.from(`\uFEFF${annotations}`, 'utf16le')]) {
      await writeFile(join(folder, 'val', 'val_annotations.txt'), text);
      expect(counts(await found(...train, ...val))).toEqual({ ant: [1, 1], bee: [1, 1] });
    }
  });

  it('has the names of words.txt, whatever editor wrote it', async () => {
    await writeFile(join(folder, 'words.txt'), '\uFEFFant\tAnt, the insect\r\nbee\tBee\r\n');
    expect((await found(...train, ...train.map((path) => path.replace('train', 'val')))).classes).toEqual([
      'Ant, the insect',
      'Bee',
    ]);
  });
});

describe('what tools leave in folders', () => {
  it('is left out and named', async () => {
    const tree = await found(
      ...numbered('ant', 10),
      ...numbered('bee', 10),
      '.ipynb_checkpoints/0-checkpoint.jpg',
      'ant/.ipynb_checkpoints/0-checkpoint.jpg',
      '__MACOSX/ant/._0.jpg',
      '@eaDir/0.jpg',
    );
    expect(counts(tree)).toEqual({ ant: [9, 1], bee: [9, 1] });
    expect(tree.notes[0]).toBe(
      'left out: hidden, or left by tools: .ipynb_checkpoints/, @eaDir/, __MACOSX/, ant/.ipynb_checkpoints/',
    );
  });
});

describe('links', () => {
  it('to a folder above are not followed, at any height', async () => {
    await found(...numbered('train/ant', 2), ...numbered('train/bee', 2), 'val/ant/0.jpg');
    await symlink('..', join(folder, 'train/ant/up'));
    await symlink('../../..', join(folder, 'train/bee/outside'));
    await symlink('/', join(folder, 'train/bee/everything'));
    const tree = await find();
    expect(counts(tree)).toEqual({ ant: [2, 1], bee: [2, 0] });
    expect(tree.notes.join()).toMatch(/train\/ant\/up is .*train by a link, which is read already/);
    expect(tree.notes.join()).toMatch(/bee\/outside is a link to .*, above the set/);
  });

  it('to folders elsewhere are followed, each folder once', async () => {
    await found('store/a/1.jpg', 'store/b/1.jpg', 'set/train/x/0.jpg');
    await symlink('../../store/a', join(folder, 'set/train/a'));
    await symlink('../../store/a', join(folder, 'set/train/again'));
    await symlink('x', join(folder, 'set/train/y'));
    await symlink('../../store', join(folder, 'set/train/all'));
    const tree = (await findImageTree(new TreeOnDisk(join(folder, 'set')))) as ImageTree;
    expect([...tree.train.paths, ...tree.test.paths].sort()).toEqual([
      'train/a/1.jpg',
      'train/all/b/1.jpg',
      'train/x/0.jpg',
    ]);
    expect(tree.notes.join()).toMatch(/train\/again is .*train\/a by a link/);
  });

  it('to files are images, and those that lead nowhere are named', async () => {
    await found(...numbered('ant', 2), ...numbered('bee', 2));
    await symlink('../ant/0.jpg', join(folder, 'bee/linked.jpg'));
    await symlink('nowhere.jpg', join(folder, 'bee/lost.jpg'));
    const tree = await find();
    expect(counts(tree)).toEqual({ ant: [1, 1], bee: [2, 1] });
    expect(tree.notes.join()).toMatch(/bee\/lost\.jpg: a link that leads nowhere \(there is no such file or folder\)/);
  });
});

it.runIf(process.platform === 'linux')('a name that is no UTF-8 is passed over and named', async () => {
  await found(...numbered('ant', 2), ...numbered('bee', 2));
  await writeFile(Buffer.concat([Buffer.from(`${folder}/bee/b`), Buffer.from([0xff]), Buffer.from('.jpg')]), 'x');
  const tree = await find();
  expect(counts(tree)).toEqual({ ant: [1, 1], bee: [1, 1] });
  expect(tree.notes.join()).toMatch(/bee\/b\uFFFD\.jpg: its name is no UTF-8\. Rename it/);
});

describe('photographs', () => {
  it('lie at any depth, and files of other kinds are counted', async () => {
    const tree = await found(
      ...numbered('2022/holiday/sea', 10),
      ...numbered('2023', 5),
      ...numbered('2023/01/home', 5),
      'videos/1.MP4',
      ...Array.from({ length: 20 }, (_, i) => `2023/IMG_${i}.HEIC`),
    );
    expect(counts(tree)).toEqual({ 2022: [9, 1], 2023: [9, 1] });
    expect(tree.notes.join('\n')).toMatch(
      /files that are no JPEG, PNG or WebP: 20 \.heic, 1 \.mp4\. HEIC is not read: convert those to JPEG/,
    );
    expect(tree.notes.join('\n')).toMatch(/left out: the folder .*videos, without images/);
  });

  it('may lie in one folder, or beside folders', async () => {
    const name = folder.slice(folder.lastIndexOf('/') + 1);
    expect(counts(await found(...numbered('', 20).map((path) => path.slice(1))))).toEqual({ [name]: [18, 2] });
    expect(counts(await found(...numbered('edited', 2)))).toEqual({ [name]: [18, 2], edited: [1, 1] });
  });
});

it('many files are found in seconds, with word of how many so far', async () => {
  await mkdir(join(folder, 'a/images'), { recursive: true });
  await mkdir(join(folder, 'b'));
  const tree = new TreeOnDisk(folder);
  // 200,000 names in one folder, and as many folders as ImageNet has, without making them.
  const names = Array.from({ length: 200_000 }, (_, i) => `${i}.jpg`);
  const folders = Array.from({ length: 1000 }, (_, i) => `c${i}`);
  tree.list = (place) =>
    Promise.resolve(
      place === ''
        ? { folders: ['big', ...folders], files: [] }
        : { folders: [], files: place === 'big' ? names : ['0.jpg', '1.jpg'] },
    );
  const told: number[] = [];
  const began = performance.now();
  const { train, test, classes } = (await findImageTree(tree, (files) => told.push(files))) as ImageTree;
  expect(performance.now() - began).toBeLessThan(20_000); // 1 s; what grows with the square of it takes minutes
  expect([train.paths.length + test.paths.length, classes.length]).toEqual([202_000, 1001]);
  expect(told.at(-1)).toBe(202_000);
  expect(told.length).toBeGreaterThan(10);
});

it('classes are told with their images', () => {
  expect(describeClasses(['ant', 'bee'], [0, 1, 1])).toBe('2 classes with so many images each: ant (1), bee (2)');
  expect(
    describeClasses(
      Array.from({ length: 1000 }, (_, i) => `n${i}`),
      [0, ...Array.from({ length: 1000 }, (_, i) => i)],
    ),
  ).toBe('1000 classes of 1 to 2 images each: n0 (2), n1 (1), n2 (1), n3 (1), and 996 more');
});
