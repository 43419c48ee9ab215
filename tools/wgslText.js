// An esbuild plugin: shaders as text without what a compiler does not read, since a package and a page are downloaded.
import { readFile } from 'node:fs/promises';

/** Shader files as text, less comments, indentation and blank lines. */
export const wgslText = {
  name: 'wgslText',
  setup({ onLoad }) {
    onLoad({ filter: /\.wgsl$/ }, async ({ path }) => ({
      contents: strippedWgsl(await readFile(path, 'utf8')),
      loader: 'text',
    }));
  },
};

/**
 * WGSL without comments, indentation and blank lines. The preprocessor's directives (`//#if`) stay, each on its line.
 *
 * @param {string} text
 * @returns {string}
 */
export function strippedWgsl(text) {
  return text
    .replace(/\/\*[\s\S]*?\*\//g, '')
    .split('\n')
    .map((line) => (/^\s*\/\/#/.test(line) ? line : line.replace(/\/\/.*$/, '')).trim())
    .filter((line) => line !== '')
    .join('\n');
}
