import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { imageBytes, readImages } from '../../../data/imageSet';
import { readSafetensors } from '../../../formats/safetensors';
import { identifyData, type RunIdentity } from '../../../imae/train/identity';
import { TINY, tinyConfig } from '../../../testing/tinyRun';
import { halves, plain, writeTree } from '../../../testing/testImages';
import { loadData } from '../../../cli/trainingInputs';
import { openTab, useBrowser } from '../../../testing/testBrowser';
import { unzip } from '../../training/zip';

/* Images that somebody gives the page: a folder of image files, and files of CIFAR. */

const setting = useBrowser();
const TIME = 50_000;

let folder = '';
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'palimpsest-photos-'));
  const pictures = Object.fromEntries(
    Array.from({ length: 24 }, (_, at) => [
      `${at < 20 ? 'train' : 'val'}/${at % 2 === 0 ? 'cats' : 'dogs'}/${String(at).padStart(2, '0')}.png`,
      halves(20 + at, 22, [10 * at, 90, 7], [250 - 10 * at, 30, 200]),
    ]),
  );
  await writeTree(folder, {
    ...pictures,
    'train/cats/bad.png': 'Dear reader',
    'train/dogs/cut.png': plain(40, [1, 2, 3]).subarray(0, 90),
  });
});
afterAll(() => rmSync(folder, { recursive: true }));

const file = (name: string, content: string | Uint8Array): { name: string; mimeType: string; buffer: Buffer } => ({
  name,
  mimeType: 'application/octet-stream',
  buffer: Buffer.from(content),
});
const standing = (page: Page, title: string): Promise<void> =>
  page.getByRole('status').filter({ hasText: title }).waitFor({ timeout: TIME });
const hint = (page: Page): Promise<string> => page.locator('#train-images-hint').innerText();

async function openTiny(page: Page, data: object): Promise<void> {
  await page.goto(`${setting.url}#train`);
  await page.getByLabel('Start from a config.json').setInputFiles(file('tiny.json', JSON.stringify({ ...TINY, data })));
}

async function downloadRun(page: Page): Promise<{ readonly path: string; readonly files: Map<string, Uint8Array> }> {
  const [download] = await Promise.all([
    page.waitForEvent('download'),
    page.getByRole('button', { name: 'Download run' }).click(),
  ]);
  const path = await download.path();
  const name = download.suggestedFilename().replace(/\.zip$/, '');
  return {
    path,
    files: new Map(
      [...(await unzip(readFileSync(path), name))].map(([entry, bytes]) => [entry.slice(name.length + 1), bytes]),
    ),
  };
}

const textOf = (files: ReadonlyMap<string, Uint8Array>, path: string): string =>
  new TextDecoder().decode(files.get(path));

/** What the last checkpoint says its images are. */
function dataOf(files: ReadonlyMap<string, Uint8Array>): string {
  const state = readSafetensors(files.get('checkpoints/imae-4.state.safetensors') as Uint8Array);
  return (JSON.parse(state.metadata['run'] as string) as RunIdentity).data;
}

it('trains on a folder of image files, names broken ones, and goes on when the folder is given again', async () => {
  const { page, errors } = await openTab(setting.browser);
  await openTiny(page, { set: '/data/photos' });
  const alert = page.getByRole('alert').filter({ hasText: /\w/ });
  await expect
    .poll(() => alert.last().innerText())
    .toMatch(/^tiny\.json asks for the images \/data\/photos\. Drop their folder here/);
  await page.getByLabel('Open a folder of images').setInputFiles(folder);
  await expect.poll(() => hint(page), { timeout: TIME }).toMatch(/^22 training images in 2 classes$/);

  await page.getByRole('button', { name: 'Start training' }).click();
  await standing(page, 'Failed');
  await expect
    .poll(() => alert.first().innerText())
    .toMatch(new RegExp(`^${basename(folder)}/train/\\w+/(bad|cut)\\.png cannot be decoded: .*--broken skip`));
  await page.getByRole('button', { name: 'New run' }).click();
  await page.getByLabel('Broken images').selectOption('skip');
  await page.getByRole('button', { name: 'Start training' }).click();
  await standing(page, 'Finished');
  await page.getByText(/2 image files could not be decoded, and others of the class are in their place/).waitFor();
  const { path, files } = await downloadRun(page);
  await page.getByText('others, and Node, decode image files to other pixels').waitFor();
  expect(JSON.parse(textOf(files, 'config.json'))).toMatchObject({ data: { set: basename(folder), broken: 'skip' } });
  expect(
    textOf(files, 'broken-images.txt')
      .split('\n')
      .sort()
      .map((line) => line.split(':')[0]),
  ).toEqual(['', `${basename(folder)}/train/cats/bad.png`, `${basename(folder)}/train/dogs/cut.png`]);
  expect(textOf(files, 'sessions.jsonl')).toContain('"trainingImages":22');
  expect(dataOf(files)).toMatch(/^\w+ \w+ decoded by Chrome$/);

  await page.reload();
  await page.getByLabel('Open a run (.zip)').setInputFiles(file('run.zip', readFileSync(path)));
  const waits = page.getByRole('region', { name: 'Images of a run' });
  await waits.getByText(`It is trained on ${basename(folder)}`).waitFor();
  await waits.getByLabel('Open a folder of images').setInputFiles(folder);
  await standing(page, 'Finished');
  expect(errors.filter((text) => !text.includes('404'))).toEqual([]);
});

