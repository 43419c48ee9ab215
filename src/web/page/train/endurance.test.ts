// @module-tag thorough
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { CDPSession, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TINY } from '../../../testing/tinyRun';
import { openBrowser, openBrowserWithHiddenTabs, openTab, servePage } from '../../../testing/testBrowser';

/* Long training in the page: its memory, hidden tabs, tabs side by side. */

const folder = mkdtempSync(join(tmpdir(), 'palimpsest-'));
let server: Awaited<ReturnType<typeof servePage>>;
beforeAll(async () => {
  server = await servePage();
});
afterAll(async () => {
  await server.close();
  rmSync(folder, { recursive: true });
});

/** A config.json of the tiny run with so many steps of i-MAE. */
function configOf(steps: number): string {
  const file = join(folder, `${steps}.json`);
  const logging = { logEvery: 1, scoreEvery: 100, checkpointEvery: 100, panelsEvery: 100 };
  writeFileSync(
    file,
    JSON.stringify({ ...TINY, data: { set: 'shapes' }, training: { ...TINY.training, budget: { steps } }, logging }),
  );
  return file;
}

async function startTraining(page: Page, steps: number): Promise<void> {
  await page.goto(`${server.url}#train`);
  await page.getByLabel('Start from a config.json').setInputFiles(configOf(steps));
  await page.getByRole('button', { name: 'Start training' }).click();
}

/** Steps of i-MAE done, as the page says. */
async function stepsDone(page: Page): Promise<number> {
  const text = (await page.locator('.standing').textContent()) ?? '';
  if (text.includes('all steps done')) return Infinity;
  return Number(/i-MAE, step ([\d,]+)/.exec(text)?.[1]?.replaceAll(',', '') ?? 0);
}

async function waitForStep(page: Page, step: number): Promise<void> {
  while ((await stepsDone(page)) < step) await page.waitForTimeout(200);
}

/** Asks the page, and by it the worker that trains, for the bytes of its heap after a collection. */
class HeapMeter {
  private calls = 0;

  private constructor(
    private readonly session: CDPSession,
    private readonly worker: string,
  ) {}

  /** @param page on which a worker trains */
  static async attach(page: Page): Promise<HeapMeter> {
    const session = await page.context().newCDPSession(page);
    const worker = new Promise<string>((resolve) => {
      session.on('Target.attachedToTarget', ({ sessionId, targetInfo }) => {
        if (targetInfo.url.endsWith('/training.js')) resolve(sessionId);
      });
    });
    await session.send('Target.setAutoAttach', { autoAttach: true, waitForDebuggerOnStart: false, flatten: false });
    return new HeapMeter(session, await worker);
  }

  async ofPage(): Promise<number> {
    await this.session.send('HeapProfiler.collectGarbage');
    return (await this.session.send('Runtime.getHeapUsage')).usedSize;
  }

  async ofWorker(): Promise<number> {
    await this.askWorker('HeapProfiler.collectGarbage');
    return (await this.askWorker('Runtime.getHeapUsage')).usedSize;
  }

  private async askWorker(method: string): Promise<{ usedSize: number }> {
    const { session, worker } = this;
    const id = ++this.calls;
    const answer = new Promise<{ usedSize: number }>((resolve) => {
      session.on('Target.receivedMessageFromTarget', ({ message }) => {
        const { id: of, result } = JSON.parse(message) as { id?: number; result: { usedSize: number } };
        if (of === id) resolve(result);
      });
    });
    await session.send('Target.sendMessageToTarget', { sessionId: worker, message: JSON.stringify({ id, method }) });
    return await answer;
  }
}

describe('1,000 steps in Chromium', () => {
  it('need no more memory at their end than after the first hundreds', async () => {
    const browser = await openBrowser();
    const { page, errors } = await openTab(browser);
    await startTraining(page, 1000);
    await waitForStep(page, 1);
    const heap = await HeapMeter.attach(page);
    const samples: { worker: number; page: number; gpu: string | null }[] = [];
    // Between scores and pictures, which need memory of their own for as long as they are made.
    for (const step of [275, 525, 775, 980]) {
      await waitForStep(page, step);
      const gpu = await page.locator('dt:text-is("GPU memory") + dd').textContent();
      samples.push({ worker: await heap.ofWorker(), page: await heap.ofPage(), gpu });
    }
    await browser.close();
    expect(errors).toEqual([]);
    const [first, ...later] = samples;
    for (const sample of later) {
      expect(sample.gpu).toBe(first?.gpu);
      expect(sample.worker - (first?.worker ?? 0)).toBeLessThan(500_000);
      // It keeps the metrics, of some 300 bytes a step as text and as numbers, and pictures every 100 steps.
      expect(sample.page - (first?.page ?? 0)).toBeLessThan(4_000_000);
    }
  });
});

describe('several tabs', () => {
  it('train side by side, and the same', async () => {
    const browser = await openBrowser();
    const tabs = [await openTab(browser), await openTab(browser)];
    await Promise.all(tabs.map(({ page }) => startTraining(page, 60)));
    await Promise.all(tabs.map(({ page }) => waitForStep(page, Infinity)));
    const shown = await Promise.all(tabs.map(({ page }) => page.locator('.legend').first().textContent()));
    expect(shown[0]).toMatch(/\d\.\d/);
    expect(shown[1]).toBe(shown[0]);
    for (const { errors } of tabs) expect(errors).toEqual([]);
    await browser.close();
  });

  it('train on while another one hides them', async ({ skip }) => {
    const browser = await openBrowserWithHiddenTabs();
    const context = browser.contexts()[0];
    if (!context) throw new Error('the browser has no window');
    const trains = await context.newPage();
    await startTraining(trains, 400);
    await waitForStep(trains, 5);
    const other = await context.newPage();
    await other.goto('data:text/html,other');
    await other.bringToFront();
    await other.waitForTimeout(1000);
    if ((await trains.evaluate(() => document.visibilityState)) === 'visible') {
      await browser.close();
      skip('this Chromium has no tabs that hide each other: the packaged one is for servers');
    }
    const before = await stepsDone(trains);
    await other.waitForTimeout(8000);
    expect(await trains.evaluate(() => document.visibilityState)).toBe('hidden');
    await trains.bringToFront();
    await expect.poll(() => trains.evaluate(() => document.visibilityState)).toBe('visible');
    await trains.waitForTimeout(300);
    expect(await stepsDone(trains)).toBeGreaterThan(before + 20);
    await waitForStep(trains, Infinity);
    await browser.close();
  });
});
