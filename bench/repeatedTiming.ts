import type { Engine } from '../src/engine/engine';

/** What times are read from: the GPU's own timestamps, or the host's clock where there are none that can be trusted. */
export interface Clock {
  readonly kind: 'GPU timestamps' | 'host clock';
  /** Why it is the host's where the device has timestamps; what it is compared with. */
  readonly note: string;
}

/** A time in the median of samples. */
export interface Timing {
  readonly seconds: number;
  /** Half the distance between the quartiles, over the median. */
  readonly spread: number;
}

/** What can be run again and again, as a compiled graph can. */
export interface Runnable {
  run(): void;
  /** Seconds of one run on the GPU's clock. */
  runTimed(): Promise<number>;
}

/** Shorter samples are not to be trusted: drivers batch work, and clocks are rounded. */
const SAMPLE_SECONDS = 0.02;
const MOST_SAMPLES = 7;
const LEAST_SAMPLES = 3;
/** Samples of long work are fewer, so that all of them take about so long. */
const ALL_SECONDS = 2;
/** Browsers round their clock to so much, and may say that no time went by. */
const CLOCK_SECONDS = 1e-4;
const MOST_REPETITIONS = 2 ** 14;

/**
 * Times something that can be repeated: finds how many repetitions take 20 ms, then takes samples of so many.
 *
 * @param measure the seconds that so many repetitions take together, what is slow only once left out
 * @returns what one repetition takes
 */
export async function timeRepeated(measure: (repetitions: number) => Promise<number>): Promise<Timing> {
  let repetitions = 1;
  let seconds = await measure(repetitions);
  while (seconds < SAMPLE_SECONDS && repetitions < MOST_REPETITIONS) {
    const enough = Math.ceil((repetitions * SAMPLE_SECONDS * 1.2) / Math.max(seconds, CLOCK_SECONDS));
    repetitions = Math.min(MOST_REPETITIONS, Math.max(repetitions * 2, enough));
    seconds = await measure(repetitions);
  }
  const count = Math.min(MOST_SAMPLES, Math.max(LEAST_SAMPLES, Math.floor(ALL_SECONDS / seconds)));
  const samples: number[] = [];
  for (let sample = 0; sample < count; sample++) samples.push((await measure(repetitions)) / repetitions);
  return summarize(samples);
}

/** The median of samples, and how far they scatter. */
export function summarize(samples: readonly number[]): Timing {
  const sorted = samples.toSorted((a, b) => a - b);
  const quantile = (q: number): number => sorted[Math.round(q * (sorted.length - 1))] ?? NaN;
  const median = quantile(0.5);
  return { seconds: median, spread: (quantile(0.75) - quantile(0.25)) / 2 / median };
}

/** The seconds that `runs` runs take, one after the other. What was submitted before must be done. */
export async function timeRuns(engine: Engine, clock: Clock, program: Runnable, runs: number): Promise<number> {
  if (clock.kind === 'GPU timestamps') {
    let seconds = 0;
    for (let run = 0; run < runs; run++) seconds += await program.runTimed();
    return seconds;
  }
  const start = performance.now();
  for (let run = 0; run < runs; run++) program.run();
  await engine.settle();
  return (performance.now() - start) / 1000;
}

/** How much of a long run's time on the host's clock the GPU's may miss, and how far it may go beyond. */
const LEAST_AGREEMENT = 0.8;
const MOST_AGREEMENT = 1.02;

/**
 * Whether the GPU's timestamps can be trusted.
 *
 * @param gpu seconds of a run of at least some 50 ms on the GPU's clock, as `host` on the host's
 */
export function judgeClock(gpu: number, host: number): Clock {
  const agreement = gpu / host;
  const share = `${(100 * agreement).toFixed(0)} % of what the host's clock says`;
  if (agreement >= LEAST_AGREEMENT && agreement <= MOST_AGREEMENT)
    return { kind: 'GPU timestamps', note: `${share} of the same runs` };
  return { kind: 'host clock', note: `the driver's timestamps are wrong: ${share} of the same runs` };
}
