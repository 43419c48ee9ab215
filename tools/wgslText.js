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
 * WGSL without comments, and without the white space that no token needs. The preprocessor's directives (`//#if`) stay, each on
 * its line, but for what the end of a block says of it. Lines stay lines, for messages name them.
 *
 * @param {string} text
 * @returns {string}
 */
export function strippedWgsl(text) {
  return text
    .replace(/\/\*[\s\S]*?\*\//g, '')
    .split('\n')
    .map((line) => (/^\s*\/\/#/.test(line) ? directive(line.trim()) : tightened(line.replace(/\/\/.*$/, '').trim())))
    .filter((line) => line !== '')
    .join('\n');
}

/** @param {string} line */
function directive(line) {
  const [, word = '', rest = ''] = /^\/\/#(\w+)\s*(.*)$/.exec(line) ?? [];
  return word === 'end' ? '//#end' : `//#${word} ${tightened(rest)}`.trimEnd();
}

/**
 * Spaces stay between words, and between signs that would become one (`a - -b`).
 *
 * @param {string} line
 * @returns {string}
 */
function tightened(line) {
  return line.replace(/(.) +(?=(.))/g, (pair, before, after) => {
    const areWords = /\w/.test(before) && /[\w@]/.test(after);
    const areSigns = before === after || (/[-+*/%&|^<>=!]/.test(before) && /[-+*/%&|^<>=!]/.test(after));
    return areWords || areSigns ? pair.replace(/ +$/, ' ') : before;
  });
}
