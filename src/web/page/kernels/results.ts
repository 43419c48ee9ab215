import packageJson from '../../../../package.json' with { type: 'json' };
import type { Measure } from '../../../../bench/bench';
import type { DeviceReport } from '../../../../bench/device';
import type { BenchFailure, BenchOutcome } from '../../../../bench/runBenches';
import { FORMAT, type SavedBench } from '../../../../bench/resultFile';
import type { StartUp } from '../../../../bench/startUp.bench';
import type { StepResult } from '../../../../bench/step.bench';
import { SOFTWARE_WARNING } from '../../../../bench/formatResults';
import type { TestResult } from '../../../../kernels-test/runSuites';
import { counted } from '../../../common/format';
import type { Catalogue, Item } from '../../workers/kernels';

/** As the command saves it, and the tests besides. */
export type SavedResults = SavedBench & { readonly tests: readonly TestResult[] };

/** What was found on one device so far: of each test, case and step, the latest. */
export class Results {
  private readonly tests = new Map<string, TestResult>();
  private readonly benches = new Map<string, BenchOutcome>();
  private readonly stepsFound = new Map<string, StepResult | BenchFailure>();
  private readonly starts = new Map<string, StartUp>();
  measure: Measure | undefined;

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

  addStep(result: StepResult | BenchFailure): void {
    this.stepsFound.set(keyOf(result), result);
  }

  addStart(result: StartUp): void {
    this.starts.set(keyOf(result), result);
  }

  testOf(item: Item): TestResult | undefined {
    return this.tests.get(keyOf(item));
  }

  benchOf(item: Item): BenchOutcome | undefined {
    return this.benches.get(keyOf(item));
  }

  get steps(): readonly (StepResult | BenchFailure)[] {
    return [...this.stepsFound.values()];
  }

  get startUp(): readonly StartUp[] {
    return [...this.starts.values()];
  }

  get isEmpty(): boolean {
    return [this.tests, this.benches, this.stepsFound, this.starts].every(({ size }) => size === 0);
  }

  /** All of it, in the order of the catalogue. */
  toSaved(date: Date, userAgent: string): SavedResults {
    const { catalogue, device, measure, steps, startUp } = this;
    return {
      format: FORMAT,
      date: date.toISOString(),
      palimpsest: packageJson.version,
      runtime: userAgent,
      device,
      ...(device.adapter.software ? { warning: SOFTWARE_WARNING } : {}),
      kernels: 'fast',
      ...measure,
      benches: catalogue.benches.flatMap((item) => this.benchOf(item) ?? []),
      steps,
      startUp,
      tests: catalogue.tests.flatMap((item) => this.testOf(item) ?? []),
    };
  }
}

/** No kernel has a line break in its name. */
function keyOf({ kernel, name }: Item): string {
  return `${kernel}\n${name}`;
}

/** How the tests of a kernel stand, or of all. */
export interface TestTally {
  readonly state: 'untested' | 'passed' | 'failed';
  readonly text: string;
}

/** @param results one a test; undefined for those that were not run */
export function tallyOf(results: readonly (TestResult | undefined)[]): TestTally {
  const run = results.filter((result) => result !== undefined);
  if (run.length === 0) return { state: 'untested', text: counted(results.length, 'test') };
  const failed = run.filter(({ failure }) => failure !== undefined).length;
  const left = results.length - run.length;
  const notRun = left > 0 ? `, ${left} not run` : '';
  if (failed > 0) return { state: 'failed', text: `${failed} of ${counted(run.length, 'test')} failed${notRun}` };
  const time = formatKernelTime(run.reduce((sum, { milliseconds }) => sum + milliseconds, 0));
  return { state: 'passed', text: `${counted(run.length, 'test')} passed${notRun || ` in ${time}`}` };
}

/** `12 ms`, `1.3 s`, `1:05 min`. */
export function formatKernelTime(milliseconds: number): string {
  if (milliseconds < 999.5) return `${milliseconds.toFixed(0)} ms`;
  const seconds = milliseconds / 1000;
  if (seconds < 59.95) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, '0')} min`;
}
