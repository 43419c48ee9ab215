import { defineConfig, type Plugin, type TestUserConfig } from 'vitest/config';
import WhatRan from './tools/whatRan';

/** Shader files are imported as text, as the bundler does it. */
export const wgsl: Plugin = {
  name: 'wgsl',
  transform: (code, id) => (id.endsWith('.wgsl') ? `export default ${JSON.stringify(code)};` : undefined),
};

export const common = {
  tags: [
    { name: 'thorough', description: 'More shapes, seeds and rarer paths: npm test goes without.' },
    { name: 'device', description: 'Opens a device, though its file does not say so: npm run test:fast goes without.' },
  ],
  testTimeout: 120_000,
  hookTimeout: 60_000,
  maxWorkers: 2,
} satisfies TestUserConfig;

/** Tests other than those of kernels. */
const REST = ['src', 'tools', 'examples'].map((folder) => `${folder}/**/*.test.ts`);

/** Every test. `npm test` leaves out those tagged `thorough`, `npm run test:all` does not. */
export default defineConfig({
  plugins: [wgsl],
  // `palimpsest`, in examples that the peers' bench shares its models with, is the source.
  resolve: { tsconfigPaths: true },
  test: {
    ...common,
    projects: [
      // A suite registers itself when its file is loaded, which must be once for each file.
      {
        extends: true,
        test: { name: 'kernels', include: ['kernels-test/**/*.test.ts'], setupFiles: ['kernels-test/setup.ts'] },
      },
      // These share what they import, and a device (src/testing/testEngine.ts).
      { extends: true, test: { name: 'rest', include: REST, isolate: false } },
    ],
    reporters: ['default', new WhatRan()],
    globalSetup: ['tools/printAdapter.ts'],
  },
});
