import { existsSync, readdirSync } from 'node:fs';
import { ESLint } from 'eslint';
import { describe, expect, it } from 'vitest';
import { suites as benchSuites } from '../bench/index';
import { suites as testSuites } from '../kernels-test/index';
import { shaders } from '../shaders/index';

/*
 * The rules of the house, checked: that eslint.config.js reports what it is there to report, and that every kernel has
 * its test and its bench, which run.
 */

const namesIn = (folder: string, ending: string): string[] =>
  readdirSync(folder).flatMap((file) => (file.endsWith(ending) ? [file.slice(0, -ending.length)] : []));

describe('lint', () => {
  // Rules that need types can't judge a file that is not there.
  const eslint = new ESLint({
    overrideConfig: { languageOptions: { parserOptions: { projectService: false } } },
    ruleFilter: ({ ruleId }) => /^no-restricted-|^house\/|max-/.test(ruleId),
  });

  async function complaints(filePath: string, code: string): Promise<string> {
    const [result] = await eslint.lintText(code, { filePath });
    return (result?.messages ?? []).map(({ message }) => message).join('\n');
  }

  it.each([
    [
      'src/gpu/x.ts',
      `import { Graph } from '../tensor/graph';`,
      'src/gpu may import from itself: imports run downward only',
    ],
    ['src/tensor/x.ts', `import type { X } from '../ops/x';`, 'src/tensor may import from itself, gpu'],
    ['src/ops/x.ts', `export { X } from '../nn/layers';`, 'src/ops may import from itself, gpu, tensor'],
    ['src/ops/x.ts', `export * from '../nn/layers';`, 'imports run downward only'],
    ['src/nn/x.ts', `import '../optim/adamw';`, 'imports run downward only'],
    ['src/formats/x.ts', `import '../data/imageSet';`, 'imports run downward only'],
    ['src/imae/lcmae/x.ts', `import '../../node/dawn';`, 'src/imae may import from itself, common, gpu'],
    ['src/node/x.ts', `import '../web/page';`, 'imports run downward only'],
    ['src/web/x.ts', `import '../node/dawn';`, 'imports run downward only'],
    ['src/gpu/x.ts', `import '../../kernels-test/compare';`, 'imports run downward only'],
    ['src/imae/x.ts', `import { readFileSync } from 'node:fs';`, 'belong to src/node'],
    ['src/gpu/x.ts', `import { create } from 'webgpu';`, 'belong to src/node'],
    ['src/gpu/x.ts', `const gpu = await import('webgpu');`, 'Import at the top'],
    ['src/data/x.ts', `const { env } = process;`, "Unexpected use of 'process'"],
    ['src/gpu/x.ts', `const gpu = navigator.gpu;`, "Unexpected use of 'navigator'"],
    ['src/imae/x.ts', `document.title = window.name;`, "Unexpected use of 'window'"],
    ['src/ops/x.ts', `const usage = GPUBufferUsage.STORAGE;`, 'Only src/gpu calls WebGPU'],
    ['src/optim/x.ts', `export const c = Math.cos(1);`, 'take it from src/tensor/exactMath'],
    ['src/ops/x.ts', `export const { traits } = graph.engine;`, 'Take them from graph.byTraits'],
    ['kernels-test/x.test.ts', `import { it } from 'vitest';`, 'belong to src/node'],
    ['bench/x.bench.ts', `import { openEngine } from '../src/node/dawn';`, 'They run in Node and in browsers alike'],
  ])('reports in %s: %s', async (path, code, message) => {
    expect(await complaints(path, code)).toContain(message);
  });

  it.each([
    ['src/tensor/x.ts', `import { GpuEngine } from '../gpu/gpuEngine'; import { Tape } from './tape';`],
    ['src/engine/x.ts', `import { AdamW } from '../optim/adamw'; import { Graph } from '../tensor/graph';`],
    ['src/ops/x.ts', `import source from '../../shaders/add.wgsl'; import { Tensor } from '../tensor/tensor';`],
    ['src/optim/x.ts', `import type { Arena } from '../nn/parameters';`],
    ['src/data/x.ts', `import { UserError } from '../common/userError';`],
    ['src/imae/lcmae/x.ts', `import { AdamW } from '../../optim/adamw'; import { mae } from '../model/mae';`],
    ['src/gpu/x.ts', `const usage = GPUBufferUsage.STORAGE;`],
    ['src/node/x.ts', `import { suites } from '../../bench/index';`],
    ['src/node/x.ts', `import { join } from 'node:path'; const { env } = process; await import('webgpu');`],
    ['src/web/x.ts', `document.title = String(navigator.gpu);`],
    ['src/tensor/x.test.ts', `import { it } from 'vitest'; import { add } from '../ops/add';`],
    ['kernels-test/x.test.ts', `import { add } from '../src/ops/add'; import { suite } from './suite';`],
  ])('accepts in %s: %s', async (path, code) => {
    expect(await complaints(path, code)).toBe('');
  });

  const lines = (count: number): string => '\n'.repeat(count - 1);

  it.each([
    ['a file', 'src/gpu/x.ts', lines(402), 'too many lines (401)'],
    ['a function', 'src/gpu/x.ts', `const f = () => {${lines(81)}};`, 'A function of 81 lines: 80 at most'],
    ['a test', 'src/gpu/x.test.ts', `it('', () => {${lines(81)}});`, 'A function of 81 lines: 80 at most'],
    ['parameters', 'src/gpu/x.ts', 'const f = (a, b, c, d, e, g) => {};', 'too many parameters (6)'],
    ['parameters of JavaScript', 'tools/x.js', 'function f(a, b, c, d, e, g) {}', 'too many parameters (6)'],
    ['a cycle', 'src/gpu/errors.ts', `import './gpuEngine';`, 'in turn: src/gpu/gpuEngine.ts → src/gpu/errors.ts'],
    [
      'a cycle of types',
      'src/gpu/errors.ts',
      `import type { GpuEngine } from './gpuEngine';`,
      'src/gpu/gpuEngine.ts →',
    ],
    ['a cycle of exports', 'src/gpu/errors.ts', `export { Program } from './program';`, 'src/gpu/program.ts →'],
  ])('reports %s beyond the limits', async (_, path, code, message) => {
    expect(await complaints(path, code)).toContain(message);
  });

  it.each([
    ['a file', 'src/gpu/x.ts', lines(401)],
    ['a function', 'src/gpu/x.ts', `const f = (a, b, c, d, e) => {${lines(80)}};`],
    ['a describe', 'src/gpu/x.test.ts', `describe('', () => {${lines(81)}});`],
    ['a describe.each', 'src/gpu/x.test.ts', `describe.each([])('', () => {${lines(81)}});`],
  ])('accepts %s within them', async (_, path, code) => {
    expect(await complaints(path, code)).toBe('');
  });

  it('counts the files of a folder', async () => {
    const strict = new ESLint({
      overrideConfig: {
        languageOptions: { parserOptions: { projectService: false } },
        rules: { 'house/max-folder-files': ['error', 1] },
      },
      ruleFilter: ({ ruleId }) => ruleId === 'house/max-folder-files',
    });
    const found = async (filePath: string): Promise<number> =>
      (await strict.lintText('', { filePath })).flatMap(({ messages }) => messages).length;
    expect([await found('src/gpu/x.ts'), await found('src/gpu/x.test.ts'), await found('src/imae/x.ts')]).toEqual([
      1, 0, 0,
    ]);
  });

  const rooms = readdirSync('src', { withFileTypes: true }).filter(
    (entry) => entry.isDirectory() && entry.name !== 'testing',
  );

  it.each(rooms.map(({ name }) => name))('knows the room src/%s', async (room) => {
    expect(await complaints(`src/${room}/x.ts`, `import '../testing/x';`)).toContain(`src/${room} may import from`);
  });
});

