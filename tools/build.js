// Bundles the programs that Node runs, the page of a run's report and the page for browsers: `node tools/build.js`
// always, buildIfStale() where dist/ is not up to date.
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { importGlob } from './importGlob.js';
import { keepEffects } from './keepEffects.js';

const root = dirname(import.meta.dirname);

/** Each program: dist/NAME.js from its source, which exports `main(argv)`. */
export const PROGRAMS = {
  train: 'src/cli/main.ts',
  compare: 'src/cli/compareMain.ts',
  bench: 'src/cli/benchMain.ts',
  doctor: 'src/doctor/doctorMain.ts',
  decoder: 'src/node/images/decoderMain.ts',
  kernelTests: 'src/cli/kernelTestsMain.ts',
  isa: 'tools/isa/isaMain.ts',
  isaKernels: 'tools/isa/compileKernels.ts',
  isaPeers: 'tools/isa/compilePeers.ts',
};

/** The pages that results are put into: dist/NAME.html from a folder, each one file with its script and styles in it. */
const TEMPLATES = { report: 'src/web/report', figures: 'src/web/figures' };

/** The page for browsers: dist/web, a folder that any web server serves as it is, under any path. */
export const WEB_FOLDER = join(root, 'dist', 'web');
const WEB_SCRIPTS = [
  'src/web/page/page.ts',
  ...readdirSync(join(root, 'src/web/workers'))
    .filter(isScript)
    .map((name) => `src/web/workers/${name}`),
];
/** Copied as they are. The model is what `node train.js --steps 3200` leaves as checkpoints/imae-3200.safetensors. */
const WEB_FILES = ['src/web/page/index.html', 'src/web/page/demo.safetensors'];

/** What programs and page are made from; a change in any of these makes them stale. */
const SOURCES = [
  'src',
  'shaders',
  'bench',
  'kernels-test',
  'tools/build.js',
  'tools/importGlob.js',
  'tools/isa',
  'tools/keepEffects.js',
  'package.json',
];

/** What the user has to do before anything can be built: shown without a stack trace. */
export class SetupError extends Error {
  name = 'SetupError';
}

/** The path of a program in dist/. */
export function programPath(name) {
  if (!Object.hasOwn(PROGRAMS, name)) {
    throw new Error(`There is no program '${name}'. Programs are ${Object.keys(PROGRAMS).join(', ')}.`);
  }
  return join(root, 'dist', `${name}.js`);
}

/** Bundles every program and the pages into dist/. */
export async function build() {
  const { build: bundle } = await import('esbuild').catch((error) => {
    throw new SetupError('The npm packages are missing (esbuild is). Run `npm ci` first.', { cause: error });
  });
  // A change made while the build runs must count as later than the build.
  const began = new Date();
  const shared = {
    absWorkingDir: root,
    bundle: true,
    write: false,
    logLevel: 'warning',
    loader: { '.wgsl': 'text' },
    plugins: [importGlob],
  };
  const { outputFiles } = await bundle({
    ...shared,
    entryPoints: PROGRAMS,
    outdir: 'dist',
    platform: 'node',
    target: 'node20',
    format: 'esm',
    packages: 'external',
    sourcemap: true,
  });
  const forBrowsers = { ...shared, plugins: [importGlob, keepEffects], minify: true, charset: 'utf8' };
  const templates = await bundle({
    ...forBrowsers,
    entryPoints: Object.fromEntries(Object.entries(TEMPLATES).map(([name, folder]) => [name, `${folder}/main.ts`])),
    outdir: 'dist',
    format: 'iife',
    target: ['chrome100', 'firefox104', 'safari15.4'],
  });
  for (const name of Object.keys(TEMPLATES)) {
    outputFiles.push({ path: templatePath(name), contents: inOneFile(name, templates.outputFiles) });
  }
  // What the workers share is loaded once.
  const web = await bundle({
    ...forBrowsers,
    entryPoints: WEB_SCRIPTS,
    outdir: WEB_FOLDER,
    entryNames: '[name]',
    chunkNames: 'shared-[hash]',
    format: 'esm',
    splitting: true,
    target: ['chrome113', 'firefox141', 'safari26'],
  });
  outputFiles.push(...web.outputFiles);
  for (const file of WEB_FILES) {
    outputFiles.push({ path: join(WEB_FOLDER, basename(file)), contents: readFileSync(join(root, file)) });
  }
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
  deleteOthers(outputFiles);
}

/** What earlier builds left in the page's folder has no place in it. */
function deleteOthers(outputFiles) {
  const made = new Set(outputFiles.map(({ path }) => path));
  for (const name of readdirSync(WEB_FOLDER)) {
    const path = join(WEB_FOLDER, name);
    if (!made.has(path) && !name.endsWith('.tmp')) rmSync(path, { force: true });
  }
}

function isScript(name) {
  return name.endsWith('.ts') && !name.endsWith('.test.ts');
}

function templatePath(name) {
  return join(root, 'dist', `${name}.html`);
}

/** A template with its script and styles in it, in the places of two comments. */
function inOneFile(name, outputFiles) {
  const textOf = (ending) => outputFiles.find(({ path }) => path.endsWith(`${name}${ending}`)).text.trim();
  return readFileSync(join(root, TEMPLATES[name], `${name}.html`), 'utf8')
    .replace('/* styles */', () => textOf('.css'))
    .replace('/* script */', () => textOf('.js'));
}

/** Whether a part is absent or older than any of the sources. */
export function isStale(made, sources = SOURCES) {
  const built = Math.min(...made.map(modified));
  return Math.max(...sources.map((source) => newest(join(root, source)))) > built;
}

/** Bundles all if a part is absent or older than any of its sources. */
export async function buildIfStale() {
  const made = [
    ...Object.keys(PROGRAMS).map(programPath),
    ...Object.keys(TEMPLATES).map(templatePath),
    join(WEB_FOLDER, 'index.html'),
  ];
  if (isStale(made)) await build();
}

/** The latest modification of a file, or of a folder and everything in it (a deleted file changes its folder). */
function newest(path) {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (!stat?.isDirectory()) return stat?.mtimeMs ?? 0;
  const names = readdirSync(path).filter((name) => name !== 'node_modules');
  return Math.max(stat.mtimeMs, ...names.map((name) => newest(join(path, name))));
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
