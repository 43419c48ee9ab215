import { integer, RandomStream } from '../../data/philox';
import * as purposes from '../../data/purposes';

/** A value with the ends of its interval. */
export interface Estimate {
  readonly value: number;
  readonly low: number;
  readonly high: number;
}

/** Resamples of an interval, and the share of them that it holds. */
const RESAMPLES = 1000;
const COVERAGE = 0.95;

/**
 * An interval over images by the percentile bootstrap: most of what is measured are ratios of means, which have no simple
 * normal law; the images are drawn again with replacement, by a seed, and a ratio is that of each draw's sums.
 */
export class Bootstrap {
  /** [RESAMPLES, count]: how often each image is in each resample. */
  private readonly counts: Uint16Array;

  constructor(
    private readonly count: number,
    seed = 0,
  ) {
    this.counts = new Uint16Array(RESAMPLES * count);
    for (let resample = 0; resample < RESAMPLES; resample++) {
      const stream = RandomStream.at(seed, purposes.bootstrap, resample);
      for (let drawn = 0; drawn < count; drawn++) {
        const at = resample * count + integer(stream, count);
        this.counts[at] = (this.counts[at] as number) + 1;
      }
    }
  }

  /** Of the mean over images. @param values [count] */
  mean(values: ArrayLike<number>): Estimate {
    return this.of([values], ([sum = 0]) => sum / this.count);
  }

  /** Of what is computed from the sums of several values over images. @param values each [count] */
  of(values: readonly ArrayLike<number>[], statistic: (sums: readonly number[]) => number): Estimate {
    const whole = statistic(values.map((each) => sumOf(each)));
    const resampled = Float64Array.from({ length: RESAMPLES }, (_, resample) =>
      statistic(values.map((each) => sumOf(each, this.counts, resample * this.count))),
    ).sort();
    const tail = Math.floor(((1 - COVERAGE) / 2) * RESAMPLES);
    return { value: whole, low: resampled[tail] as number, high: resampled[RESAMPLES - 1 - tail] as number };
  }
}

function sumOf(values: ArrayLike<number>, counts?: Uint16Array, from = 0): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += (values[i] as number) * (counts ? (counts[from + i] as number) : 1);
  return sum;
}
