// node tools/run.js NAME ARGS: builds dist/ if it is stale and runs the program NAME of tools/build.js.
import { pathToFileURL } from 'node:url';
import { buildIfStale, programPath } from './build.js';

/**
 * Runs a program with the arguments after its name; the process ends with the code that its `main` gives.
 *
 * @param {string} name a program of tools/build.js
 * @param {string[]} args
 */
export async function run(name, args) {
  process.setSourceMapsEnabled(true);
  try {
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

if (process.argv[1] === import.meta.filename) {
  const [name = '', ...args] = process.argv.slice(2);
  await run(name, args);
}
