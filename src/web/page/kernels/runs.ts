import { proxy } from 'comlink';
import type { DeviceWanted } from '../../../../bench/device';
import type { BenchOutcome } from '../../../../bench/runBenches';
import { formatKernelTime, tallyOf, type Results } from './results';
import { counted } from '../../../common/format';
import type { TestResult } from '../../../../kernels-test/runSuites';
import type { Item } from '../../workers/kernels';
import { inWorker, type KernelTask } from './task';

export type RunKind = 'tests' | 'benches' | 'step';

/** How a run ended, in one line. */
export interface Outcome {
  readonly state: 'passed' | 'failed' | 'stopped';
  readonly text: string;
}

export interface RunSettings {
  readonly wanted: DeviceWanted;
  readonly filter: string;
  /** What the filter leaves, in the order in which it runs. */
  readonly items: readonly Item[];
  /** Takes in what is found, as it is found. */
  readonly results: Results;
  /** Called at the start and with every result. */
  readonly onProgress: (progress: SuiteProgress) => void;
}

/** How far a run is. Of a training step, nobody knows. */
export interface SuiteProgress {
  readonly done: number;
  readonly count: number | undefined;
  /** What is being run. */
  readonly name: string;
  /** The kernel of which something was found. */
  readonly kernel: string | undefined;
}

export const RUNS: Readonly<Record<RunKind, (settings: RunSettings) => KernelTask<Outcome>>> = {
  tests: (settings) => {
    const { wanted, filter, results } = settings;
    const found: TestResult[] = [];
    const advance = counter(settings);
    return inWorker(async (api) => {
      await api.runTests(
        wanted,
        filter,
        proxy((result) => {
          found.push(result);
          results.addTest(result);
          advance(result.kernel);
        }),
      );
      const { state, text } = tallyOf(found);
      return { state: state === 'failed' ? 'failed' : 'passed', text };
    });
  },

  benches: (settings) => {
    const { wanted, filter, results } = settings;
    const found: BenchOutcome[] = [];
    const advance = counter(settings);
    const began = performance.now();
    return inWorker(async (api) => {
      await api.runBenches(
        wanted,
        filter,
        proxy((measure) => {
          results.measure = measure;
        }),
        proxy((result) => {
          found.push(result);
          results.addBench(result);
          advance(result.kernel);
        }),
      );
      const failed = found.filter((result) => 'failure' in result).length;
      const skipped = found.filter((result) => 'skipped' in result).length;
      const left = skipped > 0 ? `, ${skipped} left out` : '';
      return failed > 0
        ? { state: 'failed', text: `${failed} of ${counted(found.length, 'case')} failed${left}` }
        : {
            state: 'passed',
            text: `${counted(found.length - skipped, 'case')} timed in ${formatKernelTime(performance.now() - began)}${left}`,
          };
    });
  },

  step: ({ wanted, filter, results, onProgress }) => {
    onProgress({
      done: 0,
      count: undefined,
      name: 'a training started, then its steps with fast kernels and plain ones',
      kernel: undefined,
    });
    return inWorker(async (api) => {
      await api.startUp(
        wanted,
        proxy((start) => results.addStart(start)),
      );
      let failed = 0;
      await api.runSteps(
        wanted,
        filter,
        proxy((step) => {
          results.addStep(step);
          if ('failure' in step) failed++;
        }),
      );
      return failed > 0
        ? { state: 'failed', text: 'a training step failed' }
        : { state: 'passed', text: 'the training step was timed' };
    });
  },
};

/** Reports the start, and with every call one more that is done. */
function counter({ items, onProgress }: RunSettings): (kernel: string) => void {
  let done = 0;
  const report = (kernel?: string): void => {
    const next = items[done];
    onProgress({ done, count: items.length, name: next ? `${next.kernel} ${next.name}` : '', kernel });
  };
  report();
  return (kernel) => {
    done++;
    report(kernel);
  };
}
