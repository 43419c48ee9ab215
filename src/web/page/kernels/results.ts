import type { BenchResult } from '../../../../bench/bench';
import type { BenchFailure } from '../../../../bench/runBenches';
import type { StepComparison } from '../../../../bench/step.bench';
import { SOFTWARE_WARNING } from '../../../../bench/words';
import type { TestResult } from '../../../../kernels-test/runSuites';
import { counted } from '../../../files/format';
import type { Catalogue, DeviceReport, Item } from '../../workers/kernels';

export type BenchOutcome = BenchResult | BenchFailure;

/**
 * What was found on one device, as it is saved. Readers can rely on it: fields may be added, and where one goes or changes its
 * meaning, `format` changes.
 */
export interface SavedResults {
  readonly format: 'palimpsest kernels 1';
  /** When it was saved, ISO 8601. */
  readonly date: string;
  readonly userAgent: string;
  readonly device: DeviceReport;
  /** There where the adapter is software. */
  readonly warning?: string;
  /** Those with a `failure` say what differs. Times are those of the whole test, its reference and all. */
  readonly tests: readonly TestResult[];
  /** `spread` is half the distance between the quartiles, over the median. */
  readonly benches: readonly BenchOutcome[];
  readonly step?: StepComparison;
}

/** What was found on one device so far: of each test and case, the latest. */
export class Results {
  private readonly tests = new Map<string, TestResult>();
  private readonly benches = new Map<string, BenchOutcome>();
  step: StepComparison | undefined;

  constructor(
    private readonly catalogue: Catalogue,
    readonly device: DeviceReport,
  ) {}

  addTest(result: TestResult): void {
    this.tests.set(keyOf(result), result);
  }

  addBench(result: BenchOutcome): void {
    this.benches.set(keyOf(result), result);
  }

  testOf(item: Item): TestResult | undefined {
    return this.tests.get(keyOf(item));
  }

  benchOf(item: Item): BenchOutcome | undefined {
    return this.benches.get(keyOf(item));
  }

  get isEmpty(): boolean {
    return this.tests.size === 0 && this.benches.size === 0 && !this.step;
  }

  /** All of it, in the order of the catalogue. */
  toSaved(date: Date, userAgent: string): SavedResults {
    const { catalogue, device, step } = this;
    return {
      format: 'palimpsest kernels 1',
      date: date.toISOString(),
      userAgent,
      device,
      ...(device.adapter.software ? { warning: SOFTWARE_WARNING } : {}),
      tests: catalogue.tests.flatMap((item) => this.testOf(item) ?? []),
      benches: catalogue.benches.flatMap((item) => this.benchOf(item) ?? []),
      ...(step ? { step } : {}),
    };
  }
}

/** No kernel has a line break in its name. */
function keyOf({ kernel, name }: Item): string {
  return `${kernel}\n${name}`;
}

/** How the tests of a kernel stand, or of all. */
export interface Standing {
  readonly state: 'untested' | 'passed' | 'failed';
  readonly text: string;
}

/** @param results one a test; undefined for those that were not run */
export function standingOf(results: readonly (TestResult | undefined)[]): Standing {
  const run = results.filter((result) => result !== undefined);
  if (run.length === 0) return { state: 'untested', text: counted(results.length, 'test') };
  const failed = run.filter(({ failure }) => failure !== undefined).length;
  const left = results.length - run.length;
  const notRun = left > 0 ? `, ${left} not run` : '';
  if (failed > 0) return { state: 'failed', text: `${failed} of ${counted(run.length, 'test')} failed${notRun}` };
  const time = formatTime(run.reduce((sum, { milliseconds }) => sum + milliseconds, 0));
  return { state: 'passed', text: `${counted(run.length, 'test')} passed${notRun || ` in ${time}`}` };
}

/** `12 ms`, `1.3 s`, `1:05 min`. */
export function formatTime(milliseconds: number): string {
  if (milliseconds < 999.5) return `${milliseconds.toFixed(0)} ms`;
  const seconds = milliseconds / 1000;
  if (seconds < 59.95) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, '0')} min`;
}
