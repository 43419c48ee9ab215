import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openBrowser, openTab, servePage } from '../testBrowser';

let browser: Browser;
let server: Awaited<ReturnType<typeof servePage>>;
beforeAll(async () => {
  [browser, server] = [await openBrowser(), await servePage()];
});
afterAll(async () => {
  await browser.close();
  await server.close();
});

it('opens at Unmix, and goes from view to view by links and by the keyboard', async () => {
  const { page, errors } = await openTab(browser);
  await page.goto(server.url);
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
  const { page } = await openTab(browser);
  const asked: string[] = [];
  page.on('request', (request) => asked.push(request.url()));
  for (const view of ['unmix', 'train', 'inside', 'kernels']) await page.goto(`${server.url}#${view}`);
  await page.waitForLoadState('networkidle');
  expect(asked.length).toBeGreaterThan(2);
  expect(asked.filter((url) => !url.startsWith(server.url) && !/^(data|blob):/.test(url))).toEqual([]);
});
