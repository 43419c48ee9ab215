import { readFileSync } from 'node:fs';
import type { Page } from 'playwright-core';
import { describe, expect, it } from 'vitest';
import { isChosen } from '../../../../kernels-test/filter';
import { suites as testSuites } from '../../../../kernels-test/index';
import { openTab, prependToWorkers, useBrowser } from '../../../testing/testBrowser';
import type { SavedResults } from './results';

const setting = useBrowser();

/** Tests that a filter leaves. */
const countOf = (filter: string): number =>
  testSuites.flatMap(({ kernel, tests }) => tests.filter(({ name }) => isChosen(filter, kernel, name))).length;
const COUNT = countOf('');
const ADDS = countOf('add');
/** Those that add two operands, and not in place. */
const SUMS = testSuites.flatMap(({ kernel, tests }) =>
  tests.filter(({ name }) => kernel === 'add' && /^[\d×]+$/.test(name)),
).length;
const SLOW = { timeout: 30_000 };

/** The view, with a script run before the worker's own. */
async function openView(
  script?: string,
): Promise<{ page: Page; errors: string[]; outcome: () => Promise<string | null> }> {
  const { page, errors } = await openTab(setting.browser);
  if (script !== undefined) await prependToWorkers(page, script);
  await page.goto(`${setting.url}#kernels`);
  return { page, errors, outcome: () => page.getByRole('region', { name: 'Run' }).getByRole('status').textContent() };
}

const filterBy = (page: Page, text: string): Promise<void> =>
  page.getByRole('searchbox', { name: 'Filter' }).fill(text);
const press = (page: Page, name: string | RegExp): Promise<void> => page.getByRole('button', { name }).click(SLOW);

