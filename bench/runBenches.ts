import { attempt } from '../kernels-test/attempt';
import type { Engine } from '../src/gpu/engine';
import { runBench, type BenchResult, type BenchSuite } from './bench';

/** A case that could not be timed, or whose result is wrong. */
export interface BenchFailure {
  readonly kernel: string;
  readonly name: string;
  readonly failure: string;
}

/**
 * Checks and times the cases of suites one after the other; whoever asks for results may stop after any of them.
 *
 * @throws EngineError `device-lost`
 */
export async function* runBenches(
  engine: Engine,
  suites: readonly BenchSuite[],
): AsyncGenerator<BenchResult | BenchFailure, void> {
  for (const { kernel, cases } of suites) {
    for (const test of cases) {
      const outcome = await attempt(engine, () => runBench(engine, kernel, test));
      yield 'failure' in outcome ? { kernel, name: test.name, ...outcome } : outcome.value;
    }
  }
}
