// node tools/package.js: makes dist/package/, what `npm pack` takes: the library, its types, one file for a script tag, and
// the programs. npm runs it by itself before it packs.
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { gzipSync } from 'node:zlib';
import { build as bundle } from 'esbuild';
import ts from 'typescript';
import { buildIfStale, isStale, PROGRAMS } from './build.js';
import { importGlob } from './importGlob.js';
import { installCommand } from './run.js';
import { renamed, shortNames } from './wgslNames.js';
import { wgslText } from './wgslText.js';

const root = dirname(import.meta.dirname);
const OUT = join(root, 'dist', 'package');
const LOCK = join(root, 'dist', 'package.lock');
const { peerDependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));

/** What package.json exports: each sub-path from its source. */
export const ENTRIES = {
  index: 'src/index.ts',
  imae: 'src/imae/index.ts',
  formats: 'src/formats/index.ts',
  debug: 'src/debug.ts',
  ndarray: 'src/ndarray.ts',
  node: 'src/node/index.ts',
};

/** The programs that users of the package run; the others measure the repository. */
const SHIPPED = ['train', 'doctor', 'decoder'];
/** What the programs read beside them. */
const PAGES = ['report.html', 'figures.html'];
/** Written last. */
const LAST = 'LICENSES.txt';
const FONTS = ['DejaVuSans.ttf', 'DejaVuSans-Bold.ttf'];

/** What commands are called where the package is installed, in help and messages. */
const COMMANDS = [
  ['npm ci && npm run doctor', `${installCommand(peerDependencies)} && npx palimpsest doctor`],
  ['node train.js', 'npx palimpsest'],
  ['npm run doctor', 'npx palimpsest doctor'],
  ['npm ci', installCommand(peerDependencies)],
  ['bash tools/install-lavapipe.sh', 'bash node_modules/palimpsest/tools/install-lavapipe.sh'],
];

/** And what they are called in an app that uses the library: of the peers, it needs WebGPU alone. */
const LIBRARY_COMMANDS = [
  ['npm run doctor', 'npx palimpsest doctor'],
  ['npm ci', 'npm i webgpu'],
];

const shared = {
  absWorkingDir: root,
  bundle: true,
  write: false,
  metafile: true,
  logLevel: 'warning',
  plugins: [importGlob, wgslText],
  target: 'es2022',
  external: Object.keys(peerDependencies),
};

/** Makes dist/package/ anew. */
export async function buildPackage() {
  await buildIfStale();
  rmSync(OUT, { recursive: true, force: true });
  mkdirSync(OUT, { recursive: true });
  const built = await Promise.all([library(), programs()]);
  for (const { outputFiles } of built) for (const { path, text } of outputFiles) writeFileSync(path, text);
  await scriptTag();
  types();
  for (const page of PAGES) {
    writeFileSync(join(OUT, page), withCommands(readFileSync(join(root, 'dist', page), 'utf8')));
  }
  for (const font of FONTS) cpSync(join(root, 'node_modules/dejavu-fonts-ttf/ttf', font), join(OUT, font));
  writeFileSync(join(OUT, LAST), licences(built.flatMap(({ metafile }) => Object.keys(metafile.inputs))));
}

/** ES modules that share what they have in common, so that a class is the same in all of them. */
async function library() {
  const made = await bundle({
    ...shared,
    entryPoints: ENTRIES,
    outdir: OUT,
    format: 'esm',
    splitting: true,
    chunkNames: 'shared-[hash]',
    // `palimpsest/node` names Node's modules; no other entry may.
    external: [...shared.external, 'node:*'],
  });
  const files = gatherShaders(markPure(made.outputFiles));
  return {
    ...made,
    outputFiles: files.map(({ path, text }) => ({ path, text: withCommands(text, LIBRARY_COMMANDS) })),
  };
}

/**
 * Moves the shaders out of the modules into one of their own, with short names. There they lie one behind another, and in a
 * bundle too, where gzip, which looks back 32 KiB, finds what they share: together it takes 4 % off.
 */
function gatherShaders(files) {
  const shaders = new Map();
  const without = files.map(({ path, text }) => {
    const imported = [];
    const rest = text.replace(/^\/\/ (shaders\/.*)\.wgsl\nvar (\w+) = (".*");\n/gm, (_, file, name, literal) => {
      const exported = file.replace(/\W/g, '_');
      shaders.set(exported, JSON.parse(literal));
      imported.push(`${exported} as ${name}`);
      return '';
    });
    return {
      path,
      text: imported.length > 0 ? `import { ${imported.join(', ')} } from "./shaders.js";\n${rest}` : text,
    };
  });
  const names = shortNames([...shaders.values()]);
  const lines = byLikeness(
    [...shaders].map(([name, text]) => `export const ${name} = ${JSON.stringify(renamed(text, names))};\n`),
  );
  return [...without, { path: join(OUT, 'shaders.js'), text: lines.join('') }];
}

/** Texts in an order in which each stands behind the one with which it packs best: of all such orders the shortest. */
function byLikeness(texts) {
  const alone = texts.map(packed);
  const saved = texts.map((before, i) => texts.map((text, j) => alone[i] + alone[j] - packed(before + text)));
  const orders = texts.map((_, first) => {
    const left = new Set(texts.keys());
    const order = [];
    for (let next = first; left.size > 0; next = bestOf(left, (i) => saved[order.at(-1)][i])) {
      left.delete(next);
      order.push(next);
    }
    return order.map((i) => texts[i]);
  });
  return orders[bestOf(orders.keys(), (i) => -packed(orders[i].join('')))];
}

