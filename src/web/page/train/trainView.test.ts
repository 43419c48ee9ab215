import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import type { Page } from 'playwright-core';
import { expect, it } from 'vitest';
import { readMetrics } from '../../../report/metrics';
import { readSessions } from '../../../report/session';
import { TINY } from '../../../testing/tinyRun';
import { openTab, useBrowser } from '../../../testing/testBrowser';
import { unzip } from '../../training/zip';

/* The view that trains, driven as a person would, with a model of a moment. */

const setting = useBrowser();

/** Enough that none of its pauses comes too late. */
const STEPS = 300;
const CONFIG = JSON.stringify({
  ...TINY,
  training: { ...TINY.training, budget: { steps: STEPS } },
  logging: { logEvery: 1, scoreEvery: 150, checkpointEvery: 75, panelsEvery: 60 },
});

const TRAINING_TIME = 50_000;

const file = (name: string, content: string | Buffer): { name: string; mimeType: string; buffer: Buffer } => ({
  name,
  mimeType: 'application/octet-stream',
  buffer: Buffer.from(content),
});

/** Waits until a run stands so. */
const standing = (page: Page, title: string): Promise<void> =>
  page.getByRole('status').filter({ hasText: title }).waitFor({ timeout: TRAINING_TIME });

/** Waits until the phase under way has come to a step. */
async function comesTo(page: Page, phase: string, step: number): Promise<void> {
  const bar = page.getByRole('progressbar', { name: phase });
  await expect
    .poll(async () => Number(await bar.getAttribute('value')), { timeout: TRAINING_TIME })
    .toBeGreaterThanOrEqual(step);
}

/** A value of the figures. */
const figure = (page: Page, name: string): Promise<string> =>
  page
    .locator('dt', { hasText: new RegExp(`^${name}$`) })
    .locator('xpath=following-sibling::dd')
    .innerText();

async function startTiny(page: Page): Promise<void> {
  await page.goto(`${setting.url}#train`);
  await page.getByLabel('Start from a config.json').setInputFiles(file('tiny.json', CONFIG));
  await page.getByRole('button', { name: 'Start training' }).click();
  await standing(page, 'Training');
}

async function downloadRun(page: Page): Promise<{ name: string; path: string; files: Map<string, Uint8Array> }> {
  const [download] = await Promise.all([
    page.waitForEvent('download'),
    page.getByRole('button', { name: 'Download run' }).click(),
  ]);
  const path = await download.path();
  const name = download.suggestedFilename().replace(/\.zip$/, '');
  const files = new Map(
    [...(await unzip(readFileSync(path), name))].map(([entry, bytes]) => [entry.slice(name.length + 1), bytes]),
  );
  return { name, path, files };
}

async function dropOn(page: Page, name: string, content: string): Promise<void> {
  const dropped = await page.evaluateHandle(
    ([as, text]) => {
      const data = new DataTransfer();
      data.items.add(new File([text], as));
      return data;
    },
    [name, content] as const,
  );
  await page.getByRole('main').dispatchEvent('dragover', { dataTransfer: dropped });
  await page.getByRole('main').dispatchEvent('drop', { dataTransfer: dropped });
}

const textOf = (files: ReadonlyMap<string, Uint8Array>, path: string): string =>
  new TextDecoder().decode(files.get(path));

