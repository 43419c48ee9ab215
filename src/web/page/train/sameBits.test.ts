import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TINY } from '../../../testing/tinyRun';
import { spawnTrain } from '../../../testing/spawnTrain';
import { openTab, useBrowser } from '../../../testing/testBrowser';
import { unzip } from '../../training/zip';

/*
 * The page trains as Node does, on the same SwiftShader: every logged figure and every checkpoint bit for bit, begun in
 * one and ended in the other or not. On both sides it is the whole program that runs, as its users run it.
 */

/** Everything random at once: crops, flips, partners by class, α of each sample, masks (the teacher's any, i-MAE's by its attention). 160 steps in all: enough to be interrupted. */
const CONFIG = {
  ...TINY,
  data: { set: 'shapes', crop: [0.2, 1], flip: true },
  masking: { ...TINY.masking, mask: 'attention', sameProb: 0.5, alpha: { law: 'beta', a: 1, b: 1 } },
  teacher: { ...TINY.teacher, budget: { steps: 25 } },
  training: { ...TINY.training, budget: { steps: 135 } },
  logging: { logEvery: 1, scoreEvery: 80, checkpointEvery: 60, panelsEvery: 0 },
};

const base = mkdtempSync(join(tmpdir(), 'palimpsest-'));
const configFile = join(base, 'config.json');
const inNode = join(base, 'node');

const setting = useBrowser();
beforeAll(async () => {
  writeFileSync(configFile, JSON.stringify(CONFIG));
  const { code, err } = await spawnTrain(['--config', configFile, '--adapter', 'swiftshader', '--out', inNode]);
  expect([err, code]).toEqual(['', 0]);
}, 240_000); // SwiftShader compiles every kernel of both phases first
afterAll(() => rmSync(base, { recursive: true }));

/** What a run leaves, without what clocks measured. */
interface Left {
  readonly lines: readonly object[];
  readonly checkpoints: Readonly<Record<string, Uint8Array>>;
}

function left(folder: string): Left {
  const lines = readFileSync(join(folder, 'metrics.jsonl'), 'utf8').trimEnd().split('\n');
  const checkpoints = join(folder, 'checkpoints');
  return {
    lines: lines.map((line) => ({ ...(JSON.parse(line) as object), imagesPerSecond: undefined })),
    checkpoints: Object.fromEntries(
      readdirSync(checkpoints).map((name) => [name, new Uint8Array(readFileSync(join(checkpoints, name)))]),
    ),
  };
}

/** The checkpoints that every run has at its end, wherever it was interrupted. */
function atEnd({ lines, checkpoints }: Left): Left {
  return {
    lines,
    checkpoints: Object.fromEntries(Object.entries(checkpoints).filter(([name]) => /-(25|135)\./.test(name))),
  };
}

/** Opens the Train view. */
async function openTrain(): Promise<{ page: Page; errors: string[] }> {
  const tab = await openTab(setting.browser, { acceptDownloads: true });
  await tab.page.goto(`${setting.url}#train`);
  return tab;
}

const finished = (page: Page): Promise<void> => page.getByText('all steps done').waitFor({ timeout: 100_000 });

/** Downloads the run and unpacks it; returns its folder. */
async function downloadRun(page: Page, into: string): Promise<string> {
  const [download] = await Promise.all([
    page.waitForEvent('download'),
    page.getByRole('button', { name: 'Download run' }).click(),
  ]);
  const file = join(base, `${into}.zip`);
  await download.saveAs(file);
  let folder = '';
  for (const [path, bytes] of await unzip(new Uint8Array(readFileSync(file)), file)) {
    const place = join(base, into, path);
    mkdirSync(dirname(place), { recursive: true });
    writeFileSync(place, bytes);
    folder = join(base, into, path.split('/')[0] ?? '');
  }
  return folder;
}

describe('160 steps in Chromium', () => {
  it('leave the figures and the checkpoints that they leave in Node, bit for bit', async () => {
    const { page, errors } = await openTrain();
    await page.getByLabel('Start from a config.json').setInputFiles(configFile);
    await page.getByRole('button', { name: 'Start training' }).click();
    await finished(page);
    const [node, chromium] = [left(inNode), left(await downloadRun(page, 'whole'))];
    const losses = node.lines.flatMap((line) => ('loss' in line ? [line.loss] : []));
    expect(losses).toHaveLength(160);
    expect(new Set(losses).size).toBe(160);
    expect(chromium.lines).toEqual(node.lines);
    expect(Object.keys(node.checkpoints).sort()).toEqual(
      ['imae-120', 'imae-135', 'teacher-25'].flatMap((name) => [`${name}.safetensors`, `${name}.state.safetensors`]),
    );
    expect(chromium.checkpoints).toEqual(node.checkpoints);
    expect(errors).toEqual([]);
    await page.context().close();
  });

  it('go on in Node where Chromium was paused, as if nothing had happened', async () => {
    const { page } = await openTrain();
    await page.getByLabel('Start from a config.json').setInputFiles(configFile);
    await page.getByRole('button', { name: 'Start training' }).click();
    await page.getByText(/^i-MAE, step \d/).waitFor({ timeout: 100_000 });
    await page.getByRole('button', { name: 'Pause' }).click();
    await page.getByText(/kept in this page/).waitFor();
    const folder = await downloadRun(page, 'paused');
    await page.context().close();
    expect(left(folder).lines.length).toBeLessThan(left(inNode).lines.length);

    const { code, err, out } = await spawnTrain(['--resume', folder, '--adapter', 'swiftshader']);
    expect([err, code]).toEqual(['', 0]);
    expect(out).toMatch(/resume +from i-MAE after \d+ steps/);
    expect(atEnd(left(folder))).toEqual(atEnd(left(inNode)));
  });

  it('go on in Chromium where Node was stopped, as if nothing had happened', async () => {
    const stopped = join(base, 'stopped');
    const { code } = await spawnTrain(['--config', configFile, '--adapter', 'swiftshader', '--out', stopped], {
      whenSaid: [[/teacher +\d+\/25/, (child) => child.kill('SIGINT')]],
    });
    expect(code).toBe(130);
    expect(left(stopped).lines.length).toBeLessThan(left(inNode).lines.length);

    const { page } = await openTrain();
    await page.getByLabel('Open a run folder').setInputFiles(stopped);
    await page.getByRole('button', { name: 'Continue' }).click();
    await finished(page);
    expect(atEnd(left(await downloadRun(page, 'continued')))).toEqual(atEnd(left(inNode)));
    await page.context().close();
  });
});
