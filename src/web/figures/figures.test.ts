import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { writeFigures } from '../../runs/figureFile';
import { readTemplate } from '../../runs/reportFile';
import { openBrowser, openTab } from '../../testing/testBrowser';
import { examplePage } from './example';
import { colourAt, scaleOf } from './scale';

const root = join(import.meta.dirname, '..', '..', '..');

describe('the page of figures', () => {
  let folder: string;
  let url: string;
  let browser: Browser;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'figures-'));
    execFileSync(process.execPath, [
      '-e',
      `import(${JSON.stringify(join(root, 'tools/build.js'))}).then((tool) => tool.buildIfStale())`,
    ]);
    const path = writeFigures(
      join(folder, 'new', 'figures.html'),
      examplePage(),
      readTemplate(join(root, 'dist', 'figures.html')),
    );
    url = pathToFileURL(path).href;
    browser = await openBrowser();
  });

  afterAll(async () => {
    await browser.close();
    rmSync(folder, { recursive: true });
  });

  it.each([
    [390, 'light'],
    [1400, 'dark'],
  ] as const)('draws every figure at %i pixels, %s', async (width, colorScheme) => {
    const { page, errors } = await openTab(browser, { viewport: { width, height: 900 }, colorScheme });
    await page.goto(url);
    const figures = page.locator('figure.figure');
    const wanted = examplePage().sections.flatMap((section) => section.figures);
    expect(await figures.count()).toBe(wanted.length);
    for (const [at, { kind, title }] of wanted.entries()) {
      const figure = figures.nth(at);
      await figure.scrollIntoViewIfNeeded();
      expect(await figure.locator('> figcaption').textContent()).toMatch(
        new RegExp(`^(Figure|Table) \\d+\\. ${title.replace('?', '\\?')}`),
      );
      const mark = { lines: 'canvas', bars: 'rect', matrix: 'rect', table: 'tbody td', picture: 'img' }[kind];
      await figure.locator(mark).first().waitFor();
      if (kind === 'lines') expect(await figure.locator('canvas').evaluate(inked)).toBeGreaterThan(0.01);
    }
    // Neither the page is wider than the window, nor anything in it than its place, but tables, which scroll.
    expect(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)).toBeLessThanOrEqual(0);
    expect(await page.evaluate(tooWide)).toEqual([]);
    expect(await page.locator('body').getAttribute('data-theme')).toBeNull();
    expect(await page.locator('html').getAttribute('data-theme')).toBe(colorScheme);
    expect(errors).toEqual([]);
  });
});

/** Share of a canvas that is drawn on. */
function inked(canvas: Element): number {
  const { width, height } = canvas as HTMLCanvasElement;
  const { data } = (canvas as HTMLCanvasElement).getContext('2d')?.getImageData(0, 0, width, height) ?? { data: [] };
  let count = 0;
  for (let at = 3; at < data.length; at += 4) if (data[at] !== 0) count++;
  return count / (width * height);
}

function tooWide(): string[] {
  return [...document.querySelectorAll('main *')]
    .filter(
      (each) =>
        !each.closest('.scrolled, .unseen, svg, .u-wrap') && each.getBoundingClientRect().right > innerWidth + 0.5,
    )
    .map((each) => `${each.tagName} ${each.className}`);
}

describe('scaleOf', () => {
  it('ends at round numbers, and spans what it is told to', () => {
    expect(scaleOf({ title: '' }, [0, 0.83])).toMatchObject({ low: 0, high: 1, ticks: [0, 0.5, 1] });
    expect(scaleOf({ title: '', span: [0, 1] }, [0.2])).toMatchObject({ low: 0, high: 1 });
    expect(scaleOf({ title: '' }, [-0.035, 0.05])).toMatchObject({ low: -0.05, high: 0.05 });
    expect(scaleOf({ title: '', logarithmic: true }, [3, 200])).toMatchObject({ ticks: [1, 10, 100, 1000] });
  });

  it('places values evenly, or by their powers', () => {
    expect(scaleOf({ title: '', span: [0, 2] }, []).at(0.5)).toBe(0.25);
    expect(scaleOf({ title: '', logarithmic: true, span: [1, 100] }, []).at(10)).toBe(0.5);
  });

  it('has a place for equal values and for none', () => {
    expect(scaleOf({ title: '' }, [3, 3], { round: false }).at(3)).toBe(0);
    expect(scaleOf({ title: '' }, []).at(0)).toBe(0);
  });
});

describe('colourAt', () => {
  it('grows lighter all the way, from blue to yellow', () => {
    const luminance = ([r, g, b]: readonly [number, number, number]): number => 0.2126 * r + 0.7152 * g + 0.0722 * b;
    const lights = Array.from({ length: 21 }, (_, at) => luminance(colourAt(at / 20)));
    expect(lights.slice(1).every((light, at) => light > (lights[at] ?? 0))).toBe(true);
    const [first, last] = [colourAt(0), colourAt(1)];
    expect(first[2]).toBeGreaterThan(first[0] + 30);
    expect(last[0]).toBeGreaterThan(last[2] + 30);
  });
});
