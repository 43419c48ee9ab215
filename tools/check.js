// Types, lint and format, side by side: prints what they find and fails where one does. They remember in node_modules/.cache what
// they found in files that have not changed since. Lint then overlooks what a change does to other files. `npm run lint`
// remembers nothing, and `npm ci` forgets all, so that CI overlooks nothing.
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const cache = 'node_modules/.cache';
const checks = {
  types: ['node_modules/typescript/bin/tsc', '--noEmit', '--incremental', '--tsBuildInfoFile', `${cache}/tsc.json`],
  lint: [
    'node_modules/eslint/bin/eslint.js',
    '.',
    '--cache',
    '--cache-strategy',
    'content',
    '--cache-location',
    `${cache}/eslint/`,
  ],
  format: [
    'node_modules/prettier/bin/prettier.cjs',
    '--check',
    '.',
    '--log-level',
    'warn',
    '--cache',
    '--cache-strategy',
    'content',
    '--cache-location',
    `${cache}/prettier.json`,
  ],
};

/**
 * @param {readonly string[]} args of Node
 * @returns {Promise<boolean>} whether nothing was found
 */
function holds(args) {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, args, { cwd: root, stdio: 'inherit' });
    child.on('error', reject);
    child.on('close', (code) => resolve(code === 0));
  });
}

const found = await Promise.all(
  Object.entries(checks).map(async ([name, args]) => {
    const start = performance.now();
    const isRight = await holds(args);
    console.log(
      `${name}: ${isRight ? 'nothing wrong' : 'WRONG'} (${Math.round((performance.now() - start) / 1000)} s)`,
    );
    return isRight;
  }),
);
process.exitCode = found.every(Boolean) ? 0 : 1;
