// import.meta.glob for esbuild, as Vite, which runs the tests, has it: the files of a pattern by their paths. What
// shaders/, kernels-test/ and bench/ hold is found by it, so that no list of them is kept by hand.
import { readdirSync, readFileSync } from 'node:fs';
import { dirname } from 'node:path';

/** A call, with one pattern or several, of which those with `!` take files out again. Only default exports are taken. */
const CALL =
  /import\.meta\.glob(?:<\w+>)?\(\s*(\[[^\]]*\]|'[^']*')\s*,\s*\{\s*eager: true,\s*import: 'default',?\s*\}\s*,?\s*\)/g;

/** An esbuild plugin. It looks at files named index.ts only. */
export const importGlob = {
  name: 'importGlob',
  setup({ onLoad }) {
    onLoad({ filter: /[\\/]index\.ts$/ }, ({ path }) => {
      const source = readFileSync(path, 'utf8');
      if (!source.includes('import.meta.glob')) return undefined;
      const imports = [];
      const contents = source.replace(CALL, (_, patterns) => {
        const entries = found(
          dirname(path),
          [...patterns.matchAll(/'([^']*)'/g)].map(([, pattern]) => pattern),
        ).map((file) => {
          const name = `found${imports.length}`;
          imports.push(`import ${name} from '${file}';`);
          return `'${file}': ${name}`;
        });
        return `{ ${entries.join(', ')} }`;
      });
      if (contents.includes('import.meta.glob(')) throw new Error(`${path}: import.meta.glob in a form not known here`);
      return { contents: `${imports.join(' ')} ${contents}`, loader: 'ts' };
    });
  },
};

/** @returns {string[]} paths that begin with `./`, sorted as Vite does it */
export function found(folder, patterns) {
  const paths = readdirSync(folder, { recursive: true }).map((path) => `./${String(path).replaceAll('\\', '/')}`);
  const matches = (path, isExcluding) =>
    patterns.some((pattern) => pattern.startsWith('!') === isExcluding && expressionOf(pattern).test(path));
  return paths.filter((path) => matches(path, false) && !matches(path, true)).sort();
}

/** A pattern of `*` (within a folder), `**` (any folders) and `{a,b}`. */
function expressionOf(pattern) {
  const text = pattern
    .replace(/^!/, '')
    .replace(/[.+^$()|[\]\\]/g, '\\$&')
    .replace(/\{([^}]*)\}/g, (_, names) => `(${names.replaceAll(',', '|')})`)
    .replace(/\*\*\/|\*/g, (stars) => (stars === '*' ? '[^/]*' : '(.*/)?'));
  return new RegExp(`^${text}$`);
}
