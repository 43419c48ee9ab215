import { join } from 'node:path';
import type { Locator, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { saveModel, trainedAs } from '../../../imae/checkpoint/checkpoint';
import type { Phase } from '../../../imae/config/config';
import { normalisationMetadata } from '../../../imae/checkpoint/modelFile';
import { tinyConfig } from '../../../testing/tinyRun';
import { initializeModel, makeModel } from '../../../imae/train/models';
import { testEngine } from '../../../testing/testEngine';
import { openTab, prependToWorkers, useBrowser } from '../../../testing/testBrowser';

const setting = useBrowser();

/** Pictures are asked for long before the GPU's shaders are compiled. */
const SLOW = { timeout: 50_000 };

const picture = (page: Page, name: RegExp): Locator => page.getByRole('img', { name });
const restored = (page: Page, image: 1 | 2): Locator =>
  picture(page, new RegExp(`^Image ${image} as the model paints it again`));
const seen = (page: Page): Locator => picture(page, /patches hidden$/);
const pixels = (canvas: Locator): Promise<string> => canvas.evaluate((each) => (each as HTMLCanvasElement).toDataURL());

/** Does something, and waits until a picture has become another one. */
async function changes(canvas: Locator, action: () => Promise<void>): Promise<void> {
  const before = await pixels(canvas);
  await action();
  await expect.poll(() => pixels(canvas), SLOW).not.toBe(before);
}

/** Drops a file on a place of the page. */
async function drop(
  place: Locator,
  file: { readonly name: string; readonly type: string; readonly bytes: Uint8Array },
): Promise<void> {
  const content = { ...file, bytes: [...file.bytes] };
  await place.evaluate((target, { name, type, bytes }) => {
    const dataTransfer = new DataTransfer();
    dataTransfer.items.add(new File([Uint8Array.from(bytes)], name, { type }));
    for (const kind of ['dragover', 'drop'])
      target.dispatchEvent(new DragEvent(kind, { dataTransfer, bubbles: true, cancelable: true }));
  }, content);
}

/** A picture as a browser saves it: left half red, right half blue. */
function photograph(page: Page): Promise<number[]> {
  return page.evaluate(async () => {
    const canvas = new OffscreenCanvas(90, 60);
    const context = canvas.getContext('2d') as OffscreenCanvasRenderingContext2D;
    for (const [index, colour] of ['red', 'blue'].entries()) {
      context.fillStyle = colour;
      context.fillRect(45 * index, 0, 45, 60);
    }
    return [...new Uint8Array(await (await canvas.convertToBlob({ type: 'image/png' })).arrayBuffer())];
  });
}

/** A tiny model with random weights, as a file. */
async function tinyModel(phase: Phase): Promise<Buffer> {
  const engine = await testEngine();
  const config = tinyConfig({ model: { patch: 8 } });
  const model = makeModel(engine, config, phase);
  initializeModel(model, 1);
  const metadata = {
    phase,
    step: '12',
    ...trainedAs(config, phase),
    ...normalisationMetadata({ mean: [0.5, 0.5, 0.5], std: [0.25, 0.25, 0.25] }),
  };
  const bytes = saveModel(model, await model.parameters.read(), metadata);
  engine.dispose();
  return Buffer.from(bytes);
}

describe('with the model that ships with the page', () => {
  let page: Page;
  let errors: string[];
  beforeAll(async () => {
    ({ page, errors } = await openTab(setting.browser));
    await page.goto(setting.url);
    await restored(page, 1).waitFor(SLOW);
  });
  afterAll(async () => {
    expect(errors).toEqual([]);
    await page.context().close();
  });

  it('takes a pair apart, and says how well', async () => {
    await expect.poll(() => page.getByText('Taken apart.').count()).toBe(1);
    expect(await page.getByText(/of the error that the mixture has/).count()).toBe(2);
    expect(
      await page
        .getByText(/the model shipped with this page: i-MAE with two branches; 32 × 32 pixels in 16 patches/)
        .count(),
    ).toBe(1);
    expect(await page.getByText(/SOFTWARE, not a GPU/).count()).toBe(1);
    expect(await picture(page, /^Errors of image [12]: at most \d+ %/).count()).toBe(2);
  });

  it('the pair and its mixture are there long before, without a GPU', async () => {
    const [inputs, reconstructions] = await page.evaluate(() =>
      ['unmix: inputs', 'unmix: reconstructions'].map(
        (name) => performance.getEntriesByName(name)[0]?.startTime ?? NaN,
      ),
    );
    expect(inputs).toBeLessThan(reconstructions ?? NaN);
  });

  it('α and mask ratio are moved by keys, and the pictures follow', async () => {
    const alpha = page.getByRole('slider', { name: 'α, the weight of image 1' });
    expect(await alpha.getAttribute('aria-valuetext')).toBe('35 % image 1, 65 % image 2');
    await alpha.focus();
    await changes(restored(page, 1), () => page.keyboard.press('PageDown'));
    expect(await picture(page, /^Mixture of 25 % image 1 and 75 % image 2/).count()).toBe(1);
    await page.keyboard.press('End');
    await expect.poll(() => page.getByText('subordinate 0 %').count()).toBe(1);
    await expect.poll(() => page.getByText(/Little of image 2 is left/).count(), SLOW).toBe(1);
    await alpha.fill('0.35');

    const mask = page.getByRole('slider', { name: 'Mask ratio' });
    expect(await mask.getAttribute('aria-valuetext')).toBe('4 of 16 patches hidden');
    await mask.focus();
    await changes(restored(page, 2), () => page.keyboard.press('ArrowRight'));
    expect(await seen(page).getAttribute('aria-label')).toBe('The mixture with 5 of 16 patches hidden');
    await mask.press('ArrowLeft');
  });

  it('hides patches in other ways, as many', async () => {
    const kind = page.getByRole('combobox', { name: 'mask' });
    expect(await kind.inputValue()).toBe('random');
    for (const mask of ['block', 'grid', 'variance']) {
      await changes(restored(page, 2), () =>
        changes(seen(page), async () => {
          await kind.selectOption(mask);
        }),
      );
      expect(await seen(page).getAttribute('aria-label')).toBe('The mixture with 4 of 16 patches hidden');
    }
    await kind.selectOption('random');
  });

  it('shows other patches, other pairs and raw reconstructions', async () => {
    await changes(seen(page), () => page.getByRole('button', { name: 'Other patches' }).click());
    await changes(restored(page, 1), () => page.getByText('Raw', { exact: true }).click());
    expect(await page.getByText(/there, this is noise/).count()).toBe(1);
    await page.getByText('Composite', { exact: true }).click();
    const first = picture(page, /^Image 1: /);
    const before = await first.getAttribute('aria-label');
    await changes(restored(page, 1), () => page.getByRole('button', { name: 'Another pair' }).click());
    const after = await first.getAttribute('aria-label');
    expect(after).not.toBe(before);
    await page.getByRole('button', { name: 'Swap' }).click();
    expect(await picture(page, /^Image 2: /).getAttribute('aria-label')).toBe(after?.replace('Image 1', 'Image 2'));
    await changes(restored(page, 1), () => page.getByRole('button', { name: /^star/ }).first().click());
    expect(await first.getAttribute('aria-label')).toMatch(/^Image 1: star/);
  });

  it('takes an image that is dropped on its place, and refuses what is none', async () => {
    const second = picture(page, /^Image 2: /);
    await changes(restored(page, 2), async () =>
      drop(second, { name: 'photo.png', type: 'image/png', bytes: Uint8Array.from(await photograph(page)) }),
    );
    expect(await second.getAttribute('aria-label')).toBe('Image 2: photo.png');
    // The square in its middle: red at the left, blue at the right.
    const colours = await second.evaluate((canvas) => {
      const context = (canvas as HTMLCanvasElement).getContext('2d') as CanvasRenderingContext2D;
      return [1, 30].map((x) => [...context.getImageData(x, 16, 1, 1).data.slice(0, 3)]);
    });
    expect(colours).toEqual([
      [255, 0, 0],
      [0, 0, 255],
    ]);
    expect(await page.getByText('has only ever seen drawn shapes').count()).toBe(1);
    expect(await page.getByText(/mean of all shapes to/).count()).toBe(0);

    await drop(second, { name: 'notes.txt', type: 'text/plain', bytes: Uint8Array.of(1, 2, 3) });
    await expect
      .poll(() => page.getByRole('alert').textContent())
      .toMatch(/^notes.txt is no image that this browser can read/);
    expect(await second.getAttribute('aria-label')).toBe('Image 2: photo.png');
    await page.getByRole('button', { name: 'Dismiss' }).click();
  });

  it('keeps its model where a file is none, and opens one that is', async () => {
    const file = page.getByLabel('Open a model…');
    await file.setInputFiles({ name: 'broken.safetensors', mimeType: '', buffer: Buffer.from('nothing of the kind') });
    await expect.poll(() => page.getByRole('alert').textContent()).toMatch(/^Cannot read broken.safetensors: /);
    const vanilla = await tinyModel('teacher');
    await file.setInputFiles({ name: 'cut.safetensors', mimeType: '', buffer: vanilla.subarray(0, 5000) });
    await expect.poll(() => page.getByRole('alert').textContent()).toMatch(/cut.safetensors.*cut short/);
    // What PyTorch saved is read, too, of the disk as it is: this one does not say enough, and no option of a command line is asked for.
    await file.setInputFiles(join(import.meta.dirname, '../../../imae/checkpoint/testFiles/mae.pth'));
    await expect
      .poll(() => page.getByRole('alert').textContent())
      .toMatch(
        /^mae\.pth does not say in its metadata how many heads it has, .* Give a checkpoint that this program saved\./,
      );
    await changes(restored(page, 1), () =>
      page.getByRole('slider', { name: 'α, the weight of image 1' }).press('PageUp'),
    );
    expect(await page.getByText(/the model shipped with this page: /).count()).toBe(1);

    await file.setInputFiles({ name: 'teacher-12.safetensors', mimeType: '', buffer: vanilla });
    await picture(page, /^The mixture as the model paints it again/).waitFor(SLOW);
    expect(await page.getByRole('alert').isVisible()).toBe(false);
    expect(
      await page.getByText(/teacher-12.safetensors: a vanilla MAE: .* 16 × 16 pixels in 4 patches, 12 steps/).count(),
    ).toBe(1);
    expect(await page.getByText('Completed, not taken apart.').count()).toBe(1);
    expect(await restored(page, 1).count()).toBe(0);
    expect(await page.getByRole('slider', { name: 'Mask ratio' }).getAttribute('aria-valuetext')).toBe(
      '1 of 4 patches hidden',
    );
  });
});

describe('without a GPU', () => {
  /** Opens the page with a script that runs in the worker before its own. */
  async function openWith(
    preface: string,
  ): Promise<Awaited<ReturnType<typeof openTab>> & { mend: () => Promise<void> }> {
    const tab = await openTab(setting.browser);
    const mend = await prependToWorkers(tab.page, preface);
    await tab.page.goto(setting.url);
    return { ...tab, mend };
  }

  it('shows the pair and its mixture, says what is missing, and tries again', async () => {
    const { page, mend } = await openWith("Object.defineProperty(navigator, 'gpu', { value: undefined });");
    await expect.poll(() => page.getByRole('alert').textContent(), SLOW).toMatch(/^This browser has no WebGPU/);
    const mixture = picture(page, /^Mixture of/);
    await changes(mixture, () => page.getByRole('slider', { name: 'α, the weight of image 1' }).press('PageUp'));
    expect(await restored(page, 1).count()).toBe(0);
    await mend();
    await page.getByRole('button', { name: 'Try again' }).click();
    await restored(page, 1).waitFor(SLOW);
    expect(await page.getByRole('alert').isVisible()).toBe(false);
    await page.context().close();
  });

  it('says that the device was lost, keeps what is shown, and goes on with another', async () => {
    const { page } = await openWith(`
      const request = GPUAdapter.prototype.requestDevice;
      GPUAdapter.prototype.requestDevice = async function (...given) { return (self.lent = await request.apply(this, given)); };`);
    await restored(page, 1).waitFor(SLOW);
    const before = await pixels(restored(page, 1));
    await page.workers()[0]?.evaluate('lent.destroy()');
    await page.getByRole('slider', { name: 'α, the weight of image 1' }).press('PageUp');
    await expect.poll(() => page.getByRole('alert').textContent(), SLOW).toMatch(/The GPU device was lost/);
    expect(await pixels(restored(page, 1))).toBe(before);
    await page.getByRole('button', { name: 'Try again' }).click();
    await expect.poll(() => restored(page, 1).count(), SLOW).toBe(1);
    await expect.poll(() => pixels(restored(page, 1)), SLOW).not.toBe(before);
    await page.context().close();
  });
});
