import type { Locator, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { saveModel, trainedAs } from '../../../imae/checkpoint/checkpoint';
import type { Phase } from '../../../imae/config/config';
import { normalisationMetadata } from '../../../imae/checkpoint/modelFile';
import type { PartialSettings } from '../../../imae/config/options';
import { tinyConfig } from '../../../testing/tinyRun';
import { initializeModel, makeModel } from '../../../imae/train/models';
import { testEngine } from '../../../testing/testEngine';
import { openTab, prependToWorkers, useBrowser } from '../../../testing/testBrowser';

const setting = useBrowser();

/** The GPU's shaders are compiled first. */
const SLOW = { timeout: 50_000 };
/** Of the model that comes with the page: two layers of four heads, in the encoder and in each branch's decoder. */
const MAPS = 2 * 4;

const maps = (page: Page): Locator => page.getByRole('img', { name: /^Layer \d+, head \d+: / });
const words = (each: Locator): Promise<string[]> =>
  each.evaluateAll((all) => all.map((one) => one.getAttribute('aria-label') ?? ''));
const pixels = (canvas: Locator): Promise<string> => canvas.evaluate((each) => (each as HTMLCanvasElement).toDataURL());
const patch = (page: Page, name: string): Locator => page.getByRole('gridcell', { name, exact: true });
const chosen = (page: Page): Locator => page.getByRole('gridcell', { selected: true });
const part = (page: Page, name: string): Locator =>
  page.getByRole('group', { name: 'Part of the model' }).getByText(name, { exact: true });
const chart = (page: Page, name: string): Locator => page.getByRole('img', { name: new RegExp(`^${name}, distance`) });
const alpha = (page: Page): Locator => page.getByRole('slider', { name: 'α, the weight of image 1' });
const shares = (page: Page, nearer: number): Locator =>
  page.getByRole('img', { name: new RegExp(`^Of 12 visible patches, ${nearer} have a latent nearer to image 1’s`) });

/** Does something, and waits until what some elements say has become something else. */
async function changes(each: Locator, action: () => Promise<void>): Promise<string[]> {
  const before = await words(each);
  await action();
  await expect.poll(() => words(each), SLOW).not.toEqual(before);
  return await words(each);
}

/** A tiny model with random weights, as a file. */
async function tinyModel(phase: Phase, settings: PartialSettings = {}): Promise<Buffer> {
  const engine = await testEngine();
  const config = tinyConfig(settings);
  const model = makeModel(engine, config, phase);
  initializeModel(model, 1);
  const metadata = {
    phase,
    ...trainedAs(config, phase),
    ...normalisationMetadata({ mean: [0.5, 0.5, 0.5], std: [0.25, 0.25, 0.25] }),
  };
  const bytes = saveModel(model, await model.parameters.read(), metadata);
  engine.dispose();
  return Buffer.from(bytes);
}

function open(page: Page, name: string, buffer: Buffer): Promise<void> {
  return page.getByLabel('Open a model…').setInputFiles({ name, mimeType: '', buffer });
}

describe('with the model that ships with the page', () => {
  let page: Page;
  let errors: string[];
  beforeAll(async () => {
    ({ page, errors } = await openTab(setting.browser));
    await page.goto(`${setting.url}#inside`);
    await maps(page).first().waitFor(SLOW);
  });
  afterAll(async () => {
    expect(errors).toEqual([]);
    await page.context().close();
  });

  it('shows a map of every layer and head, for a patch that the model sees', async () => {
    const all = await words(maps(page));
    expect(all).toHaveLength(MAPS);
    expect(new Set(all).size).toBe(MAPS);
    expect(all[5]).toMatch(/^Layer 2, head 2: [\d.]+ % to row \d, column \d; .* to the class token$/);
    expect(await chosen(page).getAttribute('aria-label')).toBe('row 3, column 2');
    expect(await page.getByRole('gridcell', { name: /hidden$/ }).count()).toBe(4);
    expect(await page.getByText(/SOFTWARE, not a GPU/).count()).toBe(1);
  });

  it('another patch is chosen by keys, and the maps follow', async () => {
    await chosen(page).focus();
    const before = await pixels(maps(page).first());
    await changes(maps(page), () => page.keyboard.press('ArrowLeft'));
    expect(await pixels(maps(page).first())).not.toBe(before);
    expect(await chosen(page).getAttribute('aria-label')).toBe('row 3, column 1');
    await page.getByText('Row 3, column 1 attends to:').waitFor();
    await page.keyboard.press('ArrowLeft');
    await page.keyboard.press('ArrowUp');
    await page.getByText('Row 2, column 1 attends to:').waitFor();
    // The keyboard is where the choice is, and the grid is one stop of the Tab key.
    expect(await page.evaluate(() => document.activeElement?.getAttribute('aria-label'))).toBe('row 2, column 1');
    await page.keyboard.press('Tab');
    expect(await page.evaluate(() => document.activeElement?.textContent)).toBe('Class token');
    await changes(maps(page), () => page.keyboard.press('Enter'));
    expect(await chosen(page).count()).toBe(0);
    await page.getByText('The class token attends to:').waitFor();
    await changes(maps(page), () => patch(page, 'row 2, column 1').click());
  });

  it('the decoder has maps of its own for each branch', async () => {
    const subordinate = await changes(maps(page), () => part(page, 'Decoder, subordinate').click());
    expect(subordinate).toHaveLength(MAPS);
    const dominant = await changes(maps(page), () => part(page, 'Decoder, dominant').click());
    expect(dominant).toHaveLength(MAPS);
    await changes(maps(page), () => part(page, 'Encoder').click());
  });

  it('says that the encoder has no token of a hidden patch, and offers what has', async () => {
    await patch(page, 'row 1, column 2, hidden').click();
    await page.getByText('Row 1, column 2, hidden: the encoder has no token of it.').waitFor();
    expect(await maps(page).count()).toBe(0);
    await page.getByRole('button', { name: 'The decoder' }).click();
    await page.getByText('Row 1, column 2, hidden attends to:').waitFor();
    expect(await maps(page).count()).toBe(MAPS);
    expect(await page.getByRole('radio', { name: 'Decoder, subordinate' }).isChecked()).toBe(true);
    await part(page, 'Encoder').click();
    await page.getByRole('button', { name: 'The class token' }).click();
    await page.getByText('The class token attends to:').waitFor();
    expect(await maps(page).count()).toBe(MAPS);
  });

  it('charts the latent over α, and says of which image each branch is', async () => {
    for (const name of ['Encoder', 'Branch of the subordinate', 'Branch of the dominant']) {
      await chart(page, name).scrollIntoViewIfNeeded();
      await expect
        .poll(() => words(chart(page, name)))
        .toEqual([
          expect.stringContaining(
            'α, weight of image 1 0 to 1: to image 1 from 1.00 to 0.00; to image 2 from 0.00 to 1.00.',
          ),
        ]);
    }
    await page
      .getByText(
        /At α = 0.35 the subordinate is image 1: its branch’s latent is nearer to it .* The dominant is image 2: .* nearer to it/,
      )
      .waitFor();
    const legend = page.locator('.chart', { has: chart(page, 'Branch of the subordinate') }).locator('output');
    const at35 = await legend.allTextContents();
    expect(at35).toHaveLength(2);

    await alpha(page).fill('0.75');
    await page
      .getByText(
        /At α = 0.75 the subordinate is image 2: its branch’s latent is nearer to it .* The dominant is image 1: .* nearer to it/,
      )
      .waitFor(SLOW);
    expect(await legend.allTextContents()).not.toEqual(at35);
    await alpha(page).press('End');
    await shares(page, 12).waitFor(SLOW);
    await alpha(page).press('Home');
    await shares(page, 0).waitFor(SLOW);
    await page.getByText(/At α = 0.00 there is nothing but image 2/).waitFor();
    await alpha(page).fill('0.35');
    await page.getByText(/^At α = 0.35 /).waitFor(SLOW);
  });

  it('follows other patches, another pair and another mask ratio', async () => {
    const cells = page.getByRole('gridcell');
    await changes(maps(page), async () => {
      await changes(cells, () => page.getByRole('button', { name: 'Other patches' }).click());
    });
    const first = page.getByRole('img', { name: /^Image 1: / });
    await changes(maps(page), async () => {
      await changes(first, () => page.getByRole('button', { name: 'Another pair' }).click());
    });
    await page.getByRole('slider', { name: 'Mask ratio' }).press('ArrowRight');
    await page.getByRole('img', { name: /^Of 11 visible patches/ }).waitFor(SLOW);
    expect(await page.getByRole('gridcell', { name: /hidden$/ }).count()).toBe(5);
  });

  it('of a model with many heads shows the means first, and the heads of the layer that is pressed', async () => {
    await open(page, 'deep.safetensors', await tinyModel('imae', { model: { depth: 6, heads: 4 } }));
    const means = page.getByRole('button', { name: /^Layer \d, mean over its 4 heads: / });
    await means.first().waitFor(SLOW);
    expect(await means.count()).toBe(6);
    expect(await maps(page).count()).toBe(0);
    await means.nth(2).click();
    expect((await words(maps(page))).map((name) => name.slice(0, 15))).toEqual(
      [1, 2, 3, 4].map((head) => `Layer 3, head ${head}`),
    );
    expect(await means.nth(2).getAttribute('aria-expanded')).toBe('true');
    // The open layer stays open while one moves.
    await changes(maps(page), () => page.getByRole('gridcell', { name: /\d$/, selected: false }).first().click());
    await means.nth(2).click();
    expect(await maps(page).count()).toBe(0);
  });

  it('keeps its model where a file is none, and knows a model without branches', async () => {
    await open(page, 'broken.safetensors', Buffer.from('nothing of the kind'));
    await expect.poll(() => page.getByRole('alert').textContent()).toMatch(/^Cannot read broken.safetensors: /);
    expect(await page.getByRole('button', { name: /^Layer 6, mean/ }).count()).toBe(1);
    await open(page, 'teacher.safetensors', await tinyModel('teacher'));
    await page.getByText('This model has no branches').waitFor(SLOW);
    expect(await page.getByRole('alert').isVisible()).toBe(false);
    expect(await maps(page).count()).toBe(2);
    expect(await page.getByRole('group', { name: 'Part of the model' }).getByRole('radio').count()).toBe(2);
    expect(await chart(page, 'Into the decoder').count()).toBe(1);
    expect(await page.getByText('subordinate').count()).toBe(0);
  });
});

it('says what is missing without WebGPU, and tries again', async () => {
  const { page } = await openTab(setting.browser);
  const mend = await prependToWorkers(page, "Object.defineProperty(navigator, 'gpu', { value: undefined })");
  await page.goto(`${setting.url}#inside`);
  await expect.poll(() => page.getByRole('alert').textContent(), SLOW).toMatch(/^This browser has no WebGPU/);
  expect(await page.getByRole('grid').isVisible()).toBe(false);
  await mend();
  await page.getByRole('button', { name: 'Try again' }).click();
  await maps(page).first().waitFor(SLOW);
  expect(await page.getByRole('alert').isVisible()).toBe(false);
  await page.context().close();
});
