import { execFile, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { context as esbuild } from 'esbuild';
import { afterAll, beforeAll } from 'vitest';
import { chromium, type Browser, type BrowserContextOptions, type Page } from 'playwright-core';

/* What tests of the page share: headless Chromium on SwiftShader, and the built page behind a plain web server. */

const root = join(import.meta.dirname, '..', '..');

/** Where the build leaves the page. */
export const WEB_FOLDER = join(root, 'dist', 'web');
const run = promisify(execFile);

/** Names under which a system has a Chromium. */
const SYSTEM_NAMES = ['chromium', 'chromium-browser', 'google-chrome-stable', 'google-chrome'];

const ARGUMENTS = [
  '--headless=new',
  '--no-sandbox', // there is none for root, nor in most containers; only our own page is opened
  '--enable-unsafe-webgpu',
  '--use-webgpu-adapter=swiftshader',
  '--enable-precise-memory-info',
  // A network that refuses connections must not slow the start.
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-quic',
  '--disable-sync',
  '--no-first-run',
];

/** What a canvas with a WebGPU context needs beside these: pictures that Chromium's own drawing shares with it. */
const CANVAS_ARGUMENTS = [
  '--use-gl=angle',
  '--use-angle=swiftshader',
  '--use-vulkan=swiftshader',
  '--enable-features=Vulkan',
];

/** A command that starts a Chromium, and what it needs in its environment. */
interface Chromium {
  readonly command: string;
  readonly env?: Readonly<Record<string, string>>;
}

/**
 * Starts a browser whose tabs are windows by themselves, as Playwright has it: all of them are always in sight.
 *
 * @param options.canvas whether WebGPU draws into canvases
 */
export function openBrowser({ canvas = false }: { readonly canvas?: boolean } = {}): Promise<Browser> {
  return startNewest(async ({ command, env }, removed) => {
    const browser = await chromium.launch({
      executablePath: (await run('sh', ['-c', `command -v ${command}`])).stdout.trim(),
      args: canvas ? [...ARGUMENTS, ...CANVAS_ARGUMENTS] : ARGUMENTS,
      ignoreDefaultArgs: ['--disable-gpu'], // Playwright's own, which would switch WebGPU off
      // A driver that tests are run on would stand before the one that Chromium brings.
      env: { ...process.env, ...(canvas ? { VK_DRIVER_FILES: undefined } : {}), ...env },
    });
    browser.on('disconnected', removed);
    return browser;
  });
}

/** Starts a browser as a user has it: of several tabs (`browser.contexts()[0]`) one is in sight, the others are hidden. */
export function openBrowserWithHiddenTabs(): Promise<Browser> {
  return startNewest(async ({ command, env }, removed) => {
    const profile = mkdtempSync(join(tmpdir(), 'palimpsest-profile-'));
    const flags = [...ARGUMENTS, '--remote-debugging-port=0', `--user-data-dir=${profile}`, 'about:blank'];
    const child = spawn(command, flags, { env: { ...process.env, ...env }, stdio: ['ignore', 'ignore', 'pipe'] });
    child.on('close', () => {
      rmSync(profile, { recursive: true, force: true });
      removed();
    });
    const address = await new Promise<string>((resolve, reject) => {
      let said = '';
      child.stderr.on('data', (text: Buffer) => {
        said += text.toString();
        const found = /DevTools listening on (ws:\S+)/.exec(said)?.[1];
        if (found) resolve(found);
      });
      child.on('close', () => reject(new Error(said)));
      child.on('error', reject);
    });
    const browser = await chromium.connectOverCDP(address, { noDefaults: true });
    browser.on('disconnected', () => child.kill());
    return browser;
  });
}

/**
 * Starts the newest of the packaged Chromium and the system's; where that one does not start, the next.
 *
 * @param start is given what to call when the browser has ended
 * @throws Error where none starts: what each said
 */
async function startNewest(start: (found: Chromium, ended: () => void) => Promise<Browser>): Promise<Browser> {
  const folder = mkdtempSync(join(tmpdir(), 'palimpsest-chromium-'));
  const remove = (): void => rmSync(folder, { recursive: true, force: true });
  const refusals: string[] = [];
  const known: Chromium[] = [await unpackChromium(folder), ...SYSTEM_NAMES.map((command) => ({ command }))];
  const found = await Promise.all(known.map(async (each) => ({ ...each, major: await majorVersion(each) })));
  for (const each of found.filter(({ major }) => major > 0).sort((a, b) => b.major - a.major)) {
    try {
      return await start(each, remove);
    } catch (error) {
      refusals.push(`${each.command}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  remove();
  throw new Error(`No Chromium starts. Install one (Debian: apt install chromium).\n${refusals.join('\n')}`);
}

/**
 * Unpacks the Chromium of the npm package, which is for Linux on x64. It would use a fixed place that processes share; and
 * the system's libraries where it is not on Amazon's, though it has all that it needs.
 */
async function unpackChromium(folder: string): Promise<Chromium> {
  const print = "import('@sparticuz/chromium').then(async (it) => console.log(await it.default.executablePath()))";
  const env = { ...process.env, TMPDIR: folder, AWS_EXECUTION_ENV: 'AWS_Lambda_nodejs22.x' };
  const { stdout } = await run(process.execPath, ['-e', print], { env, cwd: root }).catch(() => ({ stdout: '' }));
  return { command: stdout.trim() || 'no-packaged-chromium', env: { LD_LIBRARY_PATH: join(folder, 'al2023', 'lib') } };
}

/** 0 where there is no such command, or it does not start. */
async function majorVersion({ command, env }: Chromium): Promise<number> {
  try {
    const { stdout } = await run(command, ['--version'], { env: { ...process.env, ...env } });
    return Number(/(\d+)\./.exec(stdout)?.[1] ?? 0);
  } catch {
    return 0;
  }
}

/** A browser and the served page for the tests of a file, which end with them. */
export interface Setting {
  readonly browser: Browser;
  /** Of the page. */
  readonly url: string;
}

/** Opens a browser and serves the page while the tests of a file run. To be called where they are stated. */
export function useBrowser(): Setting {
  let browser: Browser;
  let server: Awaited<ReturnType<typeof servePage>>;
  beforeAll(async () => {
    [browser, server] = [await openBrowser(), await servePage()];
  });
  afterAll(async () => {
    await browser.close();
    await server.close();
  });
  return {
    get browser() {
      return browser;
    },
    get url() {
      return server.url;
    },
  };
}

/** The page behind a web server that knows nothing but files, and not at the root of its host. */
export async function servePage(): Promise<{ readonly url: string; close(): Promise<void> }> {
  await run(process.execPath, [
    '-e',
    `import(${JSON.stringify(join(root, 'tools/build.js'))}).then((tool) => tool.buildIfStale())`,
  ]);
  const server = await esbuild({ logLevel: 'silent' });
  const { port } = await server.serve({ servedir: join(root, 'dist'), host: 'localhost' });
  return { url: `http://localhost:${port}/web/`, close: () => server.dispose() };
}

/** A tab by itself, in which an error that nobody caught fails the test that asks `errors` for it. */
export async function openTab(
  browser: Browser,
  options: BrowserContextOptions = {},
): Promise<{ page: Page; errors: string[] }> {
  const context = await browser.newContext({ locale: 'en-GB', ...options });
  const page = await context.newPage();
  const errors: string[] = [];
  page.on('pageerror', (error) => errors.push(String(error)));
  page.on('console', (message) => {
    if (message.type() === 'error') errors.push(message.text());
  });
  return { page, errors };
}

/** Runs a script at the start of each of a tab's workers, before their own. @returns what ends that for workers to come */
export async function prependToWorkers(page: Page, script: string): Promise<() => Promise<void>> {
  const workers = /\/(training|viewing|kernels)\.js$/;
  await page.route(workers, async (route) => {
    const response = await route.fetch();
    await route.fulfill({ response, body: `${script};${await response.text()}` });
  });
  return () => page.unroute(workers);
}
