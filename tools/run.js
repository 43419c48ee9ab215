// node tools/run.js NAME ARGS: builds dist/ if it is stale and runs the program NAME of tools/build.js.
import { pathToFileURL } from 'node:url';

/**
 * Runs a program with the arguments after its name; the process ends with the code that its `main` gives.
 *
 * @param {string} name a program of tools/build.js
 * @param {string[]} args
 */
export async function run(name, args) {
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major < 20 || (major === 20 && minor < 12)) {
    console.error(`Node.js 20.19 or newer is needed; this is ${process.versions.node}. nodejs.org has it, and nvm: nvm install --lts`);
    process.exitCode = 1;
    return;
  }
  process.setSourceMapsEnabled(true);
  // Only now: an older Node.js can't even load it.
  const { buildIfStale, programPath, SetupError } = await import('./build.js');
  try {
    const path = programPath(name);
    await buildIfStale();
    const { main } = await import(pathToFileURL(path).href);
    process.exitCode = await main([process.execPath, path, ...args]);
  } catch (error) {
    // Programs report their own errors; what else arrives here is a failed build or a defect.
    console.error(error instanceof SetupError ? error.message : error);
    process.exitCode = 1;
  }
}

if (pathToFileURL(process.argv[1]).href === import.meta.url) {
  const [name = '', ...args] = process.argv.slice(2);
  await run(name, args);
}
