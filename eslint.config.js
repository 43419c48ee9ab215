import { defineConfig } from 'eslint/config';
import tseslint from 'typescript-eslint';
import house from './tools/lintRules.js';

/** What the rooms below the platforms may import from. */
const ENGINE = ['common', 'gpu', 'tensor', 'ops', 'nn', 'optim', 'engine', 'formats', 'report', 'data'];

/** The rooms of src/, and below each the rooms that it may import from. Imports run downward only. */
const ROOMS = {
  common: [],
  gpu: [],
  tensor: ['gpu'],
  ops: ['gpu', 'tensor'],
  nn: ['gpu', 'tensor', 'ops'],
  optim: ['gpu', 'tensor', 'ops', 'nn'],
  formats: ['common', 'gpu'],
  report: ['common'],
  data: ['common', 'gpu', 'tensor', 'ops', 'formats'],
  engine: ['gpu', 'tensor', 'ops', 'nn', 'optim', 'data'],
  imae: ENGINE,
  node: [...ENGINE, 'imae'],
  runs: [...ENGINE, 'imae', 'node'],
  doctor: [...ENGINE, 'imae', 'node'],
  cli: [...ENGINE, 'imae', 'node', 'runs', 'doctor'],
  web: [...ENGINE, 'imae'],
};

/** What the other rooms must not know: they run in Node and in browsers alike. */
const PLATFORM_ROOMS = ['node', 'runs', 'doctor', 'cli', 'web'];
const PLATFORM_GLOBALS = [
  'process',
  'Buffer',
  'navigator',
  'document',
  'window',
  'self',
  'location',
  'localStorage',
  'sessionStorage',
  'matchMedia',
];
const platformImports = {
  regex: '^[^.]',
  message: `Packages and node: modules belong to src/${PLATFORM_ROOMS.join(', src/')}; pass what you need in from there.`,
};
/** What reads parquet is plain JavaScript: it runs and bundles anywhere. */
const dataImports = { ...platformImports, regex: '^(?!hyparquet)[^.]' };
/** The import rules see declarations only. */
const dynamicImports = { selector: 'ImportExpression', message: 'Import at the top.' };
const platformGlobals = PLATFORM_GLOBALS.map((name) => ({
  name,
  message: 'It belongs to the platforms: src/node and those above it, and src/web.',
}));

/** What training computes on the host must have the same bits in every browser; these differ in the last one. */
const INEXACT = [
  'sin',
  'cos',
  'tan',
  'exp',
  'expm1',
  'log',
  'log1p',
  'log2',
  'log10',
  'pow',
  'tanh',
  'hypot',
  'cbrt',
  'atan',
  'atan2',
];
const EXACT_ROOMS = ['data', 'nn', 'optim', 'imae'];
const inexactMath = INEXACT.map((property) => ({
  object: 'Math',
  property,
  message: 'It differs between browsers in the last bit: take it from src/tensor/exactMath.',
}));

/** What chooses kernels by the device, but for graph.byTraits, is not compared with the reference kernels in debugging. */
const CHOOSING_ROOMS = ['ops', 'nn', 'optim'];
const traits = { property: 'traits', message: 'Take them from graph.byTraits, which compares kernels in debugging.' };

/** What apps bundle: a bundler shortens the names of `#members`, and no others. */
const PACKAGED_ROOMS = ['gpu', 'tensor', 'ops', 'nn', 'optim', 'engine'];
const privateMembers = {
  selector:
    ':matches(PropertyDefinition, MethodDefinition[kind!="constructor"], TSParameterProperty)[accessibility="private"]',
  message: 'Call it #name: bundlers of apps shorten that.',
};

/** What calls WebGPU belongs to src/gpu, and beside it to the platforms, which find the adapter. */
const WEBGPU_GLOBALS = ['GPUBufferUsage', 'GPUMapMode', 'GPUShaderStage'];
const webgpuGlobals = WEBGPU_GLOBALS.map((name) => ({ name, message: 'Only src/gpu calls WebGPU.' }));

