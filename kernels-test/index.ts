import type { KernelSuite } from './suite';

const found = import.meta.glob<KernelSuite>(['./*.test.ts', '!./runSuites.test.ts'], {
  eager: true,
  import: 'default',
});

/** Every suite, by the names of their files. */
export const suites: readonly KernelSuite[] = Object.values(found);
