import { expose } from 'comlink';
import type { Measure } from '../../../bench/bench';
import { measureCeilings } from '../../../bench/peakThroughput.bench';
import { reportDevice, type DeviceReport, type DeviceWanted } from '../../../bench/device';
import { suites as benchSuites } from '../../../bench/index';
import { chooseSuites, runBenches, type BenchFailure, type BenchOutcome } from '../../../bench/runBenches';
import { startUp, type StartUp } from '../../../bench/startUp.bench';
import { chooseSteps, runStep, steps, type StepCase, type StepResult } from '../../../bench/step.bench';
import { attempt } from '../../../kernels-test/captureFailure';
import { isChosen } from '../../../kernels-test/filter';
import { suites as testSuites } from '../../../kernels-test/index';
import { runSuites, type TestResult } from '../../../kernels-test/runSuites';
import { families } from '../../../shaders/index';
import { Engine } from '../../engine/engine';
import { EngineError } from '../../gpu/errors';
import { openBrowserEngine } from '../device';

/** A test, or a case of a bench. */
export interface Item {
  readonly kernel: string;
  readonly name: string;
}

export interface Catalogue {
  /** In the order in which they run. */
  readonly tests: readonly Item[];
  readonly benches: readonly Item[];
  /** WGSL by the name of its file or folder under `shaders/`, which is the kernel's. */
  readonly sources: Readonly<Record<string, string>>;
}

/** Is waited for: what is reported arrives before the call that reports it returns. */
type Report<T> = (result: T) => void | Promise<void>;

/** Every call opens a device of its own; ending the worker ends it at once. */
const api = {
  catalogue(): Catalogue {
    return {
      tests: testSuites.flatMap(({ kernel, tests }) => tests.map(({ name }) => ({ kernel, name }))),
      benches: benchSuites.flatMap(({ kernel, cases }) => cases.map(({ name }) => ({ kernel, name }))),
      sources: families,
    };
  },

  describeDevice(wanted: DeviceWanted): Promise<DeviceReport> {
    return onDevice(wanted, async (engine) => reportDevice(engine, wanted));
  },

  runTests(wanted: DeviceWanted, filter: string, report: Report<TestResult>): Promise<void> {
    const chosen = testSuites.map(({ kernel, tests }) => ({
      kernel,
      tests: tests.filter(({ name }) => isChosen(filter, kernel, name)),
    }));
    return onDevice(wanted, async (engine) => {
      for await (const result of runSuites(engine, chosen)) await report(result);
    });
  },

  /** What the adapter can do at most comes first, then the cases one by one. */
  runBenches(
    wanted: DeviceWanted,
    filter: string,
    reportMeasure: Report<Measure>,
    report: Report<BenchOutcome>,
  ): Promise<void> {
    return onDevice(wanted, async (engine) => {
      const measure = await measureCeilings(engine);
      await reportMeasure(measure);
      for await (const result of runBenches(engine, chooseSuites(benchSuites, filter), measure)) await report(result);
    });
  },

  /** How a training starts in a worker that has done nothing yet, then once more. */
  async startUp(wanted: DeviceWanted, report: Report<StartUp>): Promise<void> {
    for (const name of ['cold', 'warm'] as const)
      await report(await startUp(name, () => openBrowserEngine({ baseline: wanted === 'baseline' })));
  },

  /** The training steps that the filter leaves; where it leaves none, as it is about kernels, the first of the middle size. */
  runSteps(wanted: DeviceWanted, filter: string, report: Report<StepResult | BenchFailure>): Promise<void> {
    const [chosen] = [chooseSteps(filter).filter(({ large }) => !large)];
    const cases = filter.trim() !== '' && chosen.length > 0 ? chosen : steps.filter((test) => test.name === USUAL_STEP);
    return onDevice(wanted, async (engine) => {
      const plain = Engine.borrow(engine.device, { info: engine.info, plain: true });
      try {
        for (const test of cases) await report(await stepOutcome(engine, plain, test));
      } finally {
        plain.dispose();
      }
    });
  },
};

/** The step of which the others are smaller and larger. */
const USUAL_STEP = 'cifar-p4 two-way';

async function stepOutcome(engine: Engine, plain: Engine, test: StepCase): Promise<StepResult | BenchFailure> {
  const outcome = await attempt(engine, () => runStep(engine, plain, test));
  return 'failure' in outcome ? { kernel: 'step', name: test.name, failure: outcome.failure } : outcome.value;
}

export type KernelsApi = typeof api;

async function onDevice<T>(wanted: DeviceWanted, work: (engine: Engine) => Promise<T>): Promise<T> {
  const engine = await openBrowserEngine({ baseline: wanted === 'baseline', timestamps: wanted === 'full' });
  try {
    return await work(engine);
  } catch (error) {
    if (!(error instanceof EngineError) || error.code !== 'device-lost') throw error;
    throw new Error(
      `${error.what} What was found until then is kept. Run it again: it gets a new device. If that is lost too, run one kernel at a time.`,
      { cause: error },
    );
  } finally {
    engine.dispose();
  }
}

expose(api);
