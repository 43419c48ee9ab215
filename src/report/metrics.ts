/*
 * `metrics.jsonl` of a run folder as curves: a line a logged step, and lines with the unmixing score. A curve has a value
 * for each logged step, or null where that step has none.
 */

import { parseRunLine, type RunLine } from '../common/jsonLine';

/** The parts of a loss, as objectives name them. */
const LOSS_PARTS = [
  'pixel',
  'pixelSubordinate',
  'pixelDominant',
  'align',
  'centre',
  'distillSubordinate',
  'distillDominant',
] as const;
export type LossPart = (typeof LOSS_PARTS)[number];

/** What a line of a step can hold, in the order in which it is shown. */
export const CURVES = ['loss', ...LOSS_PARTS, 'sameClass', 'lr', 'gradNorm', 'imagesPerSecond', 'waiting'] as const;
export type CurveName = (typeof CURVES)[number];

export type CurveValues = { readonly [name in CurveName]?: readonly (number | null)[] };

export interface Curves {
  /** Steps done before each point, ascending. */
  readonly steps: readonly number[];
  /** Only the curves that have a value. */
  readonly values: CurveValues;
  /** Of thinned curves: the mean over the stretch that a point stands for. */
  readonly means?: CurveValues;
  /** Lines these were made from: more than there are steps where the curves were thinned. */
  readonly lines: number;
}

/** Mean squared errors of a branch's prediction and its three baselines, and 1 − own ÷ mean. */
export interface BranchErrors {
  readonly own: number;
  readonly other: number;
  readonly mean: number;
  readonly mixture: number;
  readonly score: number;
}

export interface ScorePoint {
  /** Steps done. */
  readonly step: number;
  readonly subordinate: BranchErrors;
  readonly dominant?: BranchErrors;
  readonly takenApart: boolean;
}

export interface PhaseMetrics {
  readonly curves: Curves;
  readonly scores: readonly ScorePoint[];
}

/** Of a phase that has logged nothing. */
export const NO_METRICS: PhaseMetrics = { curves: { steps: [], values: {}, lines: 0 }, scores: [] };

/** The curves and scores of each phase in the text of a `metrics.jsonl`. Lines that cannot be read are ignored: the last one may be half written. */
export function readMetrics(text: string): Map<string, PhaseMetrics> {
  const log = new MetricsLog();
  for (const line of text.split('\n')) {
    const parsed = parseRunLine(line);
    if (parsed) log.add(parsed);
  }
  return log.phases();
}

/**
 * Makes curves and scores of lines that come one by one. Keys that it does not know are ignored. Where steps come again,
 * since a run went on from an earlier checkpoint, the later lines count.
 */
export class MetricsLog {
  private readonly found = new Map<
    string,
    { readonly rows: RunLine[]; readonly scores: ScorePoint[]; made?: PhaseMetrics | undefined }
  >();

  add(line: RunLine): void {
    const { phase, step } = line;
    let found = this.found.get(phase);
    if (!found) this.found.set(phase, (found = { rows: [], scores: [] }));
    found.made = undefined;
    const score = scorePoint(step, line['unmixing']);
    if (score) {
      while ((found.scores.at(-1)?.step ?? -1) >= step) found.scores.pop();
      found.scores.push(score);
    } else if (isNumber(line['loss'])) {
      while ((found.rows.at(-1)?.step ?? -1) >= step) found.rows.pop();
      found.rows.push(line);
    }
  }

  /** Of a phase, or of one that has logged nothing. */
  phase(id: string): PhaseMetrics {
    const found = this.found.get(id);
    if (!found) return NO_METRICS;
    return (found.made ??= { curves: toCurves(found.rows), scores: [...found.scores] });
  }

  /** Of each phase that has logged something. */
  phases(): Map<string, PhaseMetrics> {
    return new Map([...this.found.keys()].map((id) => [id, this.phase(id)]));
  }
}

function isNumber(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value);
}

function scorePoint(step: number, unmixing: unknown): ScorePoint | undefined {
  if (typeof unmixing !== 'object' || unmixing === null) return undefined;
  const { subordinate, dominant, takenApart } = unmixing as Partial<Record<string, unknown>>;
  const first = branchErrors(subordinate);
  const second = branchErrors(dominant);
  return (
    first && { step, subordinate: first, ...(second ? { dominant: second } : {}), takenApart: takenApart === true }
  );
}

function branchErrors(value: unknown): BranchErrors | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const { own, other, mean, mixture, score } = value as Partial<Record<string, unknown>>;
  const complete = isNumber(own) && isNumber(other) && isNumber(mean) && isNumber(mixture) && isNumber(score);
  return complete ? { own, other, mean, mixture, score } : undefined;
}

function toCurves(rows: readonly RunLine[]): Curves {
  const values: { [name in CurveName]?: (number | null)[] } = {};
  for (const name of CURVES) {
    const curve = rows.map((row) => (isNumber(row[name]) ? row[name] : null));
    if (curve.some((value) => value !== null)) values[name] = curve;
  }
  return { steps: rows.map(({ step }) => step), values, lines: rows.length };
}

/**
 * Curves with at most `most` points each. The points between the first and the last are put into buckets of which each
 * leaves two: a curve's smallest and largest value there, in the order in which they came. So no spike is lost, and all
 * curves keep to the same steps; a value stands at most a bucket's width from its step. `means` has no such spikes.
 *
 * @param most 4 or more
 */
export function thinCurves(curves: Curves, most: number): Curves {
  const { steps } = curves;
  const count = steps.length;
  if (count <= most) return curves;
  const buckets = Math.floor((most - 2) / 2);
  const edge = (bucket: number): number => 1 + Math.floor((bucket * (count - 2)) / buckets);
  const thin = <T>(all: readonly T[], two: (part: readonly T[]) => readonly [T, T]): T[] => [
    all[0] as T,
    ...Array.from({ length: buckets }, (_, bucket) => two(all.slice(edge(bucket), edge(bucket + 1)))).flat(),
    all[count - 1] as T,
  ];
  const thinAll = (two: (part: readonly (number | null)[]) => readonly [number | null, number | null]): CurveValues =>
    Object.fromEntries(Object.entries(curves.values).map(([name, values]) => [name, thin(values, two)]));
  return {
    ...curves,
    steps: thin(steps, (part) => [part[0] as number, part.at(-1) as number]),
    values: thinAll(extremes),
    means: thinAll((part) => {
      const value = mean(part);
      return [value, value];
    }),
  };
}

/** The mean of the values that are there, or null without any. */
function mean(values: readonly (number | null)[]): number | null {
  let sum = 0;
  let count = 0;
  for (const value of values) {
    if (value === null) continue;
    sum += value;
    count++;
  }
  return count === 0 ? null : sum / count;
}

/** The running mean of a curve: each point's over itself and `reach` points on each side, as far as there are. */
export function runningMean(values: readonly (number | null)[], reach: number): (number | null)[] {
  return values.map((_, i) => mean(values.slice(Math.max(0, i - reach), i + reach + 1)));
}

/** The smallest and the largest value, whichever came first before the other. */
function extremes(values: readonly (number | null)[]): readonly [number | null, number | null] {
  let low: number | null = null;
  let high: number | null = null;
  let lowFirst = true;
  for (const value of values) {
    if (value === null) continue;
    if (low === null || value < low) {
      low = value;
      lowFirst = false;
    }
    if (high === null || value > high) {
      high = value;
      lowFirst = true;
    }
  }
  return lowFirst ? [low, high] : [high, low];
}
