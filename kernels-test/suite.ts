import type { Engine } from '../src/engine/engine';

/** One check of a kernel: resolves where it holds, throws an Error that says what differs. */
export interface KernelTest {
  readonly name: string;
  /** `npm test` goes without it. */
  readonly isThorough?: boolean;
  run(engine: Engine): Promise<void>;
}

export interface KernelSuite {
  readonly kernel: string;
  readonly tests: readonly KernelTest[];
}

type Register = (suite: KernelSuite) => void;

/**
 * States the tests of a kernel. Under vitest they become tests (`setup.ts` leaves a function for that); elsewhere — in a
 * page, in a bundle where there is no npm — the returned suite is run by `runSuites`.
 */
export function suite(kernel: string, tests: readonly KernelTest[]): KernelSuite {
  const stated = { kernel, tests };
  (globalThis as { registerKernelSuite?: Register }).registerKernelSuite?.(stated);
  return stated;
}

/** Marks tests of more shapes and rarer paths, which only `npm run test:all` runs, and a page. */
export function thorough(tests: readonly KernelTest[]): readonly KernelTest[] {
  return tests.map((test) => ({ ...test, isThorough: true }));
}
