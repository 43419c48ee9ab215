import { expose } from 'comlink';
import type { BenchResult } from '../../../bench/bench';
import { suites as benchSuites } from '../../../bench/index';
import { runBenches, type BenchFailure } from '../../../bench/runBenches';
import { compareSteps, type StepComparison } from '../../../bench/step.bench';
import { isChosen } from '../../../kernels-test/filter';
import { suites as testSuites } from '../../../kernels-test/index';
import { runSuites, type TestResult } from '../../../kernels-test/runSuites';
import { shaders } from '../../../shaders/index';
import { Engine, isSoftware, nameAdapter } from '../../gpu/engine';
import { EngineError } from '../../gpu/errors';
import { openBrowserEngine } from '../device';

/** What the adapter is asked for: every feature and limit that the engine has a use for, or nothing beyond the default. */
export type DeviceWanted = 'full' | 'baseline';

/** A test, or a case of a bench. */
export interface Item {
  readonly kernel: string;
  readonly name: string;
}

export interface Catalogue {
  /** In the order in which they run. */
  readonly tests: readonly Item[];
  readonly benches: readonly Item[];
  /** WGSL by the name of its file under `shaders/`, which is the kernel's. */
  readonly sources: Readonly<Record<string, string>>;
}

/** What kernels run on. */
export interface DeviceReport {
  readonly wanted: DeviceWanted;
  readonly adapter: {
    readonly name: string;
    readonly software: boolean;
    readonly vendor: string;
    readonly architecture: string;
    readonly device: string;
    readonly description: string;
  };
  readonly features: readonly string[];
  /** By WebGPU's names; sizes in bytes. */
  readonly limits: Readonly<Record<LimitName, number>>;
}

const LIMITS = [
  'maxStorageBuffersPerShaderStage',
  'maxComputeInvocationsPerWorkgroup',
  'maxComputeWorkgroupStorageSize',
  'maxStorageBufferBindingSize',
  'maxBufferSize',
] as const;
type LimitName = (typeof LIMITS)[number];

/** Is waited for: what is reported arrives before the call that reports it returns. */
type Report<T> = (result: T) => void | Promise<void>;

/** Every call opens a device of its own; ending the worker ends it at once. */
const api = {
  catalogue(): Catalogue {
    return {
      tests: testSuites.flatMap(({ kernel, tests }) => tests.map(({ name }) => ({ kernel, name }))),
      benches: benchSuites.flatMap(({ kernel, cases }) => cases.map(({ name }) => ({ kernel, name }))),
      sources: shaders,
    };
  },

  describeDevice(wanted: DeviceWanted): Promise<DeviceReport> {
    return onDevice(wanted, async ({ device, info }) => ({
      wanted,
      adapter: {
        name: nameAdapter(info),
        software: isSoftware(info),
        vendor: info.vendor,
        architecture: info.architecture,
        device: info.device,
        description: info.description,
      },
      features: [...device.features].sort(),
      limits: Object.fromEntries(LIMITS.map((name) => [name, device.limits[name]])) as Record<LimitName, number>,
    }));
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

  runBenches(wanted: DeviceWanted, filter: string, report: Report<BenchResult | BenchFailure>): Promise<void> {
    const chosen = benchSuites.map(({ kernel, cases }) => ({
      kernel,
      cases: cases.filter(({ name }) => isChosen(filter, kernel, name)),
    }));
    return onDevice(wanted, async (engine) => {
      for await (const result of runBenches(engine, chosen)) await report(result);
    });
  },

  compareSteps(wanted: DeviceWanted): Promise<StepComparison> {
    return onDevice(wanted, async (engine) => {
      const plain = Engine.borrow(engine.device, { info: engine.info, plain: true });
      try {
        return await compareSteps(engine, plain);
      } finally {
        plain.dispose();
      }
    });
  },
};

export type KernelsApi = typeof api;

async function onDevice<T>(wanted: DeviceWanted, work: (engine: Engine) => Promise<T>): Promise<T> {
  const engine = await openBrowserEngine({ baseline: wanted === 'baseline' });
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
