import { execFile } from 'node:child_process';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Browser, Page } from 'playwright-core';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openBrowser, openTab } from '../src/testing/testBrowser';
import { serveExamples } from '../tools/examples';

/* Every example is run as its reader would run it, and what it shows is checked. */

const LINES = 100;
const TIMEOUT = 100_000;
const run = promisify(execFile);

const names = readdirSync('examples').filter((name) => statSync(join('examples', name)).isDirectory());
const files = names.flatMap((name) => readdirSync(join('examples', name)).map((file) => join('examples', name, file)));

/** What examples draw at random is the same in every test (a linear congruential generator, Numerical Recipes). */
function drawAlike(): void {
  let state = 1;
  Math.random = () => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) / 2 ** 32;
}

/** What follows each match of a text, as numbers. */
function numbers(text: string, before: string): number[] {
  return [...text.matchAll(new RegExp(`${before} ?(-?\\d+(?:\\.\\d+)?)`, 'g'))].map((match) => Number(match[1]));
}

/** Losses that a text tells of, each of one batch: the mean of the last three is to be less than a share of the first. */
function expectFall(text: string, share: number, before = 'loss'): void {
  const losses = numbers(text, before);
  expect(losses.length, text).toBeGreaterThan(1);
  const last = losses.slice(1).slice(-3);
  const mean = last.reduce((sum, loss) => sum + loss, 0) / last.length;
  expect(mean, text).toBeLessThan(share * (losses[0] ?? NaN));
}

describe('examples', () => {
  it.each(files)(`%s is a program of at most ${LINES} lines that says what it shows and how to run it`, (file) => {
    const lines = readFileSync(file, 'utf8').trimEnd().split('\n');
    expect(lines.length).toBeLessThanOrEqual(LINES);
    const head = lines.slice(file.endsWith('.html') ? 1 : 0);
    expect(head[0]).toMatch(/^(\/\/|<!--) ./);
    expect(head[1]).toMatch(/^(\/\/|<!--) To run it: npm run examples/);
  });

  it('are listed', () => {
    const list = readFileSync('examples/README.md', 'utf8');
    expect(names.filter((name) => !list.includes(`(${name}/`))).toEqual([]);
  });
});

describe('in Node', { tags: ['device'], timeout: TIMEOUT }, () => {
  const said = async (name: string): Promise<string> =>
    (await run(process.execPath, ['tools/examples.js', name])).stdout;

  it('linearRegression finds the line', async () => {
    const text = await said('linearRegression');
    expectFall(text, 0.1);
    const [slope = 0, offset = 0] = [...numbers(text, 'y ='), ...numbers(text, 'x \\+')];
    expect(Math.abs(slope - 3) + Math.abs(offset - 1)).toBeLessThan(0.1);
  });

  it('ownOperation is right, and trains', async () => {
    const text = await said('ownOperation');
    expect(text).toContain('values and gradients are right');
    expectFall(text, 0.1);
  });

  it('characters writes what it read', async () => {
    const text = await said('characters');
    expectFall(text, 0.2);
    const written = /written: (.*)/.exec(text)?.[1] ?? '';
    const read = readFileSync('examples/characters/model.ts', 'utf8');
    const words = written.split(' ').slice(0, -1);
    expect(words.length).toBeGreaterThan(8);
    expect(words.filter((word) => read.includes(` ${word} `)).length).toBeGreaterThan(0.6 * words.length);
  });

  it('imae trains, and leaves a model', async () => {
    const text = await said('imae');
    expectTraining(text);
    const { size } = statSync(/model: (.*)/.exec(text)?.[1] ?? '');
    expect(size).toBeGreaterThan(10_000);
  });
});

/** Both phases of i-MAE. */
function expectTraining(text: string): void {
  const [, teacher = '', rest = ''] = text.split(/^(?:teacher|imae): .*$/m);
  for (const phase of [teacher, rest]) expectFall(phase, 0.97);
  expect(numbers(text, 'dominant')).toHaveLength(1);
}

/* eslint-disable @typescript-eslint/unbound-method -- each is called with the object that it was called on */
/** Watches devices that a page opens: errors, bytes in buffers and textures, and whoever touches handlers. */
function watchDevices(): void {
  const watch = { errors: [] as string[], handlers: 0, live: new Map<object, string>() };
  Object.assign(globalThis, { watch });
  const requestDevice = GPUAdapter.prototype.requestDevice;
  GPUAdapter.prototype.requestDevice = async function (descriptor) {
    const device = await requestDevice.call(this, descriptor);
    device.addEventListener('uncapturederror', ({ error }) => watch.errors.push(error.message));
    const { addEventListener } = device;
    device.addEventListener = (...args: Parameters<typeof addEventListener>) => {
      watch.handlers++;
      addEventListener.apply(device, args);
    };
    void device.lost.then(({ reason, message }) => {
      if (reason !== 'destroyed') watch.errors.push(`lost: ${message}`);
    });
    return device;
  };
  const made = (object: GPUBuffer | GPUTexture): void => void watch.live.set(object, object.label);
  const { createBuffer, createTexture } = GPUDevice.prototype;
  GPUDevice.prototype.createBuffer = function (descriptor) {
    const buffer = createBuffer.call(this, descriptor);
    made(buffer);
    return buffer;
  };
  GPUDevice.prototype.createTexture = function (descriptor) {
    const texture = createTexture.call(this, descriptor);
    made(texture);
    return texture;
  };
  for (const { prototype } of [GPUBuffer, GPUTexture]) {
    const destroy = prototype.destroy;
    prototype.destroy = function () {
      watch.live.delete(this);
      destroy.call(this);
    };
  }
}

