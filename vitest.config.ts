import { defineConfig, type Plugin } from 'vitest/config';

/** Shader files are imported as text, as the bundler does it. */
export const wgsl: Plugin = {
  name: 'wgsl',
  transform: (code, id) => (id.endsWith('.wgsl') ? `export default ${JSON.stringify(code)};` : undefined),
};

export default defineConfig({
  plugins: [wgsl],
  test: {
    include: ['kernels-test/**/*.test.ts', 'src/**/*.test.ts'],
    setupFiles: ['kernels-test/setup.ts'],
    testTimeout: 120_000,
    hookTimeout: 60_000,
    maxWorkers: 2,
  },
});
