import type { Engine } from '../src/gpu/engine';

/** One check of a kernel: resolves where it holds, throws an Error that says what differs. */
export interface KernelTest {
  readonly name: string;
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
