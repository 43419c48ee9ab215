import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { context as esbuild } from 'esbuild';
import { chromium, type Browser, type BrowserContextOptions, type Page } from 'playwright-core';

/* What tests of the page share: headless Chromium on SwiftShader, and the built page behind a plain web server. */

const root = join(import.meta.dirname, '..', '..');
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

/**
 * Starts the newest of the packaged Chromium and the system's; where that one does not start, the next.
 *
 * @throws Error where none starts: what each said
 */
export async function openBrowser(): Promise<Browser> {
  const folder = mkdtempSync(join(tmpdir(), 'palimpsest-chromium-'));
  const remove = (): void => rmSync(folder, { recursive: true, force: true });
  const refusals: string[] = [];
  try {
    const candidates: Candidate[] = [await unpackChromium(folder), ...SYSTEM_NAMES.map((command) => ({ command }))];
    const found = await Promise.all(candidates.map(async (candidate) => ({ ...candidate, major: await majorVersion(candidate) })));
    for (const { command, env } of found.filter(({ major }) => major > 0).sort((a, b) => b.major - a.major)) {
      try {
        const browser = await chromium.launch({
          executablePath: (await run('sh', ['-c', `command -v ${command}`])).stdout.trim(),
          args: ARGUMENTS,
          ignoreDefaultArgs: ['--disable-gpu'], // Playwright's own, which would switch WebGPU off
          ...(env ? { env: { ...process.env, ...env } } : {}),
        });
        browser.on('disconnected', remove);
        return browser;
      } catch (error) {
        refusals.push(`${command}: ${error instanceof Error ? error.message : String(error)}`);
      }
    }
  } catch (error) {
    refusals.push(String(error));
  }
  remove();
  throw new Error(`No Chromium starts. Install one (Debian: apt install chromium).\n${refusals.join('\n')}`);
}

interface Candidate {
  readonly command: string;
  readonly env?: Readonly<Record<string, string>>;
}

/**
 * Unpacks the Chromium of the npm package, which is for Linux on x64. It would use a fixed place that processes share; and
 * the system's libraries where it is not on Amazon's, though it has all that it needs.
 */
async function unpackChromium(folder: string): Promise<Candidate> {
  const print = "import('@sparticuz/chromium').then(async (it) => console.log(await it.default.executablePath()))";
  const env = { ...process.env, TMPDIR: folder, AWS_EXECUTION_ENV: 'AWS_Lambda_nodejs22.x' };
  const { stdout } = await run(process.execPath, ['-e', print], { env, cwd: root }).catch(() => ({ stdout: '' }));
  return { command: stdout.trim() || 'no-packaged-chromium', env: { LD_LIBRARY_PATH: join(folder, 'al2023', 'lib') } };
}

/** 0 where there is no such command, or it does not start. */
async function majorVersion({ command, env }: Candidate): Promise<number> {
  try {
    const { stdout } = await run(command, ['--version'], { env: { ...process.env, ...env } });
    return Number(/(\d+)\./.exec(stdout)?.[1] ?? 0);
  } catch {
    return 0;
  }
}

/** The page behind a web server that knows nothing but files, and not at the root of its host. */
export async function servePage(): Promise<{ readonly url: string; close(): Promise<void> }> {
  await run(process.execPath, ['-e', `import(${JSON.stringify(join(root, 'tools/build.js'))}).then((tool) => tool.buildIfStale())`]);
  const server = await esbuild({ logLevel: 'silent' });
  const { port } = await server.serve({ servedir: join(root, 'dist'), host: 'localhost' });
  return { url: `http://localhost:${port}/web/`, close: () => server.dispose() };
}

/** A tab by itself, in which an error that nobody caught fails the test that asks `errors` for it. */
export async function openTab(browser: Browser, options: BrowserContextOptions = {}): Promise<{ page: Page; errors: string[] }> {
  const context = await browser.newContext({ locale: 'en-GB', ...options });
  const page = await context.newPage();
  const errors: string[] = [];
  page.on('pageerror', (error) => errors.push(String(error)));
  page.on('console', (message) => {
    if (message.type() === 'error') errors.push(message.text());
  });
  return { page, errors };
}
