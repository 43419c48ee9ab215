// Bundles the programs that Node runs and the page of a run's report: `node tools/build.js` always, buildIfStale()
// where dist/ is not up to date.
import { mkdirSync, readdirSync, readFileSync, renameSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

const root = dirname(import.meta.dirname);

/** Each program: dist/NAME.js from its source, which exports `main(argv)`. */
const PROGRAMS = {
  train: 'src/node/main.ts',
  compare: 'src/node/compareMain.ts',
  bench: 'src/node/benchMain.ts',
  doctor: 'src/node/doctorMain.ts',
};

/** The page of a report: dist/report.html, one file with its script and styles in it. */
const PAGE = 'src/web/report';
const PAGE_FILE = join(root, 'dist', 'report.html');

/** What programs and page are made from; a change in any of these makes them stale. */
const SOURCES = ['src', 'shaders', 'bench', 'kernels-test', 'tools/build.js', 'package.json'];

/** What the user has to do before anything can be built: shown without a stack trace. */
export class SetupError extends Error {}

/** The path of a program in dist/. */
export function programPath(name) {
  if (!Object.hasOwn(PROGRAMS, name)) {
    throw new Error(`There is no program '${name}'. Programs are ${Object.keys(PROGRAMS).join(', ')}.`);
  }
  return join(root, 'dist', `${name}.js`);
}

/** Bundles every program and the page into dist/. */
export async function build() {
  const { build: bundle } = await import('esbuild').catch((error) => {
    throw new SetupError('The npm packages are missing (esbuild is). Run `npm ci` first.', { cause: error });
  });
  // A change made while the build runs must count as later than the build.
  const began = new Date();
  const shared = { absWorkingDir: root, bundle: true, write: false, logLevel: 'warning' };
  const { outputFiles } = await bundle({
    ...shared,
    entryPoints: PROGRAMS,
    outdir: 'dist',
    platform: 'node',
    target: 'node20',
    format: 'esm',
    packages: 'external',
    loader: { '.wgsl': 'text' },
    sourcemap: true,
  });
  const page = await bundle({
    ...shared,
    entryPoints: { report: `${PAGE}/main.ts` },
    outdir: 'dist',
    format: 'iife',
    target: ['chrome100', 'firefox104', 'safari15.4'],
    minify: true,
    charset: 'utf8',
  });
  outputFiles.push({ path: PAGE_FILE, contents: inOneFile(page.outputFiles) });
  // Renamed into place, so that a process which starts meanwhile never imports half a file.
  for (const { path, contents } of outputFiles) {
    try {
      mkdirSync(dirname(path), { recursive: true });
      const temporary = `${path}.${process.pid}.tmp`;
      writeFileSync(temporary, contents);
      utimesSync(temporary, began, began);
      renameSync(temporary, path);
    } catch (error) {
      throw new SetupError(
        `${path} cannot be written (${error.code ?? error.message}). Let whoever owns ${root} run \`npm run build\` once.`,
        { cause: error },
      );
    }
  }
}

/** The page with its script and styles in it, in the places of two comments. */
function inOneFile(outputFiles) {
  const textOf = (ending) => outputFiles.find(({ path }) => path.endsWith(ending)).text.trim();
  return readFileSync(join(root, PAGE, 'report.html'), 'utf8')
    .replace('/* styles */', () => textOf('.css'))
    .replace('/* script */', () => textOf('.js'));
}

/** Bundles all if a part is absent or older than any of its sources. A package without sources is never stale. */
export async function buildIfStale() {
  const built = Math.min(...[...Object.keys(PROGRAMS).map(programPath), PAGE_FILE].map(modified));
  if (Math.max(...SOURCES.map((source) => newest(join(root, source)))) > built) await build();
}

/** The latest modification of a file, or of a folder and everything in it (a deleted file changes its folder). */
function newest(path) {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (!stat?.isDirectory()) return stat?.mtimeMs ?? 0;
  return Math.max(stat.mtimeMs, ...readdirSync(path).map((name) => newest(join(path, name))));
}

function modified(path) {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}

if (process.argv[1] === import.meta.filename) {
  await build().catch((error) => {
    console.error(error instanceof SetupError ? error.message : error);
    process.exitCode = 1;
  });
}
