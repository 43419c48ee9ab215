import type { Timing } from './repeatedTiming';

/** The kinds of arithmetic that have a ceiling of their own. */
export type Rate = 'f32' | 'f16' | 'subgroupMatrix';

/** What an adapter can do at most, as probes on it found. */
export type CeilingName = Rate | 'copy' | 'workgroup' | 'dispatch';

export interface Ceiling {
  /** GFLOP/s of a rate; GB/s, both ways together, of `copy`; GB/s read of `workgroup`; µs of `dispatch`. */
  readonly value: number;
  readonly spread: number;
  /** Which probe it was that came so far. */
  readonly probe: string;
}

/** By name; those that an adapter has no unit for are absent. */
export type Ceilings = Readonly<Record<'f32' | 'copy' | 'workgroup' | 'dispatch', Ceiling>> &
  Readonly<Partial<Record<'f16' | 'subgroupMatrix', Ceiling>>>;

/** What is timed, as far as ceilings go. */
export interface Work {
  readonly flops: number;
  readonly bytes: number;
  readonly rate?: Rate;
}

/** A case that was timed. */
export interface BenchResult {
  readonly kernel: string;
  readonly name: string;
  readonly microseconds: number;
  /** Half the distance between the quartiles, over the median. */
  readonly spread: number;
  readonly gflops: number;
  readonly gigabytes: number;
  /** Floating-point operations a byte. */
  readonly intensity: number;
  /** Of the nearer ceiling: that of arithmetic, or that of copying. Above 1 where what is read lies in a cache. */
  readonly share: number;
  readonly nearer: Rate | 'copy';
}

/** The ceiling of arithmetic of a kind in GFLOP/s; where a kind has none of its own, that of f32. */
function rateOf(ceilings: Ceilings, rate: Rate): Ceiling {
  return ceilings[rate] ?? ceilings.f32;
}

/** GFLOP/s that so many operations a byte can reach: min(rate, intensity × copy bandwidth). */
export function roof(ceilings: Ceilings, intensity: number, rate: Rate = 'f32'): number {
  return Math.min(rateOf(ceilings, rate).value, intensity * ceilings.copy.value);
}

/** The least seconds that work can take under the ceilings, and which of them it is that says so. */
export function leastSeconds(
  { flops, bytes, rate = 'f32' }: Work,
  ceilings: Ceilings,
): { seconds: number; nearer: Rate | 'copy' } {
  const computing = flops / rateOf(ceilings, rate).value / 1e9;
  const moving = bytes / ceilings.copy.value / 1e9;
  return computing > moving ? { seconds: computing, nearer: rate } : { seconds: moving, nearer: 'copy' };
}

/** What a timing says of a case. */
export function rowOf(
  kernel: string,
  work: Work & { readonly name: string },
  { seconds, spread }: Timing,
  ceilings: Ceilings,
): BenchResult {
  const least = leastSeconds(work, ceilings);
  return {
    kernel,
    name: work.name,
    microseconds: seconds * 1e6,
    spread,
    gflops: work.flops / seconds / 1e9,
    gigabytes: work.bytes / seconds / 1e9,
    intensity: work.flops / work.bytes,
    share: least.seconds / seconds,
    nearer: least.nearer,
  };
}