/* eslint-enable @typescript-eslint/unbound-method */

interface Watched {
  readonly watch: { readonly errors: string[]; readonly handlers: number; readonly live: Map<object, string> };
}

describe('in a page', { tags: ['device'], timeout: TIMEOUT }, () => {
  let browser: Browser;
  let server: Awaited<ReturnType<typeof serveExamples>>;
  beforeAll(async () => {
    [browser, server] = await Promise.all([openBrowser({ canvas: true }), serveExamples()]);
  });
  afterAll(async () => {
    await browser.close();
    await server.close();
  });

  /** Opens an example, hands it over and holds that nothing went wrong in it. */
  async function visit(name: string, use: (page: Page) => Promise<void>): Promise<void> {
    const { page, errors } = await openTab(browser);
    page.setDefaultTimeout(TIMEOUT);
    await page.addInitScript(watchDevices);
    await page.addInitScript(drawAlike);
    await page.goto(`${server.url}${name}/`);
    try {
      await Promise.race([use(page), failure(page)]);
      const { errors: ofDevice, handlers } = await page.evaluate(() => (globalThis as unknown as Watched).watch);
      expect(errors.filter((text) => !text.includes('favicon'))).toEqual([]);
      expect(ofDevice).toEqual([]);
      expect(handlers).toBe(0);
    } finally {
      await page.context().close();
    }
  }

  const failure = (page: Page): Promise<never> =>
    new Promise((_, reject) => {
      page.on('pageerror', reject);
    });

  /** The text of a page, once it is there. */
  async function textWith(page: Page, pattern: RegExp): Promise<string> {
    await page.waitForFunction((source) => new RegExp(source).test(document.body.innerText), pattern.source);
    return await page.evaluate(() => document.body.innerText);
  }

  /** Numbers from 0 to 255 for each red, green and blue that is shown. */
  async function pixels(page: Page, selector: string): Promise<Uint8Array> {
    const shot = await page.locator(selector).screenshot();
    return new Uint8Array(await sharp(shot).removeAlpha().raw().toBuffer());
  }

  const difference = (a: Uint8Array, b: Uint8Array): number =>
    a.reduce((sum, value, i) => sum + Math.abs(value - (b[i] ?? 0)), 0) / a.length;
  const spread = (a: Uint8Array): number =>
    a.reduce((max, value) => Math.max(max, value), 0) - a.reduce((min, value) => Math.min(min, value), 255);

  it('linearRegression finds the line', async () => {
    await visit('linearRegression', async (page) => {
      expectFall(await textWith(page, /y = /), 0.1);
    });
  });

  it('threeJs learns in its frames, and gives the device back as it was', async () => {
    await visit('threeJs', async (page) => {
      const begun = await textWith(page, /Loss: /);
      await page.waitForFunction(() => Number(/Loss: ([\d.]+)\d/.exec(document.body.innerText)?.[1]) < 0.01);
      expectFall(`${begun} ${await textWith(page, /Loss: /)}`, 0.8, 'Loss:');
      expect(await textWith(page, /with it/)).toMatch(/takes [\d.]+ ms without training, [\d.]+ ms with it/);
      const learnt = await pixels(page, 'canvas');
      expect(spread(learnt)).toBeGreaterThan(100);

      await page.click('button');
      await textWith(page, /\b0 bytes are left/);
      const after = await pixels(page, 'canvas');
      await page.waitForTimeout(500);
      expect(difference(after, await pixels(page, 'canvas'))).toBeGreaterThan(0.5);
      const live = await page.evaluate(() => [...(globalThis as unknown as Watched).watch.live.values()]);
      expect(live.filter((label) => !/^(learnt|depthBuffer|colorBuffer|bindingBuffer.*|)$/.test(label))).toEqual([]);
    });
  });

  it('denoise takes most of the noise away', async () => {
    await visit('denoise', async (page) => {
      const text = await textWith(page, /step 150 of/);
      const [before = NaN, after = NaN] = [...numbers(text, 'error'), ...numbers(text, 'before,')];
      expect(after).toBeLessThan(0.5 * before);
      const [noisy, denoised] = [await pixels(page, '#noisy'), await pixels(page, '#denoised')];
      const scene = await pixels(page, '#scene');
      expect(difference(denoised, scene)).toBeLessThan(0.7 * difference(noisy, scene));
    });
  });

  it('shapeClassifier tells shapes apart that it never saw', async () => {
    await visit('shapeClassifier', async (page) => {
      const text = await textWith(page, /told right/);
      expectFall(text, 0.75); // it begins at ln 3, that of a guess, and steps are few
      expect(numbers(text, '\\n')[0]).toBeGreaterThan(50);
      expect(await page.locator('figure').allInnerTexts()).toHaveLength(12);
    });
  });

  it('typeGpu trains on the buffer of the app', async () => {
    await visit('typeGpu', async (page) => {
      const text = await textWith(page, /still there/);
      expectFall(text, 0.5);
      expect(numbers(text, '\\n')[0]).toBeGreaterThan(85);
    });
  });

  it('worker draws while the page has its frames', async () => {
    await visit('worker', async (page) => {
      const text = await textWith(page, /step 400/);
      expectFall(text, 0.3);
      expect(Number(/(\d+) frames/.exec(text)?.[1])).toBeGreaterThan(10);
      expect(spread(await pixels(page, 'canvas'))).toBeGreaterThan(100);
    });
  });

  it('imae trains, and offers its model', async () => {
    await visit('imae', async (page) => {
      expectTraining(await textWith(page, /model\.safetensors/));
    });
  });
});
