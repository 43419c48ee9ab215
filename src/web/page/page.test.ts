import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { openTab, useBrowser, WEB_FOLDER } from '../../testing/testBrowser';

const setting = useBrowser();

it('opens at Unmix, and goes from view to view by links and by the keyboard', async () => {
  const { page, errors } = await openTab(setting.browser);
  await page.goto(setting.url);
  expect(await page.title()).toBe('Unmix · palimpsest');
  await page.getByRole('link', { name: 'Train' }).click();
  await expect.poll(() => page.title()).toBe('Train · palimpsest');
  await page.keyboard.press('Tab');
  await page.keyboard.press('Enter');
  await expect.poll(() => page.title()).toBe('Inside · palimpsest');
  await page.goBack();
  await expect.poll(() => page.title()).toBe('Train · palimpsest');
  expect(errors).toEqual([]);
});

it('asks its own folder and nobody else for anything', async () => {
  const { page } = await openTab(setting.browser);
  const asked: string[] = [];
  page.on('request', (request) => asked.push(request.url()));
  for (const view of ['unmix', 'train', 'inside', 'kernels']) await page.goto(`${setting.url}#${view}`);
  await page.waitForLoadState('networkidle');
  expect(asked.length).toBeGreaterThan(2);
  expect(asked.filter((url) => !url.startsWith(setting.url) && !/^(data|blob):/.test(url))).toEqual([]);
});

it('says what to do where it was opened as a file', async () => {
  const { page } = await openTab(setting.browser);
  await page.goto(`file://${join(WEB_FOLDER, 'index.html')}`);
  await expect.poll(() => page.getByText('npm run web').isVisible()).toBe(true);
});

describe('weight, compressed', () => {
  /** A script and all that it loads before it runs. */
  const scriptsOf = (name: string, known = new Set<string>()): Set<string> => {
    if (known.has(name)) return known;
    known.add(name);
    const code = readFileSync(join(WEB_FOLDER, name), 'utf8');
    for (const [, imported = ''] of code.matchAll(/\b(?:from|import)"\.\/([\w-]+\.js)"/g)) scriptsOf(imported, known);
    return known;
  };
  const kilobytes = (names: Iterable<string>): number =>
    [...names].reduce((sum, name) => sum + gzipSync(readFileSync(join(WEB_FOLDER, name))).length / 1000, 0);

  it('the engine with i-MAE has at most 187 kB, the page at most 100 kB more', () => {
    const [page, training, viewing] = [scriptsOf('page.js'), scriptsOf('training.js'), scriptsOf('viewing.js')];
    const engine = new Set([...training, ...viewing]);
    expect(kilobytes(engine)).toBeGreaterThan(40); // so that it is in there at all
    expect(kilobytes(engine)).toBeLessThan(187);
    expect(kilobytes([...page].filter((name) => !engine.has(name)))).toBeLessThan(100);
  });

  it('the tests of kernels are loaded by who runs them alone', () => {
    const tests = [...scriptsOf('kernels.js')].filter((name) =>
      readFileSync(join(WEB_FOLDER, name), 'utf8').includes("the reference's own gradient"),
    );
    expect(tests).toHaveLength(1);
    for (const script of ['page.js', 'training.js', 'viewing.js']) expect(scriptsOf(script)).not.toContain(tests[0]);
  });
});