/** Drops files or folders of the disk on the page, as a hand does: in other ways no folder can be dropped. */
async function dropFromDisk(page: Page, ...files: string[]): Promise<void> {
  const session = await page.context().newCDPSession(page);
  const data = { items: [], files, dragOperationsMask: 1 };
  for (const type of ['dragEnter', 'dragOver', 'drop'] as const)
    await session.send('Input.dispatchDragEvent', { type, x: 200, y: 300, data });
  await session.detach();
}

it('takes a folder that is dropped, and says what is wrong with what holds no images', async () => {
  const { page, errors } = await openTab(setting.browser);
  await page.goto(`${setting.url}#train`);
  await dropFromDisk(page, folder);
  await expect.poll(() => hint(page), { timeout: TIME }).toMatch(/^22 training images in 2 classes$/);
  const chosen = page.getByLabel('Images', { exact: true }).locator('option:checked');
  expect(await chosen.innerText()).toBe(basename(folder));
  // More entries than a browser gives at a time.
  const large = mkdtempSync(join(tmpdir(), 'palimpsest-large-'));
  await writeTree(
    large,
    Object.fromEntries(
      Array.from({ length: 230 }, (_, at) => [`${at % 2 === 0 ? 'cats' : 'dogs'}/${at}.png`, plain(16, [at, 2, 3])]),
    ),
  );
  await dropFromDisk(page, large);
  await expect.poll(() => hint(page), { timeout: TIME }).toMatch(/^\d+ training images in 2 classes; /);
  expect(Number.parseInt(await hint(page))).toBeGreaterThan(200);
  const alert = page.getByRole('alert').filter({ hasText: /\w/ });
  await dropFromDisk(page, join(folder, 'train'), join(folder, 'val'));
  await expect.poll(() => hint(page), { timeout: TIME }).toBe('22 training images in 2 classes');
  expect(await chosen.innerText()).toBe('train and 1 more');
  await writeTree(large, { 'notes/readme.txt': 'none' });
  await dropFromDisk(page, join(large, 'notes'));
  await expect.poll(() => alert.first().innerText()).toMatch(/^notes holds no image set: it contains readme\.txt/);
  rmSync(large, { recursive: true });
  expect(errors).toEqual([]);
});

it(
  'decodes and scales nearly as Node does: files that are stored as they are, to the bit',
  { tags: ['thorough'] },
  async () => {
    const config = tinyConfig({ data: { set: folder, broken: 'skip', decodeSize: 16 } });
    const { train } = await loadData(config);
    const { page } = await openTab(setting.browser);
    await page.goto(setting.url);
    const decode = async (bytes: Uint8Array, side: number): Promise<number[]> =>
      await page.evaluate(
        async ([content, size]) => {
          const worker = new Worker(new URL('decoding.js', location.href), { type: 'module' });
          const image = await new Promise<Uint8Array>((resolve) => {
            worker.onmessage = ({ data }: MessageEvent<{ value: Uint8Array }>) => resolve(data.value);
            const args = [new Blob([Uint8Array.from(content)]), size].map((value) => ({ type: 'RAW', value }));
            worker.postMessage({ id: 'x', type: 'APPLY', path: ['decode'], argumentList: args });
          });
          worker.terminate();
          return [...image];
        },
        [[...bytes], side] as const,
      );
    const path = join(folder, 'train/cats/00.png');
    const [inNode, here] = [await readImages(train, [0]), await decode(readFileSync(path), 16)];
    expect(here).toHaveLength(imageBytes(train));
    // sharp scales in bytes, first one way, then the other; here only the result is rounded.
    expect(Math.max(...here.map((value, at) => Math.abs(value - (inNode[at] as number))))).toBeLessThanOrEqual(2);
    const exact = await decode(plain(16, [7, 130, 201]), 16);
    expect([exact[0], exact[256], exact[512], new Set(exact).size]).toEqual([7, 130, 201, 3]);
  },
);

it('trains on dropped files of CIFAR, which are the same images as in Node', { tags: ['thorough'] }, async () => {
  const records = (count: number, seed: number): Uint8Array =>
    Uint8Array.from({ length: count * 3073 }, (_, at) =>
      at % 3073 === 0 ? (at / 3073) % 10 : (at * 37 + seed + (at >> 9)) % 253,
    );
  const cifar = {
    'data_batch_1.bin': records(20, 1),
    'test_batch.bin': records(10, 2),
    'batches.meta.txt': Array.from({ length: 10 }, (_, at) => `class ${at}\n`).join(''),
  };
  const { page, errors } = await openTab(setting.browser);
  await openTiny(page, { set: 'shapes' });
  const dropped = await page.evaluateHandle(
    (given) => {
      const data = new DataTransfer();
      for (const [name, content] of given) data.items.add(new File([Uint8Array.from(content)], name));
      return data;
    },
    Object.entries(cifar).map(([name, content]) => [name, [...Buffer.from(content)]] as const),
  );
  await page.getByRole('main').dispatchEvent('drop', { dataTransfer: dropped });
  await expect.poll(() => hint(page), { timeout: TIME }).toBe('20 training images in 10 classes, 32 × 32');
  await page.getByRole('button', { name: 'Start training' }).click();
  await standing(page, 'Finished');
  const { files } = await downloadRun(page);
  await page.getByText('--data PATH').waitFor();
  expect(JSON.parse(textOf(files, 'config.json'))).toMatchObject({ data: { set: 'data_batch_1.bin and 2 more' } });

  const inNode = mkdtempSync(join(tmpdir(), 'palimpsest-cifar-'));
  await writeTree(inNode, cifar);
  expect(dataOf(files)).toBe(await identifyData(await loadData(tinyConfig({ data: { set: inNode } }))));
  rmSync(inNode, { recursive: true });
  expect(errors).toEqual([]);
});
