import { attempt } from '../kernels-test/captureFailure';
import { isChosen } from '../kernels-test/filter';
import type { Engine } from '../src/engine/engine';
import { isSoftware } from '../src/gpu/adapter';
import { isLarge, runBench, type BenchSuite, type Measure } from './bench';
import type { BenchResult } from './roofline';

/** A case that could not be timed, or whose result is wrong. */
export interface BenchFailure {
  readonly kernel: string;
  readonly name: string;
  readonly failure: string;
}

/** A case that was left out. */
export interface BenchSkip {
  readonly kernel: string;
  readonly name: string;
  /** Why. */
  readonly skipped: string;
}

export type BenchOutcome = BenchResult | BenchFailure | BenchSkip;

/** Why large cases are left out on an adapter that is software. */
export const TOO_LARGE = 'too large for a software adapter; --filter times them where it leaves nothing smaller';

/** What a filter leaves of suites. */
export function chooseSuites(suites: readonly BenchSuite[], filter: string): readonly BenchSuite[] {
  return suites
    .map(({ kernel, cases }) => ({ kernel, cases: cases.filter(({ name }) => isChosen(filter, kernel, name)) }))
    .filter(({ cases }) => cases.length > 0);
}

/**
 * Checks and times the cases of suites one after the other; whoever asks for results may stop after any of them. On a
 * software adapter, large cases are left out unless there are only such.
 *
 * @throws EngineError `device-lost`
 */
export async function* runBenches(
  engine: Engine,
  suites: readonly BenchSuite[],
  measure: Measure,
): AsyncGenerator<BenchOutcome, void> {
  const onlyLarge = suites.every(({ cases }) => cases.every(isLarge));
  for (const { kernel, cases } of suites) {
    for (const test of cases) {
      const { name } = test;
      if (isSoftware(engine.info) && isLarge(test) && !onlyLarge) {
        yield { kernel, name, skipped: TOO_LARGE };
        continue;
      }
      const outcome = await attempt(engine, () => runBench(engine, kernel, test, measure));
      yield 'failure' in outcome ? { kernel, name, ...outcome } : outcome.value;
    }
  }
}