describe('the kernels', () => {
  /** @param filter leaves `count` tests */
  async function passesOnBaseline(filter: string, count: number): Promise<void> {
    const { page, errors, outcome } = await openView();
    await filterBy(page, filter);
    await page.getByText('Baseline').click();
    await expect
      .poll(() => page.getByRole('region', { name: 'Device' }).textContent(), SLOW)
      .toContain(
        'no optional feature; 8 storage buffers a kernel; 256 invocations and 16 KiB a workgroup; bindings of 128 MiB.',
      );
    await press(page, `Run ${count} tests`);
    await expect.poll(outcome, { timeout: 1_490_000, interval: 1000 }).not.toBe('');
    const failures = await page.getByRole('row').filter({ hasText: '✗' }).allTextContents();
    expect(failures).toEqual([]);
    expect(await outcome()).toMatch(new RegExp(`^✓${count} tests passed in `));
    expect(errors).toEqual([]);
  }

  it('passes every test of LayerNorm on a baseline device', () => passesOnBaseline('layerNorm', countOf('layerNorm')));

  it('passes every kernel test on a baseline device', { timeout: 1_500_000, tags: ['thorough'] }, () =>
    passesOnBaseline('', COUNT),
  );

  it(
    'times a kernel, says that the adapter is software, and gives what it found to the clipboard and to a file',
    { tags: ['thorough'] },
    async () => {
      const { page, errors, outcome } = await openView();
      await page.context().grantPermissions(['clipboard-read', 'clipboard-write']);
      await filterBy(page, 'philox');
      await press(page, 'Run 19 tests');
      await expect.poll(outcome, SLOW).toMatch(/^✓19 tests passed in /);
      await press(page, 'Time 3 cases');
      // What the adapter can do at most is measured first.
      await expect.poll(outcome, { timeout: 90_000 }).toMatch(/^✓3 cases timed in /);
      expect(await page.getByRole('region', { name: 'Device' }).textContent()).toContain('SOFTWARE, not a GPU');
      expect(await page.getByRole('region', { name: 'Results' }).textContent()).toContain(
        'SOFTWARE adapter: times are no result',
      );
      const row = page.getByRole('row').filter({ hasText: '±' }).first();
      const cells = await row.getByRole('cell').allTextContents();
      expect(cells).toHaveLength(5);
      expect(Number(cells[0])).toBeGreaterThan(0);

      await press(page, 'Copy as table');
      await expect.poll(() => page.evaluate(() => navigator.clipboard.readText())).toContain('kernel\tcase\tµs');
      await press(page, 'Copy as Markdown');
      await expect
        .poll(() => page.evaluate(() => navigator.clipboard.readText()))
        .toContain('| philox | 19 tests passed');
      const [download] = await Promise.all([page.waitForEvent('download'), press(page, 'Save as JSON')]);
      expect(download.suggestedFilename()).toMatch(/^palimpsest-bench-\d{4}-\d\d-\d\d\.json$/);
      const saved = JSON.parse(readFileSync(await download.path(), 'utf8')) as SavedResults;
      expect(saved).toMatchObject({
        format: 'palimpsest bench 1',
        device: { wanted: 'full', adapter: { software: true } },
      });
      expect(saved.warning).toContain('This adapter is software');
      expect(saved.tests).toHaveLength(19);
      expect(saved.benches.map((result) => 'microseconds' in result && result.microseconds > 0)).toEqual([
        true,
        true,
        true,
      ]);
      expect(saved.ceilings?.f32.value).toBeGreaterThan(0);
      expect(saved.clock?.note).not.toBe('');
      expect(await page.getByRole('region', { name: 'Results' }).textContent()).toContain('f32 arithmetic');
      expect(errors).toEqual([]);
    },
  );

  it('shows what fails and where, and goes on', async () => {
    // A compiler that adds wrongly.
    const { page, outcome } = await openView(`{
      const make = GPUDevice.prototype.createShaderModule;
      GPUDevice.prototype.createShaderModule = function (module) {
        return make.call(this, { ...module, code: module.code.replace('a[i] + b[i]', 'a[i] - b[i]') });
      };
    }`);
    await filterBy(page, 'add');
    await press(page, `Run ${ADDS} tests`);
    await expect.poll(outcome, { timeout: 90_000 }).toBe(`✗${SUMS} of ${ADDS} tests failed`);
    const failed = page.getByRole('row').filter({ hasText: '✗' });
    expect(await failed.filter({ hasText: 'test 17×33' }).textContent()).toMatch(
      /with kernels for GPUs: out: relative error/,
    );
    await press(page, 'tests of add');
    expect(await page.getByRole('listitem').filter({ hasText: 'in place 65×33, adding' }).textContent()).toContain(
      'passed',
    );
    await filterBy(page, 'add 1001');
    await press(page, 'Time 1 case');
    await expect.poll(outcome, { timeout: 90_000 }).toBe('✗1 of 1 case failed');
    expect(await failed.filter({ hasText: 'case 1001×33' }).textContent()).toMatch(/out: relative error/);
  });

  it('stops at once and keeps what was found; then runs again', async () => {
    const { page, errors, outcome } = await openView();
    await press(page, `Run ${COUNT} tests`);
    await expect.poll(() => page.getByRole('row', { name: /^adamw/ }).textContent(), SLOW).toContain('6 tests passed');
    await page.keyboard.press('Enter'); // the button that stops has the focus
    await expect.poll(outcome, { timeout: 1000 }).toMatch(new RegExp(`^Stopped after \\d+ of ${COUNT}\\.$`));
    await filterBy(page, 'mixture');
    await press(page, 'Run 15 tests');
    await expect.poll(outcome, SLOW).toMatch(/^✓15 tests passed/);
    await filterBy(page, '');
    expect(await page.getByRole('row', { name: /^adamw/ }).textContent()).toContain('6 tests passed');
    expect(errors).toEqual([]);
  });

  it('shows the WGSL of a kernel', async () => {
    const { page } = await openView();
    await press(page, 'WGSL of softmax');
    expect(await page.getByText('// softmax: each row as probabilities, or as their logarithms').isVisible()).toBe(
      true,
    );
    await press(page, 'WGSL of softmax');
    expect(await page.getByText('// softmax: each row as probabilities, or as their logarithms').isVisible()).toBe(
      false,
    );
  });
});

describe('where something is missing', () => {
  it('says that a browser has no WebGPU, and what to do', async () => {
    const { page } = await openView(`Object.defineProperty(navigator, 'gpu', { value: undefined })`);
    const device = page.getByRole('region', { name: 'Device' });
    await expect.poll(() => device.textContent(), SLOW).toContain('This browser has no WebGPU');
    expect(await page.getByRole('button', { name: `Run ${COUNT} tests` }).isDisabled()).toBe(true);
    expect(await page.getByRole('row', { name: /^matmul/ }).count()).toBe(1);
  });

  it('says that the device was lost, keeps what was found, and can run again', async () => {
    const { page, outcome } = await openView(`{
      const make = GPUDevice.prototype.createBuffer;
      let count = 0;
      GPUDevice.prototype.createBuffer = function (settings) {
        if (++count === 40) this.destroy();
        return make.call(this, settings);
      };
    }`);
    await filterBy(page, 'add');
    await press(page, `Run ${ADDS} tests`);
    await expect.poll(outcome, SLOW).toMatch(/^✗The GPU device was lost: .* What was found until then is kept/);
    expect(await page.getByRole('row', { name: /^add / }).textContent()).toMatch(/\d tests? passed, \d+ not run/);
    expect(await page.getByRole('button', { name: 'Save as JSON' }).count()).toBe(1);
    expect(await page.getByRole('button', { name: `Run ${ADDS} tests` }).isDisabled()).toBe(false);
  });
});
