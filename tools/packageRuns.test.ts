import { execFile } from 'node:child_process';
import { copyFileSync, readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { extname, join, normalize } from 'node:path';
import { promisify } from 'node:util';
import ts from 'typescript';
import { build as viteBuild } from 'vite';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bundled, installedPackage, readmeProgram, type Consumer } from '../src/testing/builtPackage';
import { openBrowser } from '../src/testing/testBrowser';

/* The package at work, as somebody has it who installed the tarball: Node.js, bundlers, a page, a worker, the commands. */

const BUILD_TIME = 600_000;
const PEERS = ['webgpu', 'sharp', '@napi-rs/canvas', '@sparticuz/chromium', 'ndarray'];
const run = promisify(execFile);

/** What a program printed; one that fails rejects with it. */
async function output(command: string, args: readonly string[], cwd: string): Promise<string> {
  const { stdout } = await run(command, args, { cwd, timeout: BUILD_TIME / 2 });
  return stdout;
}

/** Losses that the README's program prints. */
function losses(text: string): number[] {
  return [...text.matchAll(/^\d+ (\S+)$/gm)].map((match) => Number(match[1]));
}

describe('with its peers installed', () => {
  let consumer: Consumer;
  beforeAll(async () => {
    consumer = await installedPackage(PEERS);
  }, BUILD_TIME);
  afterAll(() => consumer.remove());

  it(
    "trains by the README's program in Node.js, and ends",
    async () => {
      const { outputText } = ts.transpileModule(readmeProgram(), {
        compilerOptions: { target: ts.ScriptTarget.ES2022 },
      });
      consumer.write('readme.js', outputText);
      const printed = losses(await output(process.execPath, ['readme.js'], consumer.folder));
      expect(printed).toHaveLength(10);
      expect(printed.at(-1)).toBeLessThan((printed[0] as number) / 4);
    },
    BUILD_TIME,
  );

  it('makes an ndarray of an output', async () => {
    consumer.write(
      'array.js',
      `import { toNdarray } from 'palimpsest/ndarray';
       const y = toNdarray(Float32Array.of(1, 2, 3, 4, 5, 6), [2, 3]);
       console.log(y.get(1, 2), y.transpose(1, 0).shape.join());`,
    );
    expect(await output(process.execPath, ['array.js'], consumer.folder)).toBe('6 3,2\n');
  });

  it(
    'trains i-MAE as a function, stops when it is told, and goes on',
    { timeout: BUILD_TIME, tags: ['thorough'] },
    async () => {
      consumer.write('imae.js', IMAE);
      const printed = (await output(process.execPath, ['imae.js'], consumer.folder)).trim().split('\n');
      expect(printed).toEqual([expect.stringMatching(/^stopped imae [23]$/), 'whole imae-4', 'same bits true']);
    },
  );

  it('npx palimpsest trains', { timeout: BUILD_TIME, tags: ['thorough'] }, async () => {
    const args = ['palimpsest', '--teacher-steps', '1', '--steps', '2', '--out', 'run'];
    expect(await output('npx', args, consumer.folder)).toContain('report    run/report.html');
    expect(readFileSync(join(consumer.folder, 'run/report.html'), 'utf8')).toContain('npx palimpsest');
  });
});

/** Trains four steps at once, and two and two, and compares what came of it. */
const IMAE = `
import { configure, drawBuiltIn, readCheckpoint, train } from 'palimpsest/imae';
import { openEngine } from 'palimpsest/node';

const engine = await openEngine();
const objective = configure({ teacher: { budget: { steps: 1 } }, training: { budget: { steps: 4 } }, logging: { scoreEvery: 0, panelsEvery: 0 } });
const images = drawBuiltIn(objective);
async function leg(stopAfter, resume, teacher) {
  const saved = {};
  const abort = new AbortController();
  const result = await train(engine, objective, images, {
    ...(resume ? { resume } : {}),
    signal: abort.signal,
    watcher: { step: ({ step }) => step + 1 >= stopAfter && saved.phase === 'imae' && abort.abort(), phase: (phase) => { saved.phase = phase; } },
    store: {
      writeCheckpoint: (phase, step, model, state) => { saved[phase] = [model.slice(), state.slice()]; saved.last = phase + '-' + step; return saved.last; },
      ...(teacher ? { finished: () => readCheckpoint(...teacher).model } : {}),
    },
  });
  return { result, saved };
}
const first = await leg(2);
console.log('stopped', first.result.stopped.phase, first.result.stopped.step);
const rest = await leg(Infinity, readCheckpoint(...first.saved.imae), first.saved.teacher);
const whole = await leg(Infinity);
console.log('whole', whole.saved.last);
console.log('same bits', Buffer.compare(rest.saved.imae[0], whole.saved.imae[0]) === 0);
engine.dispose();
`;

