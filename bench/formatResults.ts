import { formatBytes, formatCount, formatRate } from '../src/common/format';
import type { Comparison } from './compareBenches';
import type { HostTiming } from './host.bench';
import type { BenchResult, CeilingName, Ceilings } from './roofline';
import type { StartUp } from './startUp.bench';
import type { StepResult } from './step.bench';

/** Must stand beside every time that was taken on a software adapter. */
export const SOFTWARE_WARNING =
  'This adapter is software: the times say nothing of any GPU and are no result. They compare two versions on one machine, ' +
  'and no more.';

/** What is said of a case, beside its kernel and its name. */
export const BENCH_COLUMNS = ['µs', 'spread', 'GFLOP/s', 'GB/s', 'of ceiling'] as const;

/** What the last column means. */
export const SHARE_NOTE =
  'of ceiling: the share of what this adapter reached at most in this run, at this many operations a byte. Above 100 %, ' +
  'what is read lies in a cache. A case of few microseconds is bound by the cost of its dispatches instead.';

/** A result under each of `BENCH_COLUMNS`. */
export function benchCells({ microseconds, spread, gflops, gigabytes, share, nearer }: BenchResult): readonly string[] {
  const ceiling = nearer === 'copy' ? 'copy' : CEILINGS[nearer].short;
  return [
    digits(microseconds),
    percent(spread, '± '),
    digits(gflops),
    digits(gigabytes),
    `${percent(share)} ${ceiling}`,
  ];
}

const CEILINGS: Readonly<
  Record<CeilingName, { readonly short: string; readonly what: string; readonly unit: string }>
> = {
  f32: { short: 'f32', what: 'f32 arithmetic', unit: 'GFLOP/s' },
  f16: { short: 'f16', what: 'f16 arithmetic', unit: 'GFLOP/s' },
  subgroupMatrix: { short: 'matrix', what: 'subgroup matrices', unit: 'GFLOP/s' },
  copy: { short: 'copy', what: 'copying, read and written', unit: 'GB/s' },
  workgroup: { short: 'workgroup', what: 'workgroup memory, read', unit: 'GB/s' },
  dispatch: { short: 'dispatch', what: 'a dispatch in a pass', unit: 'µs' },
};

/** A line a ceiling: what it is of, how much, and by which probe. */
export function ceilingLines(ceilings: Ceilings): readonly (readonly [lead: string, text: string])[] {
  return (Object.keys(CEILINGS) as CeilingName[]).flatMap((name) => {
    const ceiling = ceilings[name];
    if (!ceiling) return [];
    const { what, unit } = CEILINGS[name];
    return [[what, `${digits(ceiling.value)} ${unit} ${percent(ceiling.spread, '± ')} (${ceiling.probe})`] as const];
  });
}

/** A training step in lines, each with a word before it. */
export function stepLines(result: StepResult, ceilings?: Ceilings): readonly (readonly [lead: string, text: string])[] {
  const { name, flops, peerFlops, difference, tolerance, ratio, dispatches, arenaBytes, largestLiveSet } = result;
  const counted =
    Math.abs(flops / peerFlops - 1) < 1e-9
      ? 'PyTorch’s figures count the same'
      : `PyTorch’s figures count ${formatCount(peerFlops)}FLOP`;
  return [
    ['step', `${name}: ${formatCount(flops)}FLOP (${counted})`],
    ['checked', `loss and gradient norm agree to ${difference.toExponential(1)} (limit ${tolerance.toExponential(0)})`],
    ...(['fast', 'plain'] as const).flatMap((which) => {
      const timing = result[which];
      if (!timing) return [];
      const { milliseconds, spread, imagesPerSecond, gflops } = timing;
      const share = which === 'fast' && ceilings ? `, ${percent(gflops / ceilings.f32.value)} of the f32 ceiling` : '';
      const rate = `${formatRate(imagesPerSecond)} images/s, ${(gflops / 1000).toPrecision(3)} TFLOP/s${share}`;
      return [[which, `${digits(milliseconds)} ms a step ${percent(spread, '± ')}, ${rate}`] as const];
    }),
    ...(ratio === undefined
      ? []
      : [['ratio', `the fast kernels are ${ratio.toFixed(1)} times as fast as the plain ones`] as const]),
    [
      'program',
      `${dispatches} dispatches; ${formatBytes(arenaBytes)} of intermediate values, ` +
        `${(arenaBytes / largestLiveSet).toFixed(2)} times the most that is alive at once`,
    ],
  ];
}

/** What a step takes of the host, in lines as `stepLines` gives them. */
export function hostLines({ dispatches, run, bare }: HostTiming): readonly (readonly [lead: string, text: string])[] {
  return [
    ['host', `a step of the cifar preset, ${dispatches} dispatches: ${digits(run)} µs each to encode and submit`],
    ['of it', `${digits(bare)} µs in WebGPU itself, ${(run - bare).toFixed(2)} µs in the engine`],
  ];
}

/** A start in one line. */
export function startUpLine({ load, open, compile, firstStep, total, pipelines }: StartUp): string {
  const parts = [
    ...(load === undefined ? [] : [`${seconds(load)} to load`]),
    `${seconds(open)} to open the device`,
    `${seconds(compile)} to record and compile ${pipelines} pipelines`,
    `${seconds(firstStep)} for the first step`,
  ];
  return `${seconds(total)}: ${parts.join(', ')}`;
}

/** What is said of a row of a comparison, beside its kernel and its name. */
export const COMPARE_COLUMNS = ['old µs', 'new µs', 'new/old', ''] as const;

export function compareCells({ old, new: now, ratio, verdict }: Comparison['rows'][number]): readonly string[] {
  return [digits(old * 1e6), digits(now * 1e6), ratio.toFixed(3), verdict === 'same' ? '' : verdict.toUpperCase()];
}

/** What a comparison comes to, in lines. */
export function compareLines({ rows, onlyOld, onlyNew }: Comparison): readonly string[] {
  const count = (verdict: string): number => rows.filter((row) => row.verdict === verdict).length;
  const mean = Math.exp(rows.reduce((sum, { ratio }) => sum + Math.log(ratio), 0) / rows.length);
  return [
    ...(rows.length > 0
      ? [
          `${rows.length} compared: ${count('faster')} faster, ${count('slower')} slower, the others within their spread; new/old is ${mean.toFixed(3)} in the geometric mean`,
        ]
      : ['nothing was timed in both']),
    ...(onlyOld.length > 0 ? [`only in the old one: ${onlyOld.join('; ')}`] : []),
    ...(onlyNew.length > 0 ? [`only in the new one: ${onlyNew.join('; ')}`] : []),
  ];
}

function seconds(value: number): string {
  return `${value.toFixed(2)} s`;
}

function percent(share: number, lead = ''): string {
  return `${lead}${(100 * share).toFixed(share < 0.0995 && lead === '' ? 1 : 0)} %`;
}

/** Three significant digits, without an exponent; a dash where nothing is counted. */
function digits(value: number): string {
  if (value === 0) return '–';
  return value >= 100 ? String(Math.round(value)) : value.toFixed(value >= 10 ? 1 : 2);
}
