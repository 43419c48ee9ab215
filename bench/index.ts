import type { BenchSuite } from './bench';

const found = import.meta.glob<BenchSuite>(['./*.bench.ts', '!./{host,peakThroughput,startUp,step}.bench.ts'], {
  eager: true,
  import: 'default',
});

/** Every suite, by the names of their files; ceilings, training steps, their host time and starts are timed in other ways. */
export const suites: readonly BenchSuite[] = Object.values(found);