describe('without its peers', () => {
  let consumer: Consumer;
  beforeAll(async () => {
    consumer = await installedPackage();
  }, BUILD_TIME);
  afterAll(() => consumer.remove());

  it('npx palimpsest names the one command that brings them', async () => {
    const refused = await output('npx', ['palimpsest'], consumer.folder).catch((error: unknown) => error);
    const command = 'npm i @napi-rs/canvas@1.0.11 @sparticuz/chromium@147.0.0 sharp@0.35.5 webgpu@0.6.2';
    expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining(command) as string });
  });

  it('npx palimpsest shows its help, and refuses a wrong call', { timeout: BUILD_TIME }, async () => {
    for (const args of [['--help'], ['knn', '--help'], ['--version']]) {
      expect(await output('npx', ['palimpsest', ...args], consumer.folder)).toMatch(/npx palimpsest|^\d/);
    }
    const refused = await output('npx', ['palimpsest', '--stepz', '3'], consumer.folder).catch(
      (error: unknown) => error,
    );
    expect(refused).toMatchObject({ code: 2, stderr: expect.stringContaining('--steps') as string });
  });

  it('npx palimpsest doctor says the same', { timeout: BUILD_TIME }, async () => {
    const said: unknown = await output('npx', ['palimpsest', 'doctor'], consumer.folder).catch(
      (error: unknown) => error,
    );
    expect(said).toMatchObject({ code: 1, stdout: expect.stringContaining('npm i @napi-rs/canvas@1.0.11') as string });
  });

  it('openDevice says what is missing', async () => {
    consumer.write(
      'device.js',
      "import { openDevice } from 'palimpsest/node'; await openDevice().catch(({ message }) => console.log(message));",
    );
    const said = await output(process.execPath, ['device.js'], consumer.folder);
    expect(said).toContain('webgpu cannot be loaded');
    expect(said).toContain('Run `npm i webgpu` on this machine; `npx palimpsest doctor` says more.');
  });
});

/** What a page, a worker and a script tag run: a net that learns, on a device of the page's. */
const IN_BROWSER = `
export async function learn({ AdamW, Engine, f32, Linear, mse }) {
  const adapter = await navigator.gpu.requestAdapter();
  const engine = await Engine.open(adapter);
  const model = engine.init(new Linear(4, 1), { seed: 0 });
  const adam = new AdamW(model, { learningRate: 1e-1 });
  const step = await engine.compile({ x: f32(64, 4), y: f32(64, 1) }, ({ x, y }) => {
    const loss = mse(model.forward(x), y);
    adam.minimize(loss);
    return { loss };
  });
  const x = Float32Array.from({ length: 256 }, (_, i) => Math.sin(i));
  const y = Float32Array.from({ length: 64 }, (_, i) => x[4 * i] - 2 * x[4 * i + 1]);
  await step.run({ x, y });
  const first = await step.outputs.loss.item();
  for (let i = 0; i < 60; i++) await step.run();
  const last = await step.outputs.loss.item();
  engine.dispose();
  return last < first / 4 ? 'learnt' : 'not learnt: ' + first + ' to ' + last;
}
`;

const TYPES: Readonly<Record<string, string>> = { '.html': 'text/html', '.js': 'text/javascript' };

/** A web server that knows nothing but files. */
async function serve(folder: string): Promise<{ readonly url: string; readonly server: Server }> {
  const server = createServer((request, response) => {
    const path = normalize(new URL(request.url ?? '/', 'http://x').pathname);
    try {
      const content = readFileSync(join(folder, path));
      response.writeHead(200, { 'content-type': TYPES[extname(path)] ?? 'application/octet-stream' }).end(content);
    } catch {
      response.writeHead(404).end();
    }
  });
  await new Promise<void>((resolve) => server.listen(0, 'localhost', resolve));
  return { url: `http://localhost:${(server.address() as AddressInfo).port}`, server };
}

describe('in a browser', { timeout: BUILD_TIME, tags: ['thorough'] }, () => {
  let consumer: Consumer;
  let browser: Awaited<ReturnType<typeof openBrowser>>;
  let site: Awaited<ReturnType<typeof serve>>;
  beforeAll(async () => {
    consumer = await installedPackage();
    [browser, site] = [await openBrowser(), await serve(consumer.folder)];
  }, BUILD_TIME);
  afterAll(async () => {
    await browser.close();
    site.server.close();
    consumer.remove();
  });

  async function titleOf(path: string): Promise<string> {
    const page = await browser.newPage();
    const wrong: string[] = [];
    page.on('pageerror', ({ message }) => wrong.push(message));
    await page.goto(`${site.url}/${path}`);
    await page.waitForFunction(() => document.title !== '', undefined, { timeout: 120_000 }).catch(() => undefined);
    const title = await page.title();
    await page.close();
    return [title, ...wrong].join(' ');
  }

  it('a page from a script tag learns', async () => {
    const learn = IN_BROWSER.replace('export ', '');
    copyFileSync(join(consumer.packageFolder, 'dist/package/palimpsest.global.js'), join(consumer.folder, 'global.js'));
    consumer.write(
      'tag.html',
      `<script src="global.js"></script><script>${learn} learn(palimpsest).then((said) => { document.title = said; }, (error) => { document.title = String(error); });</script>`,
    );
    expect(await titleOf('tag.html')).toBe('learnt');
  });

  it('a worker of esbuild learns', async () => {
    const code = `import * as palimpsest from 'palimpsest'; ${IN_BROWSER} learn(palimpsest).then((said) => postMessage(said), (error) => postMessage(String(error)));`;
    consumer.write('worker.js', await bundled(consumer, code));
    consumer.write(
      'worker.html',
      `<script type="module">new Worker('worker.js', { type: 'module' }).onmessage = ({ data }) => { document.title = data; };</script>`,
    );
    expect(await titleOf('worker.html')).toBe('learnt');
  });

  it('a project of Vite learns', async () => {
    consumer.write('index.html', '<script type="module" src="/src/main.ts"></script>');
    consumer.write(
      'src/main.ts',
      `import * as palimpsest from 'palimpsest'; ${IN_BROWSER} void learn(palimpsest).then((said: string) => { document.title = said; });`,
    );
    await viteBuild({ root: consumer.folder, base: './', configFile: false, logLevel: 'error' });
    expect(await titleOf('dist/index.html')).toBe('learnt');
  });
});
