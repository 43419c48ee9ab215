import { execFileSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { UNWATCHED, type FileSet } from '../../data/sources/fileSet';
import { findImageTree, type ImageTree } from '../../data/sources/imageTree';
import { channelStatistics, digestImages, isInMemory, readImages, type ImageSet } from '../../data/imageSet';
import { TreeOnDisk } from './fileTree';
import { loadTree } from './loadTree';
import { plain, png, writeTree, type Colour } from '../../testing/testImages';

type FileSetOptions = Parameters<typeof loadTree>[1];

const OPTIONS: FileSetOptions = {
  image: 8,
  decodeSize: 'auto',
  broken: 'stop',
  stream: 'auto',
  workers: 'auto',
  ownStatistics: true,
};
const COUNT = 12;
const colourOf = (index: number): Colour => [20 * index, 100, 255 - 20 * index];

// More workers than this process has threads are a process beside it.
beforeAll(() => {
  const build = join(import.meta.dirname, '..', '..', '..', 'tools', 'build.js');
  execFileSync(process.execPath, ['-e', `import(${JSON.stringify(build)}).then((tool) => tool.buildIfStale())`]);
});

let folder = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'files-'));
  for (let index = 0; index < COUNT; index++) {
    const format = (['png', 'jpeg', 'webp'] as const)[index % 3] as 'png';
    await writeTree(folder, {
      [`train/${index < 6 ? 'a' : 'b'}/${String(index).padStart(2, '0')}.${format}`]: plain(8, colourOf(index), format),
    });
  }
  await writeTree(folder, { 'val/a/x.png': plain(8, [1, 2, 3]), 'val/b/y.png': png(8, 8, 0, [9]) });
});
afterEach(() => rm(folder, { recursive: true }));

async function load(options: Partial<FileSetOptions> = {}, notes: string[] = []): Promise<FileSet> {
  const tree = (await findImageTree(new TreeOnDisk(folder))) as ImageTree;
  return await loadTree(tree, { ...OPTIONS, ...options }, { ...UNWATCHED, note: (text) => notes.push(text) });
}

const all = Uint32Array.from({ length: COUNT }, (_, index) => index);

describe('a set of image files', () => {
  it('has images, labels and statistics, and tells how far it is', async () => {
    const seen: string[] = [];
    const tree = (await findImageTree(new TreeOnDisk(folder))) as ImageTree;
    const { train, test } = await loadTree(tree, OPTIONS, {
      note: (text) => seen.push(text),
      begin: (what, count) => seen.push(`${count} ${what}`),
      done: (count) => seen.push(String(count)),
    });
    expect(isInMemory(train)).toBe(true);
    expect(train).toMatchObject({ count: COUNT, width: 8, height: 8, channels: 3, classes: ['a', 'b'] });
    expect([...train.labels]).toEqual([0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1]);
    expect([...test.images.subarray(0, 1), ...test.images.subarray(192, 193)]).toEqual([1, 9]);
    expect((await readImages(train, [3])).subarray(0, 64)).toEqual(new Uint8Array(64).fill(60));
    expect(train.mean).toEqual(channelStatistics((train as ImageSet).images, train).mean);
    expect(test.mean).toEqual(train.mean);
    expect(seen).toEqual([
      '2 held-out images',
      '1',
      '2',
      '12 images',
      ...Array.from(all, (index) => String(index + 1)),
    ]);
  });

  it('is the same, bit for bit, in memory and streamed, with one worker and with many', async () => {
    const kept = await load();
    for (const options of [
      { workers: 1 },
      { workers: 3 },
      { workers: 9 },
      { stream: 'yes' },
      { stream: 'yes', workers: 1 },
    ] as const) {
      const { train, test } = await load(options);
      expect(isInMemory(train)).toBe(!('stream' in options));
      expect(await readImages(train, all)).toEqual(await readImages(kept.train, all));
      expect([train.mean, train.std]).toEqual([kept.train.mean, kept.train.std]);
      expect(test).toEqual(kept.test);
      expect(await digestImages(train)).toBe(await digestImages(kept.train));
    }
    expect(await readImages((await load({ stream: 'yes' })).train, [5, 0, 5])).toEqual(
      await readImages(kept.train, [5, 0, 5]),
    );
  });

  it('is not looked at as a whole where it is streamed and nobody asks for its statistics', async () => {
    const { train } = await load({ stream: 'yes', ownStatistics: false });
    expect(train.mean).toEqual([NaN, NaN, NaN]);
  });

  it('is another one with another file, class or stored size', async () => {
    const before = await digestImages((await load()).train);
    expect(await digestImages((await load({ decodeSize: 9 })).train)).not.toBe(before);
    await writeTree(folder, { 'train/a/00.png': plain(9, [0, 0, 1]) });
    expect(await digestImages((await load()).train)).not.toBe(before);
  });

  it("keeps images that are no larger than the model's as they are, larger ones with a border to choose from", async () => {
    expect((await load()).train.width).toBe(8);
    await writeTree(folder, { 'train/b/large.png': plain(40, [1, 1, 1]) });
    const notes: string[] = [];
    expect((await load({ image: 14 }, notes)).train.width).toBe(16);
    expect(notes.join()).toBe('of 13 files looked at, 12 are smaller than 16 pixels and are scaled up');
    expect((await load({ decodeSize: 20 })).train.width).toBe(20);
    await expect(load({ decodeSize: 7 })).rejects.toThrow(
      /--decode-size 7 is smaller than the model's images of 8 × 8/,
    );
  });

  describe('with broken files', () => {
    beforeEach(() =>
      writeTree(folder, {
        'train/a/05.webp': 'Dear reader',
        'train/b/07.jpeg': plain(8, colourOf(7), 'jpeg').subarray(0, 300),
      }),
    );

    it('stops, names the first and says how many there are', async () => {
      await expect(load()).rejects.toThrow(
        /a\/05\.webp cannot be decoded: it is no image of a known format, the first of 2 such files\. .*--broken skip/,
      );
    });

    it('says the same of them from the process beside this one', async () => {
      await expect(load({ workers: 9 })).rejects.toThrow(
        /a\/05\.webp cannot be decoded: it is no image of a known format, the first of 2 such files/,
      );
    });

    it('stops where a streamed one meets them', async () => {
      const { train } = await load({ stream: 'yes', ownStatistics: false });
      await expect(readImages(train, [0, 5])).rejects.toThrow(/05\.webp cannot be decoded: .*go on with --broken skip/);
    });

    it('or puts the next image of the class in their place, the same in memory and streamed, and lists them', async () => {
      const kept = await load({ broken: 'skip' });
      expect(kept.broken.all.map(({ path }) => path.slice(-10))).toEqual(
        expect.arrayContaining(['/a/05.webp', '/b/07.jpeg']),
      );
      expect(await readImages(kept.train, [5, 7])).toEqual(await readImages(kept.train, [0, 8])); // after the last the first
      const streamed = await load({ broken: 'skip', stream: 'yes', ownStatistics: false });
      expect(streamed.broken.all).toEqual([]);
      const told: string[] = [];
      streamed.broken.listener = ({ why }) => told.push(why);
      expect(await readImages(streamed.train, all)).toEqual(await readImages(kept.train, all));
      await readImages(streamed.train, all);
      expect(told).toHaveLength(2); // each once
    });

    it('gives a class up that has no other', async () => {
      await writeTree(folder, { 'val/a/x.png': 'Dear reader' });
      await expect(load({ broken: 'skip' })).rejects.toThrow(/no image of the class a in .* can be decoded/);
    });
  });
});
