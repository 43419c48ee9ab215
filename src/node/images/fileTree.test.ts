import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { findImageTree, type ImageTree } from '../../data/sources/imageTree';
import { TreeOnDisk } from './fileTree';
import { writeTree } from '../../testing/testImages';

let folder = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tree-'));
});
afterEach(() => rm(folder, { recursive: true }));

/** Files by their paths; what is in them is of no concern yet. */
const files = (...paths: string[]): Record<string, string> => Object.fromEntries(paths.map((path) => [path, path]));

async function found(tree: Readonly<Record<string, string>>): Promise<ImageTree> {
  await writeTree(folder, tree);
  return (await findImageTree(new TreeOnDisk(folder))) as ImageTree;
}

const listed = ({ paths, labels }: ImageTree['train']): string[] =>
  paths.map((path, index) => `${labels[index] ?? ''} ${path}`);

describe('findImageTree', () => {
  it("reads ImageNet's layout: a folder a class in train and val, classes sorted by folder, other files left out", async () => {
    const tree = await found(
      files(
        'train/n02/b.JPEG',
        'train/n01/a.jpeg',
        'train/n01/c.PNG',
        'train/n01/notes.txt',
        'train/n01/._a.jpeg',
        'val/n02/d.webp',
        'val/n01/e.jpg',
      ),
    );
    expect(tree.classes).toEqual(['n01', 'n02']);
    expect(listed(tree.train)).toEqual(['0 train/n01/a.jpeg', '0 train/n01/c.PNG', '1 train/n02/b.JPEG']);
    expect(listed(tree.test)).toEqual(['0 val/n01/e.jpg', '1 val/n02/d.webp']);
    expect(await tree.root.sizes(tree.train.paths)).toEqual([16, 15, 16]);
    expect(tree.notes).toEqual([
      'left out: files that are no JPEG, PNG or WebP: 1 .txt',
      'left out: hidden, or left by tools: train/n01/._a.jpeg',
    ]);
  });

  it("reads Tiny-ImageNet's layout, with the names of its classes and labels from val_annotations.txt", async () => {
    const tree = await found({
      ...files(
        'train/n02/images/n02_0.JPEG',
        'train/n01/images/n01_0.JPEG',
        'val/images/val_0.JPEG',
        'val/images/val_1.JPEG',
        'val/images/val_2.JPEG',
      ),
      'train/n01/n01_boxes.txt': 'n01_0.JPEG\t0\t0\t9\t9\n',
      'val/val_annotations.txt':
        'val_0.JPEG\tn02\t0\t0\t9\t9\nval_2.JPEG\tn01\t0\t0\t9\t9\r\nval_1.JPEG\tn02\t0\t0\t9\t9\n',
      'wnids.txt': 'n02\nn01\n',
      'words.txt': 'n00\tnothing\nn01\tgoldfish, Carassius auratus\nn02\tbullfrog\n',
    });
    expect(tree.classes).toEqual(['goldfish, Carassius auratus', 'bullfrog']);
    expect(listed(tree.train)).toEqual(['0 train/n01/images/n01_0.JPEG', '1 train/n02/images/n02_0.JPEG']);
    expect(listed(tree.test)).toEqual([
      '0 val/images/val_2.JPEG',
      '1 val/images/val_0.JPEG',
      '1 val/images/val_1.JPEG',
    ]);
  });

  it('holds a tenth of each class out where there is no val: always the same images, one of a small class, none of a single one', async () => {
    const numbered = (name: string, count: number): string[] =>
      Array.from({ length: count }, (_, i) => `${name}/${String(i).padStart(2, '0')}.png`);
    const tree = await found(files(...numbered('cats', 30), ...numbered('dogs', 2), ...numbered('one', 1)));
    const count = (part: ImageTree['train'], label: number): number =>
      part.labels.filter((each) => each === label).length;
    expect([0, 1, 2].map((label) => [count(tree.train, label), count(tree.test, label)])).toEqual([
      [27, 3],
      [1, 1],
      [1, 0],
    ]);
    expect([...tree.train.paths, ...tree.test.paths].sort()).toEqual([
      ...numbered('cats', 30),
      ...numbered('dogs', 2),
      ...numbered('one', 1),
    ]);
    expect(await findImageTree(new TreeOnDisk(folder))).toEqual(tree);
    expect(tree.notes.join()).toMatch(/no val or test folder of classes: a tenth of each class is held out/);
  });

  it('takes test where there is no val, holds out of train where there is neither, and finds a tree one folder down', async () => {
    expect(listed((await found(files('set/train/a/1.png', 'set/test/a/2.png', 'other/x.txt'))).test)).toEqual([
      '0 test/a/2.png',
    ]);
    await rm(join(folder, 'set/test'), { recursive: true });
    const whole = await found(files('set/train/a/3.png'));
    expect([...whole.train.paths, ...whole.test.paths].sort()).toEqual(['train/a/1.png', 'train/a/3.png']);
  });

  it('finds nothing where there are no images', async () => {
    await writeTree(folder, files('a/x.txt', 'y.pdf'));
    expect(await findImageTree(new TreeOnDisk(folder))).toBeUndefined();
  });

  it.each<[string, Record<string, string>, RegExp]>([
    [
      'an empty class',
      files('train/a/1.png', 'train/b/x.txt', 'train/c/y.txt', 'val/a/2.png'),
      /train\/b \(and 1 more folder\) holds no JPEG, PNG or WebP file/,
    ],
    ['an empty class of val', files('train/a/1.png', 'val/a/x.txt'), /val holds no JPEG/],
    [
      'an unknown class in val',
      files('train/a/1.png', 'val/z/2.png'),
      /val has images of the class z, which .*train has not/,
    ],
    [
      'pictures of other kinds alone',
      files('a/1.heic', '2.HEIC'),
      /holds no JPEG, PNG or WebP file\..* 2 \.heic\. HEIC is not/,
    ],
    ['two trees', files('x/train/a/1.png', 'y/train/a/1.png'), /holds several image sets \(.*x, .*y\)/],
    [
      'an annotation of a file that is not there',
      { ...files('train/a/1.png', 'val/images/2.png'), 'val/val_annotations.txt': '2.png\ta\n3.png\ta\n' },
      /val_annotations\.txt, line 2, names .*3\.png, which is not there/,
    ],
    [
      'an annotation without a class',
      { ...files('train/a/1.png', 'val/images/2.png'), 'val/val_annotations.txt': '2.png\n' },
      /val_annotations\.txt, line 1: a file and its class/,
    ],
    [
      'an empty list of annotations',
      { ...files('train/a/1.png', 'val/images/2.png'), 'val/val_annotations.txt': '' },
      /val_annotations\.txt names no images/,
    ],
  ])('says what is wrong with %s', async (_, tree, message) => {
    await writeTree(folder, tree);
    await expect(findImageTree(new TreeOnDisk(folder))).rejects.toThrow(message);
  });

  it('says that a folder of classes is empty', async () => {
    await writeTree(folder, files('train/a/1.png'));
    await mkdir(join(folder, 'val'));
    await expect(findImageTree(new TreeOnDisk(folder))).rejects.toThrow(/val holds no JPEG, PNG or WebP file/);
  });
});
