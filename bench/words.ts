import { formatCount } from '../src/files/format';
import type { BenchResult } from './bench';
import type { HostTiming } from './host.bench';
import type { StepComparison } from './step.bench';

/** Must stand beside every time that was taken on a software adapter. */
export const SOFTWARE_WARNING =
  'This adapter is software: the times say nothing of any GPU and are no result. They compare two versions on one machine, ' +
  'and no more.';

/** What is said of a case, beside its kernel and its name. */
export const BENCH_COLUMNS = ['µs', 'spread', 'GFLOP/s', 'GB/s'] as const;

/** A result under each of `BENCH_COLUMNS`. */
export function benchCells({ microseconds, spread, gflops, gigabytes }: BenchResult): readonly string[] {
  return [digits(microseconds), `± ${(100 * spread).toFixed(0)} %`, digits(gflops), digits(gigabytes)];
}

/** A comparison of training steps in lines, each with a word before it. */
export function stepLines(comparison: StepComparison): readonly (readonly [lead: string, text: string])[] {
  const { name, flops, difference, tolerance, ratio } = comparison;
  return [
    ['step', `${name}: ${formatCount(flops)}FLOP`],
    ['checked', `loss and gradient norm agree to ${difference.toExponential(1)} (limit ${tolerance.toExponential(0)})`],
    ...(['fast', 'plain'] as const).map((which) => {
      const { seconds, gflops } = comparison[which];
      return [which, `${digits(seconds * 1000)} ms a step, ${digits(gflops)} GFLOP/s`] as const;
    }),
    ['ratio', `the fast kernels are ${ratio.toFixed(1)} times as fast as the plain ones`],
  ];
}

/** What a step takes of the host, in lines as `stepLines` gives them. */
export function hostLines({ dispatches, run, bare }: HostTiming): readonly (readonly [lead: string, text: string])[] {
  return [
    ['host', `a step of the cifar preset, ${dispatches} dispatches: ${digits(run)} µs each to encode and submit`],
    ['of it', `${digits(bare)} µs in WebGPU itself, ${(run - bare).toFixed(2)} µs in the engine`],
  ];
}

/** Three significant digits, without an exponent; a dash where nothing is counted. */
function digits(value: number): string {
  if (value === 0) return '–';
  return value >= 100 ? String(Math.round(value)) : value.toFixed(value >= 10 ? 1 : 2);
}