function bestOf(candidates, score) {
  return [...candidates].reduce(
    (best, one) => (best === undefined || score(one) > score(best) ? one : best),
    undefined,
  );
}

function packed(text) {
  return gzipSync(text).length;
}

/**
 * Marks calls at the top level of functions without effects, for bundlers that do not read the mark of the function itself:
 * shaders of operations that nobody imports are dropped.
 */
function markPure(files) {
  const marked = files.flatMap(({ text }) => [...text.matchAll(/@__NO_SIDE_EFFECTS__\s*function (\w+)/g)]);
  const names = [...new Set(marked.map(([, name]) => name))].join('|');
  const call = new RegExp(`^(var \\w+ = )((?:${names})\\()`, 'gm');
  return files.map(({ path, text }) => ({ path, text: text.replace(call, '$1/* @__PURE__ */ $2') }));
}

/** All of `palimpsest` as the global of that name, from the modules that are there. */
async function scriptTag() {
  await bundle({
    ...shared,
    entryPoints: { 'palimpsest.global': join(OUT, 'index.js') },
    outdir: OUT,
    format: 'iife',
    globalName: 'palimpsest',
    minify: true,
    write: true,
  });
}

/** The programs with the packages that they need, but for the peers, which have parts for each platform. */
async function programs() {
  const made = await bundle({
    ...shared,
    entryPoints: Object.fromEntries(SHIPPED.map((name) => [name, PROGRAMS[name]])),
    outdir: OUT,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    // CommonJS in them asks for Node's modules by `require`.
    banner: {
      js: "import { createRequire as requireOf } from 'node:module'; const require = requireOf(import.meta.url);",
    },
  });
  return { ...made, outputFiles: made.outputFiles.map(({ path, text }) => ({ path, text: withCommands(text) })) };
}

function withCommands(text, commands = COMMANDS) {
  return commands.reduce((changed, [from, to]) => changed.replaceAll(from, to), text);
}

/** Declarations of the entries and of what they name, a file each, with the endings that Node asks for. */
function types() {
  const { options } = ts.parseJsonConfigFileContent(
    ts.readConfigFile(join(root, 'tsconfig.json'), ts.sys.readFile).config,
    ts.sys,
    root,
  );
  const source = join(root, 'src');
  const program = ts.createProgram(
    [...Object.values(ENTRIES), 'src/wgsl.d.ts'].map((path) => join(root, path)),
    {
      ...options,
      noEmit: false,
      declaration: true,
      emitDeclarationOnly: true,
      outDir: join(OUT, 'types'),
      rootDir: source,
    },
  );
  const { diagnostics } = program.emit(undefined, (path, text, _, __, sources = []) => {
    const from = dirname(sources[0]?.fileName ?? join(source, 'x.ts'));
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, withEndings(text, from));
  });
  const wrong = diagnostics.map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, '\n'));
  if (wrong.length > 0) throw new Error(wrong.join('\n'));
}

function withEndings(text, folder) {
  return text.replace(/(\bfrom |\bimport\()(['"])(\.{1,2}(?:\/[^'"]+)?)\2/g, (_, before, quote, path) => {
    const ending = existsSync(resolve(folder, `${path}.ts`)) ? '.js' : '/index.js';
    return `${before}${quote}${path}${ending}${quote}`;
  });
}

/** The licences of packages of which files are in the bundles, in the report's page and beside them. */
function licences(inputs) {
  const folders = [
    ...inputs.flatMap((path) => /^(?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+/.exec(path)?.[0] ?? []),
    ...['uplot', 'dejavu-fonts-ttf'].map((name) => `node_modules/${name}`),
  ];
  return [...new Set(folders)]
    .sort()
    .map((folder) => {
      const file = readdirSync(join(root, folder)).find((name) => /^licen[cs]e/i.test(name));
      const text = file === undefined ? '' : readFileSync(join(root, folder, file), 'utf8').trim();
      const { license } = JSON.parse(readFileSync(join(root, folder, 'package.json'), 'utf8'));
      return `${relative('node_modules', folder)} (${license})\n\n${text}\n`;
    })
    .join(`\n${'-'.repeat(80)}\n\n`);
}

/** What the package is made from. */
const SOURCES = [
  'src',
  'shaders',
  'package.json',
  ...['build', 'package', 'wgslNames', 'wgslText', 'run'].map((name) => `tools/${name}.js`),
];

/** Makes dist/package/ where it is older than any of its sources; of processes that want it at once, one does. */
export async function buildPackageIfStale() {
  while (!takeLock()) await new Promise((resolve) => setTimeout(resolve, 200));
  try {
    if (isStale([join(OUT, LAST)], SOURCES)) await buildPackage();
  } finally {
    rmSync(LOCK);
  }
}

/** Whether no other process that is alive makes the package. */
function takeLock() {
  mkdirSync(dirname(LOCK), { recursive: true });
  try {
    writeFileSync(LOCK, String(process.pid), { flag: 'wx' });
    return true;
  } catch {
    // A file that is gone meanwhile, or just begun, is looked at again.
    const holder = existsSync(LOCK) ? readFileSync(LOCK, 'utf8') : '';
    if (holder !== '' && !isAlive(Number(holder))) rmSync(LOCK, { force: true });
    return false;
  }
}

function isAlive(pid) {
  try {
    return pid > 0 && process.kill(pid, 0);
  } catch {
    return false;
  }
}

if (process.argv[1] === import.meta.filename) await buildPackage();