/** Lines count with blank ones and comments; a test's describe is no function, nor tests, benches and references files. */
const LIMITS = {
  'max-lines': ['error', 400],
  'house/max-function-lines': ['error', 80],
  'house/max-folder-files': ['error', 25],
  'house/no-cycle': 'error',
};
const MAX_PARAMS = 5;

/** The rules of one room. Tests may reach for whatever they need. */
function roomRules([room, below]) {
  const isPlatform = PLATFORM_ROOMS.includes(room);
  const others = Object.keys(ROOMS).filter((other) => other !== room && !below.includes(other));
  // What runs tests and benches belongs to the platforms.
  const outside = isPlatform ? ['testing', 'tools'] : ['testing', 'kernels-test', 'bench', 'tools'];
  const upward = {
    regex: `^(\\.\\./)+(src/)?(${[...others, ...outside].join('|')})(/|$)`,
    message: `src/${room} may import from ${['itself', ...below].join(', ')}: imports run downward only.`,
  };
  return {
    files: [`src/${room}/**/*.ts`],
    ignores: ['**/*.test.ts'],
    rules: {
      'no-restricted-imports': [
        'error',
        { patterns: isPlatform ? [upward] : [upward, room === 'data' ? dataImports : platformImports] },
      ],
      'no-restricted-globals': [
        'error',
        ...(isPlatform ? [] : platformGlobals),
        ...(isPlatform || room === 'gpu' ? [] : webgpuGlobals),
      ],
      'no-restricted-properties': [
        'error',
        ...(EXACT_ROOMS.includes(room) ? inexactMath : []),
        ...(CHOOSING_ROOMS.includes(room) ? [traits] : []),
      ],
      'no-restricted-syntax': [
        'error',
        ...(isPlatform ? [] : [dynamicImports]),
        ...(PACKAGED_ROOMS.includes(room) ? [privateMembers] : []),
      ],
    },
  };
}

export default defineConfig(
  { ignores: ['dist/', 'runs/', 'node_modules/'] },
  {
    linterOptions: { reportUnusedDisableDirectives: 'error' },
    plugins: { house },
    rules: { ...LIMITS, 'max-params': ['error', MAX_PARAMS], eqeqeq: 'error', 'no-duplicate-imports': 'error' },
  },
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.strictTypeChecked],
    languageOptions: { parserOptions: { projectService: true } },
    rules: {
      '@typescript-eslint/consistent-type-imports': 'error',
      // It sees declarations without a body, too.
      'max-params': 'off',
      '@typescript-eslint/max-params': ['error', { max: MAX_PARAMS }],
      // Numbers in messages are what messages are for.
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true, allowBoolean: true }],
      // A shorthand for callbacks that return nothing is clear enough.
      '@typescript-eslint/no-confusing-void-expression': 'off',
      // An async function without await turns what it throws into a rejection.
      '@typescript-eslint/require-await': 'off',
    },
  },
  ...Object.entries(ROOMS).map(roomRules),
  {
    // An example is short; the formatter gives each name of a long import a line.
    files: ['examples/**/*.ts'],
    rules: { 'no-duplicate-imports': 'off' },
  },
  {
    // A file is an operation or a kernel: there are as many as there are of those.
    files: ['src/ops/**', 'shaders/**'],
    rules: { 'house/max-folder-files': 'off' },
  },
  {
    // Kernel tests and benches also run in browsers and from bundles; what turns them into vitest's does not.
    files: ['kernels-test/**/*.ts', 'bench/**/*.ts'],
    ignores: ['kernels-test/setup.ts', 'kernels-test/runSuites.test.ts', 'kernels-test/pytorch/pytorch.test.ts'],
    rules: {
      'no-restricted-imports': [
        'error',
        {
          patterns: [
            // References index by ndarray, which is plain arrays: it runs and bundles anywhere.
            { ...platformImports, regex: '^(?!ndarray$)[^.]' },
            { regex: `/src/(${PLATFORM_ROOMS.join('|')})/`, message: 'They run in Node and in browsers alike.' },
          ],
        },
      ],
      'no-restricted-globals': ['error', ...platformGlobals],
    },
  },
);
