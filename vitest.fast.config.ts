import { fileURLToPath } from 'node:url';
import { deviceless } from './tools/deviceless';
import WhatRan from './tools/whatRan';
import every from './vitest.config';

const { projects: _, ...test } = every.test ?? {};

/** The tests that need no device: one that opens one fails. They share what they import, which takes most of their time. */
export default {
  ...every,
  resolve: { alias: { webgpu: fileURLToPath(new URL('tools/noDevice.ts', import.meta.url)) } },
  test: {
    ...test,
    include: deviceless(),
    isolate: false,
    reporters: ['default', new WhatRan('npm test adds those that need a device')],
    globalSetup: [],
  },
};