it('trains, pauses, goes on, changes its learning rate, is saved, and goes on in another page', async () => {
  const { page, errors } = await openTab(setting.browser);
  await startTiny(page);
  await page.getByText('Software adapter, not a GPU.').last().waitFor();

  await comesTo(page, 'i-MAE', 10);
  expect(await figure(page, 'GPU memory')).toMatch(/[KM]iB$/);
  await page.getByRole('button', { name: 'Pause' }).click();
  await standing(page, 'Paused');
  expect(await figure(page, 'GPU memory')).toBe('0 B');

  await page.getByRole('button', { name: 'Continue' }).click();
  await standing(page, 'Training');
  await page.getByLabel('Peak learning rate of i-MAE').fill('-1');
  await page.getByRole('button', { name: 'Change' }).click();
  await page.getByRole('alert').filter({ hasText: '--lr' }).waitFor();
  await page.getByLabel('Peak learning rate of i-MAE').fill('0.001');
  await page.getByRole('button', { name: 'Change' }).click();
  await standing(page, 'Training');
  await comesTo(page, 'i-MAE', 70);
  await page.getByRole('button', { name: 'Pause' }).click();
  await standing(page, 'Paused');
  const chart = await page.getByRole('img', { name: /^Loss, what is minimised/ }).getAttribute('aria-label');
  const [, first = '', last = ''] = /from ([\d.]+) to ([\d.]+)\./.exec(chart ?? '') ?? [];
  expect(Number(last)).toBeLessThan(0.8 * Number(first));
  await page.getByRole('figure', { name: 'Pair 1, α = 0.35' }).waitFor();

  const asked: string[] = [];
  page.on('dialog', (dialog) => {
    asked.push(dialog.type());
    void dialog.dismiss();
  });
  await page.reload({ timeout: 1000 }).catch(() => undefined);
  expect(asked).toEqual(['beforeunload']); // and it stayed
  const saved = await downloadRun(page);
  await page.getByText(`node train.js --resume ${saved.name}`).waitFor();
  expect(textOf(saved.files, 'config.json')).toContain('"lr": 0.001');
  expect(readSessions(textOf(saved.files, 'sessions.jsonl'))).toMatchObject([
    { phase: 'teacher', software: true, end: { ended: 'stopped' } },
    { phase: 'imae', end: { ended: 'stopped' } },
    { changes: ['optimizer.learningRate 0.001 lr in the place of 0.003 lr'], end: { ended: 'stopped' } },
  ]);
  const before = readMetrics(textOf(saved.files, 'metrics.jsonl')).get('imae');
  expect(before?.curves.lines).toBeGreaterThanOrEqual(70);
  expect(saved.files.has('panels/imae-000060.png')).toBe(true);

  await page.reload(); // nothing is unsaved, so nothing asks
  await page.getByLabel('Open a run (.zip)').setInputFiles(file('run.zip', readFileSync(saved.path)));
  await standing(page, 'Paused');
  await comesTo(page, 'i-MAE', before?.curves.lines ?? 0);
  await page.getByRole('img', { name: /^Loss, what is minimised/ }).waitFor();
  await page.getByRole('button', { name: 'Continue' }).click();
  await standing(page, 'Finished');
  expect(asked).toHaveLength(1);
  await page.getByRole('button', { name: 'New run' }).click();
  await page.getByRole('dialog', { name: 'Throw this run away?' }).waitFor();
  await page.keyboard.press('Escape');
  const { files } = await downloadRun(page);
  const imae = readMetrics(textOf(files, 'metrics.jsonl')).get('imae');
  expect(imae?.curves.steps).toEqual(Array.from({ length: STEPS }, (_, step) => step));
  expect(imae?.scores.map(({ step }) => step)).toEqual([150, STEPS]);
  expect(imae?.curves.values.loss?.slice(0, before?.curves.lines)).toEqual(before?.curves.values.loss);
  const states = [...files.keys()].filter((path) => path.endsWith('.state.safetensors'));
  expect(states).toHaveLength(3);
  expect(states).toEqual(
    expect.arrayContaining([`checkpoints/imae-${STEPS}.state.safetensors`, 'checkpoints/teacher-3.state.safetensors']),
  );

  await page.getByRole('button', { name: 'Look at it in Unmix' }).click();
  await expect.poll(() => page.title()).toBe('Unmix · palimpsest');
  expect(errors).toEqual([]);
});

it('refuses with one message what is no run, and settings that are not allowed', async () => {
  const { page, errors } = await openTab(setting.browser);
  const alert = page.getByRole('alert').filter({ hasText: /\w/ });
  await page.goto(`${setting.url}#train`);
  await page.getByLabel('Open a run (.zip)').setInputFiles(file('run.zip', 'PK, but no more'));
  await expect
    .poll(() => alert.innerText())
    .toBe(
      'run.zip is no zip file, or was damaged or cut short (File format is not recognized). Save or copy it again.',
    );
  await page.getByLabel('Start from a config.json').setInputFiles(file('my.json', '{"model":{"dimm":64}}'));
  await expect
    .poll(() => alert.innerText())
    .toBe('my.json: there is no setting "model.dimm". Did you mean "model.dim"?');
  const folder = mkdtempSync(join(tmpdir(), 'palimpsest-'));
  writeFileSync(join(folder, 'config.json'), '{"preset":"cifar","data":{"set":"/data/cifar"}}');
  await page.getByLabel('Open a run folder').setInputFiles(folder);
  await page.getByRole('heading', { name: `${basename(folder)} wants its images` }).waitFor();
  await page.getByRole('button', { name: 'Not now' }).click();
  rmSync(folder, { recursive: true });

  await dropOn(page, 'mine.json', '{"training":{"budget":{"steps":77}}}');
  await expect.poll(() => page.getByLabel('i-MAE, steps').inputValue()).toBe('77');
  expect(await alert.count()).toBe(0);
  await page.getByLabel('Batch, images').fill('0');
  await expect
    .poll(() => alert.last().innerText())
    .toContain('--batch (training.batch): 0 (this form) is not allowed. Give a whole number from 1.');
  expect(await page.getByRole('button', { name: 'Start training' }).isDisabled()).toBe(true);
  await page.getByLabel('Preset').selectOption('cifar');
  expect(await page.getByLabel('Patch, pixels').inputValue()).toBe('2');
  expect(await page.getByRole('button', { name: 'Start training' }).isDisabled()).toBe(false);
  expect(errors).toEqual([]);
});
