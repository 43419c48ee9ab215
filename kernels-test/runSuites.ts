import type { Engine } from '../src/engine/engine';
import { attempt } from './captureFailure';
import type { KernelSuite, KernelTest } from './suite';
import { engineVariants } from './variants';

/** How a test went, with every choice of kernels. */
export interface TestResult {
  readonly kernel: string;
  readonly name: string;
  readonly milliseconds: number;
  /** What differs, and with which kernels; absent where the test holds. */
  readonly failure?: string;
}

/** Runs tests on one device: each with every choice of kernels, and no buffer may be left alive after it. */
export class TestRunner {
  private variants: Readonly<Record<string, Engine>>;

  constructor(private readonly engine: Engine) {
    this.variants = engineVariants(engine);
  }

  /** @throws Error that says what differs, or is left alive, and with which kernels */
  async run(test: KernelTest): Promise<void> {
    for (const [name, variant] of Object.entries(this.variants)) {
      try {
        await test.run(variant);
        await variant.settle();
        const { liveBuffers } = variant.pool;
        if (liveBuffers > 0) throw new Error(`buffers left alive: ${liveBuffers}`);
      } catch (error) {
        // What it left behind, buffers and errors to come, must not reach the next test.
        this.dispose();
        this.variants = engineVariants(this.engine);
        throw new Error(`with ${name}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
      }
    }
  }

  /** Frees what tests left behind. The device stays as it is. */
  dispose(): void {
    for (const variant of Object.values(this.variants)) variant.dispose();
  }
}

/**
 * Runs the tests of suites one after the other; whoever asks for results may stop after any of them.
 *
 * @throws EngineError `device-lost`
 */
export async function* runSuites(engine: Engine, suites: readonly KernelSuite[]): AsyncGenerator<TestResult, void> {
  const runner = new TestRunner(engine);
  try {
    for (const { kernel, tests } of suites) {
      for (const test of tests) {
        const start = performance.now();
        const outcome = await attempt(engine, () => runner.run(test));
        const milliseconds = performance.now() - start;
        yield { kernel, name: test.name, milliseconds, ...('failure' in outcome ? outcome : {}) };
      }
    }
  } finally {
    runner.dispose();
  }
}
