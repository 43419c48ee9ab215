import { expect, it } from 'vitest';
import { suites } from '../kernels-test/index';
import { shaders } from '../shaders/index';
import { found } from './importGlob.js';

it('finds for bundles what Vite finds for tests, in the same order', () => {
  expect(found('shaders', ['./**/*.wgsl'])).toEqual(Object.keys(shaders).map((path) => `./${path}.wgsl`));
  expect(found('kernels-test', ['./*.test.ts', '!./runSuites.test.ts'])).toEqual(
    suites.map(({ kernel }) => `./${kernel}.test.ts`),
  );
});

it('knows one folder from many, and alternatives', () => {
  const files = found('shaders', ['./*.wgsl', '!./{gelu,add}.wgsl']);
  expect(files).toContain('./reduce.wgsl');
  expect(files.filter((path) => path.includes('/', 2) || ['./gelu.wgsl', './add.wgsl'].includes(path))).toEqual([]);
});
