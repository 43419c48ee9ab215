import { hottestLoop, type KernelFacts } from './kernelFacts';
import type { IsaTable } from './table';

/** What a kernel's speed depends on, as far as its compiler tells. */
export interface Figures {
  readonly cycles: number;
  readonly spills: number;
  readonly subgroups: number;
  /** Multiply-adds an issue slot of the loop that does the work. */
  readonly fma: number;
  /** Of bytes, by instructions of 128 bits. */
  readonly wide: number;
}

/** Of a table, what a later one is held against. */
export interface IsaRecord {
  readonly format: 'palimpsest isa record 1';
  readonly chip: string;
  readonly compiler: string;
  readonly dispatches: Readonly<Record<string, number>>;
  readonly kernels: Readonly<Record<string, Figures>>;
}

/** What a table is held against later. */
export function recordOf({ chip, compiler, dispatches, kernels }: IsaTable): IsaRecord {
  return {
    format: 'palimpsest isa record 1',
    chip,
    compiler,
    dispatches,
    kernels: Object.fromEntries(kernels.map((facts) => [facts.name, figuresOf(facts)])),
  };
}

function figuresOf(facts: KernelFacts): Figures {
  const { cycles, spills, occupancy = 0, memory } = facts;
  return {
    cycles,
    spills,
    subgroups: occupancy,
    fma: thousandths(hottestLoop(facts)?.share ?? 0),
    wide: thousandths(memory.wide),
  };
}

/** A record as JSON, a kernel a line: what changes in it is read line by line. */
export function formatRecord({ kernels, ...head }: IsaRecord): string {
  const lines = Object.entries(kernels).map(
    ([name, figures]) => `  ${JSON.stringify(name)}: ${JSON.stringify(figures)}`,
  );
  return `${JSON.stringify(head, null, 1).slice(0, -2)},\n "kernels": {\n${lines.join(',\n')}\n }\n}\n`;
}

/** Whether two drivers are one version of Mesa, whoever packed it: their figures are held against each other. */
export function isSameMesa(a: string, b: string): boolean {
  const versionOf = (compiler: string): string => /^.*?\d+\.\d+\.\d+/.exec(compiler)?.[0] ?? compiler;
  return versionOf(a) === versionOf(b);
}

export interface Comparison {
  readonly better: readonly string[];
  readonly worse: readonly string[];
  /** Kernels that the older record does not have. */
  readonly unknown: readonly string[];
}

/** What became better and worse from one record to another of the same compiler. */
export function compareRecords(before: IsaRecord, after: IsaRecord): Comparison {
  const changes = Object.entries(after.kernels).flatMap(([name, now]) => {
    const then = before.kernels[name];
    return then ? [changeOf(name, then, now)] : [];
  });
  const dispatches = Object.entries(after.dispatches).flatMap(([name, now]) => {
    const then = before.dispatches[name];
    if (then === undefined || then === now) return [];
    return [{ isWorse: now > then, text: `${name}: ${then} → ${now} dispatches` }];
  });
  const all = [...changes.filter(({ text }) => text !== ''), ...dispatches];
  const textsOf = (isWorse: boolean): string[] =>
    all.filter((each) => each.isWorse === isWorse).map(({ text }) => text);
  return {
    better: textsOf(false),
    worse: textsOf(true),
    unknown: Object.keys(after.kernels).filter((name) => !(name in before.kernels)),
  };
}

/** Beyond this share, an estimate has changed, and not only its rounding. */
const SLACK = 0.02;

interface Change {
  readonly isWorse: boolean;
  readonly text: string;
}

/** A kernel is worse where any figure that its speed depends on is. */
function changeOf(name: string, then: Figures, now: Figures): Change {
  // Each figure so that more is worse.
  const figures: readonly (readonly [what: string, then: number, now: number, text: (value: number) => string])[] = [
    ['cycles', then.cycles, now.cycles, String],
    ['spills', then.spills, now.spills, String],
    ['subgroups', -then.subgroups, -now.subgroups, (value) => String(-value)],
    ['fma', -then.fma, -now.fma, (value) => percent(-value)],
    ['in 128 bit', -then.wide, -now.wide, (value) => percent(-value)],
  ];
  const changed = figures.filter(([, a, b]) => Math.abs(b - a) > SLACK * Math.max(Math.abs(a), Math.abs(b)));
  const texts = changed.map(([what, a, b, text]) => `${what} ${text(a)} → ${text(b)}`);
  // An estimate of the whole that fell outweighs its parts.
  const fell = now.cycles < then.cycles * (1 - SLACK) && now.spills <= then.spills;
  return {
    isWorse: !fell && changed.some(([, a, b]) => b > a),
    text: texts.length > 0 ? `${name}: ${texts.join(', ')}` : '',
  };
}

function percent(share: number): string {
  return `${Math.round(share * 100)} %`;
}

function thousandths(share: number): number {
  return Math.round(share * 1000) / 1000;
}
