import { expect, it } from 'vitest';
import { TINY } from '../../testing/tinyRun';
import { openTab, prependToWorkers, useBrowser } from '../../testing/testBrowser';

/* The page on what every WebGPU has to give: no optional feature, and the default limits. */

/** Adapters say that they have no feature, and give devices as if nothing were asked for. */
const BASELINE = `
  const requestDevice = GPUAdapter.prototype.requestDevice;
  GPUAdapter.prototype.requestDevice = async function () {
    const device = await requestDevice.call(this);
    console.log('baseline', device.features.has('subgroups'), device.limits.maxStorageBuffersPerShaderStage);
    return device;
  };
  Object.defineProperty(GPUAdapter.prototype, 'features', { get: () => new Set() });`;

const setting = useBrowser();

it('takes mixtures apart, looks inside and trains', async () => {
  const { page, errors } = await openTab(setting.browser);
  const devices: string[] = [];
  page.on('console', (message) => {
    if (message.text().startsWith('baseline')) devices.push(message.text());
  });
  await prependToWorkers(page, BASELINE);

  await page.goto(setting.url);
  await page.getByText('Taken apart.').waitFor({ timeout: 60_000 });
  await page.goto(`${setting.url}#inside`);
  await page.getByText(/its branch’s latent is nearer to it/).waitFor({ timeout: 60_000 });

  await page.goto(`${setting.url}#train`);
  const config = { ...TINY, logging: { ...TINY.logging, panelsEvery: 2 } };
  const buffer = Buffer.from(JSON.stringify(config));
  await page
    .getByLabel('Start from a config.json')
    .setInputFiles({ name: 'tiny.json', mimeType: 'application/json', buffer });
  await page.getByRole('button', { name: 'Start training' }).click();
  await page.getByText('all steps done').waitFor({ timeout: 60_000 });

  // One for what looks at models, one for what trains them.
  expect(devices).toEqual(['baseline false 8', 'baseline false 8']);
  expect(errors).toEqual([]);
});
