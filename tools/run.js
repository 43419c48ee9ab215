// node tools/run.js NAME ARGS: builds dist/ if it is stale and runs the program NAME of tools/build.js.
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';

const root = dirname(import.meta.dirname);

/**
 * Runs a program with the arguments after its name; the process ends with the code that its `main` gives.
 *
 * @param {string} name a program of tools/build.js
 * @param {string[]} args
 */
export async function run(name, args) {
  process.setSourceMapsEnabled(true);
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error) => {
      if (error.code !== 'EPIPE' && error.code !== 'EIO') throw error; // nobody reads on: `| head`, a closed terminal
    });
  }
  const missing = whatIsMissing();
  if (missing) {
    console.error(missing);
    process.exitCode = 1;
    return;
  }
  try {
    const { buildIfStale, programPath } = await import('./build.js');
    const path = programPath(name);
    await buildIfStale();
    const { main } = await import(pathToFileURL(path).href);
    process.exitCode = await main([process.execPath, path, ...args]);
  } catch (error) {
    // Programs report their own errors; what arrives here is a failed build or a defect.
    console.error(error);
    process.exitCode = 1;
  }
}

/** What has to be there before anything else can say what is missing. */
function whatIsMissing() {
  const { engines, dependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const wanted = engines.node.match(/\d+/g).map(Number);
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major < wanted[0] || (major === wanted[0] && minor < wanted[1])) {
    return `This is Node ${process.versions.node}; palimpsest needs ${engines.node}. Install a newer one: https://nodejs.org`;
  }
  const { resolve } = createRequire(join(root, 'package.json'));
  const isThere = (name) => resolve.paths(name).some((folder) => existsSync(join(folder, name)));
  const absent = Object.keys(dependencies).filter((name) => !isThere(name));
  return absent.length > 0 ? `Packages are not installed (${absent.join(', ')}). Run \`npm ci\` in ${root} first.` : undefined;
}

if (process.argv[1] === import.meta.filename) {
  const [name = '', ...args] = process.argv.slice(2);
  await run(name, args);
}
