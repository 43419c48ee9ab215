// Bundles the programs that Node runs: `node tools/build.js` always, buildIfStale() where dist/ is not up to date.
import { mkdirSync, readdirSync, renameSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

const root = dirname(import.meta.dirname);

/** Each program: dist/NAME.js from its source, which exports `main(argv)`. */
const PROGRAMS = {
  train: 'src/node/main.ts',
  compare: 'src/node/compareMain.ts',
  bench: 'src/node/benchMain.ts',
  doctor: 'src/node/doctorMain.ts',
};

/** What the programs are made from; a change in any of these makes them stale. */
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

/** Bundles every program into dist/. */
export async function build() {
  const { build: bundle } = await import('esbuild').catch((error) => {
    throw new SetupError('The npm packages are missing (esbuild is). Run `npm ci` first.', { cause: error });
  });
  // A change made while the build runs must count as later than the build.
  const began = new Date();
  const { outputFiles } = await bundle({
    absWorkingDir: root,
    entryPoints: PROGRAMS,
    outdir: 'dist',
    bundle: true,
    platform: 'node',
    target: 'node20',
    format: 'esm',
    packages: 'external',
    loader: { '.wgsl': 'text' },
    sourcemap: true,
    write: false,
    logLevel: 'warning',
  });
  // Renamed into place, so that a process which starts meanwhile never imports half a file.
  for (const { path, contents } of outputFiles) {
    mkdirSync(dirname(path), { recursive: true });
    const temporary = `${path}.${process.pid}.tmp`;
    writeFileSync(temporary, contents);
    utimesSync(temporary, began, began);
    renameSync(temporary, path);
  }
}

/** Bundles the programs if one is absent or older than any of its sources. A package without sources is never stale. */
export async function buildIfStale() {
  const built = Math.min(...Object.keys(PROGRAMS).map((name) => modified(programPath(name))));
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

if (process.argv[1] === import.meta.filename) await build();