describe('one name, everywhere', () => {
  // A file, or a folder where there are several of one family. What converts pictures is no kernel of the preprocessor.
  const withKernels = Object.entries(shaders).filter(([, text]) => text.includes('//#kernel'));
  const kernels = [...new Set(withKernels.map(([path]) => path.split('/')[0] as string))];

  it.each(kernels)('%s has a test and a bench', (name) => {
    const wanted = [`kernels-test/${name}.test.ts`, `bench/${name}.bench.ts`];
    expect(wanted.filter((path) => !existsSync(path))).toEqual([]);
  });

  it('has no bench of a kernel or operation that is not there', () => {
    const known = [...kernels, ...namesIn('src/ops', '.ts'), 'step', 'host', 'startUp'];
    expect(namesIn('bench', '.bench.ts').filter((name) => !known.includes(name))).toEqual([]);
  });

  it('finds every suite under the name of its file', () => {
    const named = (folder: string, ending: string, others: readonly string[]): string[] =>
      namesIn(folder, ending).filter((name) => !others.includes(name));
    expect(testSuites.map(({ kernel }) => kernel).sort()).toEqual(
      named('kernels-test', '.test.ts', ['runSuites']).sort(),
    );
    // Ceilings, which the others are measured against, steps, their host time and starts have ways of their own.
    expect(benchSuites.map(({ kernel }) => kernel).sort()).toEqual(
      named('bench', '.bench.ts', ['peakThroughput', 'step', 'host', 'startUp']).sort(),
    );
  });

  // Results are told apart by their names.
  it.each(
    [...testSuites, ...benchSuites].map(
      (suite) => [suite.kernel, 'tests' in suite ? suite.tests : suite.cases] as const,
    ),
  )('names no test or case of %s twice', (_, cases) => {
    const names = cases.map(({ name }) => name);
    expect(names.filter((name, at) => names.indexOf(name) !== at)).toEqual([]);
  });

  it('has no shader file of more than 300 lines', () => {
    const lengths = Object.entries(shaders).map(([path, text]) => [path, text.trimEnd().split('\n').length] as const);
    expect(lengths.filter(([, lines]) => lines > 300)).toEqual([]);
  });
});
