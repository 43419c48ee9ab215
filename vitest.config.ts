import { configDefaults, defineConfig, type Plugin } from 'vitest/config';

/** Shader files are imported as text, as the bundler does it. */
const wgsl: Plugin = {
  name: 'wgsl',
  transform: (code, id) => (id.endsWith('.wgsl') ? `export default ${JSON.stringify(code)};` : undefined),
};

/** The quick tests. Those named *.long.test.ts are left to vitest.all.config.ts. */
export default defineConfig({
  plugins: [wgsl],
  test: {
    include: ['kernels-test/**/*.test.ts', 'src/**/*.test.ts', 'tools/**/*.test.ts'],
    exclude: [...configDefaults.exclude, '**/*.long.test.ts'],
    globalSetup: ['tools/printAdapter.ts'],
    setupFiles: ['kernels-test/setup.ts'],
    testTimeout: 120_000,
    hookTimeout: 60_000,
    maxWorkers: 2,
  },
});
