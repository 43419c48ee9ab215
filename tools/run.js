// node tools/run.js NAME ARGS: runs the program NAME of tools/build.js. In a clone it builds dist/ first, if it is stale; the
// package has its programs in dist/package/, built.
// What a much older Node.js would not understand stays out of this file, or it could not say so.
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const isClone = existsSync(join(root, 'src'));

/** Peers that not every run needs: a software adapter, and what only users of the library call. */
const NOT_ALWAYS = ['@sparticuz/chromium', 'ndarray'];

/**
 * Runs a program with the arguments after its name; the process ends with the code that its `main` gives.
 *
 * @param {string} name a program of tools/build.js
 * @param {string[]} args
 */
export async function run(name, args) {
  process.setSourceMapsEnabled(true);
  // Nobody reads on (`| head`, a closed terminal), or a log's disk is full: no reason to fall over.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined);
  const tooOld = whyTooOld();
  const missing = name === 'doctor' ? undefined : whatIsMissing(); // the doctor needs no package, and says more
  // Of the package, programs are built: they print help and refuse wrong calls before they ask for what is missing.
  const refusal = tooOld ?? (isClone ? missing : undefined);
  if (refusal !== undefined) {
    console.error(refusal);
    process.exitCode = 1;
    return;
  }
  try {
    const path = isClone ? await built(name) : join(root, 'dist', 'package', `${name}.js`);
    const { main } = await import(pathToFileURL(path).href);
    if (!main) throw new Error(`${path} is damaged. Run \`npm run build\` in ${root}.`);
    process.exitCode = await main([process.execPath, path, ...args], missing);
  } catch (error) {
    // Programs report their own errors; what arrives here is a failed build or a defect.
    console.error(error.name === 'SetupError' ? error.message : error);
    process.exitCode = 1;
  }
}

/** The path of a program, built where it is stale. */
async function built(name) {
  const { buildIfStale, programPath } = await import('./build.js');
  const path = programPath(name);
  await buildIfStale();
  return path;
}

/** Why no program runs on this Node.js; undefined where they do. */
function whyTooOld() {
  const { engines } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const wanted = engines.node.match(/\d+/g).map(Number);
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major < wanted[0] || (major === wanted[0] && minor < wanted[1])) {
    return `Node.js ${wanted.join('.')} or newer is needed; this is ${process.versions.node}. nodejs.org has it.`;
  }
  return undefined;
}

/** Which packages are not installed that programs need, and what brings them; undefined where all are. */
function whatIsMissing() {
  const { peerDependencies: peers } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const { resolve } = createRequire(import.meta.url);
  const isThere = (dependency) => resolve.paths(dependency).some((folder) => existsSync(join(folder, dependency)));
  const absent = Object.keys(peers).filter((peer) => !NOT_ALWAYS.includes(peer) && !isThere(peer));
  if (absent.length === 0) return undefined;
  const remedy = isClone
    ? `Run \`npm ci\` in ${root} first.`
    : `Where palimpsest is installed, run: ${installCommand(peers)}`;
  return `Packages are missing: ${absent.join(', ')}. ${remedy}`;
}

/** The one command that brings what the package's programs need beside it. */
export function installCommand(peers) {
  const named = Object.entries(peers).filter(([name]) => name !== 'ndarray');
  return `npm i ${named.map(([name, range]) => `${name}@${range.replace('^', '')}`).join(' ')}`;
}

if (pathToFileURL(process.argv[1]).href === import.meta.url) {
  const [name = '', ...args] = process.argv.slice(2);
  await run(name, args);
}
