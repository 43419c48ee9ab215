import { readFileSync, readdirSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { checkPackage, createPackageFromTarballData } from '@arethetypeswrong/core';
import { publint } from 'publint';
import { formatMessage } from 'publint/utils';
import ts from 'typescript';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { shaders } from '../shaders/index';
import packageJson from '../package.json' with { type: 'json' };
import {
  bundled,
  chunksOf,
  gzipBytes,
  installedPackage,
  readmeProgram,
  type Consumer,
} from '../src/testing/builtPackage';
import { strippedWgsl } from './wgslText';

/* The package as npm brings it: what is in the tarball, what compilers and bundlers make of it. */

/** The whole package, every declaration of it among it, is made first. */
const BUILD_TIME = 600_000;
const PORTABLE = ['index', 'imae', 'formats', 'debug', 'ndarray'];

let consumer: Consumer;
beforeAll(async () => {
  consumer = await installedPackage();
}, BUILD_TIME);
afterAll(() => consumer.remove());

function filesIn(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((path) =>
    statSync(join(folder, path)).isFile(),
  );
}

describe('the tarball', () => {
  it('is less than 10 MB installed, without native code and without another package', () => {
    const { packageFolder } = consumer;
    const files = filesIn(packageFolder);
    const bytes = files.reduce((sum, path) => sum + statSync(join(packageFolder, path)).size, 0);
    expect(bytes).toBeLessThan(10e6);
    expect(files.filter((path) => /\.(node|so|dylib|dll|exe|wasm)$/.test(path))).toEqual([]);
    expect(packageJson).not.toHaveProperty('dependencies');
    expect(Object.values(packageJson.peerDependenciesMeta).every(({ optional }) => optional)).toBe(true);
    expect(Object.keys(packageJson.peerDependenciesMeta)).toEqual(Object.keys(packageJson.peerDependencies));
  });

  it('has its pages and licences, and nothing of the repository beside', () => {
    const files = filesIn(consumer.packageFolder);
    const wanted = ['README.md', 'CHANGELOG.md', 'LICENSE', 'docs/package.md', 'dist/package/LICENSES.txt', 'train.js'];
    expect(files).toEqual(expect.arrayContaining(wanted));
    const shipped = /^(dist\/package|docs|tools|examples)\/|^kernels-test\/\w+\/README.md$|^[^/]+$/;
    expect(files.filter((path) => !shipped.test(path))).toEqual([]);
    expect(files.filter((path) => /\.test\.|\.map$/.test(path))).toEqual([]);
  });

  it('has every file that its pages link to', () => {
    const files = new Set(filesIn(consumer.packageFolder));
    const pages = [...files].filter((path) => path.endsWith('.md'));
    const broken = pages.flatMap((page) => {
      const text = readFileSync(join(consumer.packageFolder, page), 'utf8').replace(/^```[\s\S]*?^```/gm, '');
      const links = [...text.matchAll(/\]\((?![a-z]+:|#)([^)#\s]+)/g)].map((match) => match[1] ?? '');
      return links.filter((link) => !files.has(join(dirname(page), link))).map((link) => `${page}: ${link}`);
    });
    expect(broken).toEqual([]);
  });

  it.each(PORTABLE)('%s.js names nothing of a platform', (entry) => {
    for (const [file, text] of chunksOf(consumer, `${entry}.js`)) {
      expect(text, file).not.toMatch(/import\.meta|\bprocess\.|\bBuffer\.|\brequire\(/);
      const packages = [...text.matchAll(/from "([^."][^"]*)"/g)].map((match) => match[1]);
      expect(packages, file).toEqual(file === 'ndarray.js' ? ['ndarray'] : []);
    }
  });
});

describe('what others say of it', () => {
  it('publint has no word', async () => {
    const { messages, pkg } = await publint({ pkgDir: consumer.packageFolder, strict: true });
    expect(messages.map((message) => formatMessage(message, pkg))).toEqual([]);
  });

  it('attw finds the types of every sub-path, as an ES module', async () => {
    const tarball = createPackageFromTarballData(new Uint8Array(readFileSync(consumer.tarball)));
    const found = await checkPackage(tarball);
    if (!found.types) throw new Error('attw finds no types.');
    // Of CommonJS and of Node 10, which the package is not for, it may say what it likes.
    const problems = found.problems.filter(
      (problem) => !('resolutionKind' in problem) || !['node10', 'node16-cjs'].includes(problem.resolutionKind),
    );
    expect(problems).toEqual([]);
    expect(Object.keys(found.entrypoints)).toEqual(Object.keys(packageJson.exports));
  });
});

describe('a strict TypeScript project', () => {
  const PROGRAM = `${readmeProgram()}
import { configure, drawBuiltIn, train, type RunResult } from 'palimpsest/imae';
import { readSafetensors } from 'palimpsest/formats';
import { toNdarray } from 'palimpsest/ndarray';
export const trained: Promise<RunResult> = train(engine, configure(), drawBuiltIn(configure()), {
  watcher: { step: ({ step: at, loss }) => console.log(at, loss) },
});
export const files: number = readSafetensors(new Uint8Array(8)).tensors.size;
export const array: number = toNdarray(new Float32Array(6), [2, 3]).get(1, 2);
// @ts-expect-error a loss of another shape has no item
engine.record({ x: f32(3) }, ({ x }) => ({ x })).compile().then(({ outputs }) => outputs.x.item());
`;

  function complaints(options: ts.CompilerOptions): string[] {
    const file = consumer.write(`src/${String(options.moduleResolution)}.ts`, PROGRAM);
    const program = ts.createProgram([file], {
      target: ts.ScriptTarget.ES2022,
      lib: ['lib.es2023.d.ts', 'lib.dom.d.ts'],
      types: [],
      strict: true,
      exactOptionalPropertyTypes: true,
      noPropertyAccessFromIndexSignature: true,
      verbatimModuleSyntax: true,
      erasableSyntaxOnly: true,
      skipLibCheck: false,
      noEmit: true,
      ...options,
    });
    return ts.getPreEmitDiagnostics(program).map(({ messageText, file: where }) => {
      return `${where?.fileName ?? ''}: ${ts.flattenDiagnosticMessageText(messageText, '\n')}`;
    });
  }

  it.each([
    ['nodenext', { module: ts.ModuleKind.NodeNext, moduleResolution: ts.ModuleResolutionKind.NodeNext }],
    ['bundler', { module: ts.ModuleKind.ESNext, moduleResolution: ts.ModuleResolutionKind.Bundler }],
  ])(
    'compiles with moduleResolution %s, declarations checked too',
    (_, options) => {
      expect(complaints(options)).toEqual([]);
    },
    BUILD_TIME,
  );
});

describe('what bundlers make of it', () => {
  const kernelsIn = (text: string): string[] => [...text.matchAll(/\/\/#kernel (\w+)/g)].map((match) => match[1] ?? '');

  it.each([
    ["export { neg } from 'palimpsest'", 13],
    ["export { AdamW, crossEntropy, Engine, f32, Linear, Module, relu, u32 } from 'palimpsest'", 40],
    ["export * from 'palimpsest'", 94],
    ["export * from 'palimpsest/imae'", 117],
    ["export * from 'palimpsest'; export * from 'palimpsest/imae'", 154],
  ])('%s: at most %i kB', async (code, kilobytes) => {
    expect(gzipBytes(await bundled(consumer, code))).toBeLessThanOrEqual(kilobytes * 1000);
  });

  it.each([
    ['EngineError', /^$/],
    ['neg', /^(unary|gelu)/],
    ['gelu', /^(gelu|unary)/],
    ['sub', /^(binary|add|unary|gelu|rowSums|broadcast|reduceAxes)/],
    ['softmax', /^(softmax|rowSums|broadcast|reduceAxes)/],
    ['matmul', /^(matmul|batchedMatmul|gelu|splitKReduce)/],
  ])('%s brings its own shaders alone', async (name, own) => {
    const text = await bundled(consumer, `export { ${name} } from 'palimpsest'`);
    // `line` is in a message about directives.
    expect(kernelsIn(text).filter((kernel) => kernel !== 'line' && !own.test(kernel))).toEqual([]);
  });

  it('an import that is not used brings nothing', async () => {
    const text = await bundled(consumer, "import { Engine } from 'palimpsest'; import 'palimpsest/imae'; export {}");
    expect(text.trim()).toBe('');
  });
});

describe('shaders', () => {
  it('are made of the same tokens as before', () => {
    const signs = /<<=|>>=|==|!=|<=|>=|&&|\|\||<<|>>|\+\+|--|->|[-+*/%&|^]=/;
    const tokens = new RegExp(`[A-Za-z_]\\w*|\\.?\\d[\\w.]*|${signs.source}|\\S`, 'g');
    const code = (text: string): string =>
      text.replace(/\/\*[\s\S]*?\*\/|\/\/(?!#).*$/gm, '').replace(/(?<=\/\/#end) .*$/gm, '');
    for (const [path, text] of Object.entries(shaders)) {
      expect(strippedWgsl(text).match(tokens), path).toEqual(code(text).match(tokens));
    }
  });

  it('lose comments, white space and blank lines, and keep directives', () => {
    const text =
      '// Head.\n//#kernel a\n//#param N: u32\n\n  let x = 1; // one\n  /* two\n lines */\n  //#if N > 1\n  x++;\n  //#end if N > 1\n';
    expect(strippedWgsl(text)).toBe('//#kernel a\n//#param N:u32\nlet x=1;\n//#if N>1\nx++;\n//#end');
  });
});
