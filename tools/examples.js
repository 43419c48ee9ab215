// npm run examples: serves the pages among the examples to this machine. npm run examples NAME: runs the script of one in Node.
import { existsSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { build, context } from 'esbuild';
import { importGlob } from './importGlob.js';
import { wgslText } from './wgslText.js';

const root = dirname(import.meta.dirname);
const FOLDER = join(root, 'examples');
/** What the pages load: examples/NAME/FILE.js is FILE.ts with what it imports. */
const SCRIPTS = ['main.ts', 'worker.ts'];

/** `palimpsest` is the source of this folder, by the paths of tsconfig.json. */
const shared = {
  absWorkingDir: root,
  bundle: true,
  format: 'esm',
  logLevel: 'warning',
  plugins: [importGlob, wgslText],
};

/** @returns {string[]} examples that have one of some files */
function having(...files) {
  const folders = readdirSync(FOLDER, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  return folders.map(({ name }) => name).filter((name) => files.some((file) => existsSync(join(FOLDER, name, file))));
}

/** Bundles the pages in memory and serves them. @returns where, and what ends it */
export async function serveExamples() {
  const paths = having(...SCRIPTS).flatMap((name) => SCRIPTS.map((file) => `examples/${name}/${file}`));
  const served = await context({
    ...shared,
    entryPoints: paths.filter((path) => existsSync(join(root, path))),
    outdir: FOLDER,
    outbase: FOLDER,
    write: false,
    target: 'es2022',
  });
  const { port } = await served.serve({ servedir: FOLDER, host: 'localhost' });
  return { url: `http://localhost:${port}/`, close: () => served.dispose() };
}

/** Bundles an example's script into dist/ and runs it in this process. */
export async function runExample(name) {
  const outfile = join(root, 'dist', 'examples', `${name}.js`);
  await build({
    ...shared,
    entryPoints: [join(FOLDER, name, 'node.ts')],
    outfile,
    platform: 'node',
    target: 'node20',
    packages: 'external',
  });
  await import(pathToFileURL(outfile));
}

if (process.argv[1] === import.meta.filename) {
  const [, , name] = process.argv;
  if (name === undefined) {
    console.log(`pages     ${(await serveExamples()).url} until Ctrl-C`);
  } else if (having('node.ts').includes(name)) {
    await runExample(name);
  } else {
    console.error(`No example '${name}' runs in Node. These do: ${having('node.ts').join(', ')}.`);
    process.exitCode = 1;
  }
}
