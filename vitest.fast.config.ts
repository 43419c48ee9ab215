import { fileURLToPath } from 'node:url';
import { deviceless } from './tools/deviceless';
import WhatRan from './tools/whatRan';
import { common, wgsl } from './vitest.config';

/** The tests that need no device: one that opens one fails. They share what they import, which takes most of their time. */
export default {
  plugins: [wgsl],
  resolve: { alias: { webgpu: fileURLToPath(new URL('tools/noDevice.ts', import.meta.url)) } },
  test: {
    ...common,
    include: deviceless(),
    isolate: false,
    reporters: ['default', new WhatRan('npm test adds those that need a device')],
  },
};
