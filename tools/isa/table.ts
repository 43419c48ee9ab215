import { hottestLoop, type KernelFacts } from './kernelFacts';

/** What the compilers said of one chip. */
export interface IsaTable {
  readonly format: 'palimpsest isa 1';
  readonly chip: string;
  /** The driver, as it names itself: tables of two compilers are not held against each other. */
  readonly compiler: string;
  /** Dispatches of a training step, by its name. */
  readonly dispatches: Readonly<Record<string, number>>;
  readonly kernels: readonly KernelFacts[];
}

export const COLUMNS = [
  'registers',
  'spills',
  'subgroups',
  'workgroup B',
  'loop slots',
  'fma',
  'in 128 bit',
  'cycles',
  'ms',
] as const;

/** A kernel's figures under `COLUMNS`. */
export function cells(facts: KernelFacts): readonly string[] {
  const { registers, spills, scratch, occupancy, workgroupBytes, memory, cycles, milliseconds } = facts;
  const loop = hottestLoop(facts);
  return [
    String(registers),
    scratch > 0 ? `${spills} (${scratch} B)` : String(spills),
    String(occupancy ?? ''),
    String(workgroupBytes),
    String(loop?.slots ?? ''),
    loop ? percent(loop.share) : '',
    memory.instructions > 0 ? percent(memory.wide) : '',
    String(cycles),
    String(milliseconds),
  ];
}

/** What each column means, in a line. */
export const LEGEND =
  'loop slots, fma: issue slots of a pass through the loop that does the work, and the share of them that are multiply-adds. ' +
  'in 128 bit: the share of bytes that instructions of 128 bits move, loops counted once. subgroups: as many as fit on a ' +
  'SIMD or multiprocessor by their registers. cycles: the compiler’s own estimate, to compare two versions of a kernel. ' +
  'ms: what compiling took.';

/** A table in aligned columns. */
export function formatTable({ kernels }: IsaTable): string {
  const rows = [['kernel', ...COLUMNS], ...kernels.map((facts) => [facts.name, ...cells(facts)])];
  const widths = rows[0]?.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0))) ?? [];
  const line = (row: readonly string[]): string =>
    row
      .map((cell, column) => (column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0)))
      .join('  ');
  return rows.map(line).join('\n');
}

/** Kernels that a compiler can't hold in registers: they are slow wherever they run. */
export function spilling({ kernels }: IsaTable): string[] {
  return kernels
    .filter(({ spills, scratch }) => spills > 0 || scratch > 0)
    .map(({ name, spills, scratch }) => `${name}: ${spills} spills, ${scratch} bytes of scratch`);
}

/** Beyond this share, an estimate has changed, and not only its rounding. */
const SLACK = 0.02;

/** What became better and worse from one table to another of the same compiler. */
export function compareTables(
  before: IsaTable,
  after: IsaTable,
): { readonly better: string[]; readonly worse: string[] } {
  const known = new Map(before.kernels.map((facts) => [facts.name, facts]));
  const changes = after.kernels.flatMap((now) => {
    const then = known.get(now.name);
    return then ? [changeOf(then, now)] : [];
  });
  const dispatches = Object.entries(after.dispatches).flatMap(([name, now]) => {
    const then = before.dispatches[name];
    if (then === undefined || then === now) return [];
    return [{ name, isWorse: now > then, text: `${name}: ${then} → ${now} dispatches` }];
  });
  const all = [...changes.filter(({ text }) => text !== ''), ...dispatches];
  const textsOf = (isWorse: boolean): string[] =>
    all.filter((each) => each.isWorse === isWorse).map(({ text }) => text);
  return { better: textsOf(false), worse: textsOf(true) };
}

interface Change {
  readonly isWorse: boolean;
  readonly text: string;
}

/** A kernel is worse where any figure that its speed depends on is. */
function changeOf(then: KernelFacts, now: KernelFacts): Change {
  const shareOf = (facts: KernelFacts): number => hottestLoop(facts)?.share ?? 0;
  // Each figure so that more is worse.
  const figures: readonly (readonly [what: string, then: number, now: number, text: (value: number) => string])[] = [
    ['cycles', then.cycles, now.cycles, String],
    ['spills', then.spills, now.spills, String],
    ['subgroups', -(then.occupancy ?? 0), -(now.occupancy ?? 0), (value) => String(-value)],
    ['fma', -shareOf(then), -shareOf(now), (value) => percent(-value)],
    ['in 128 bit', -then.memory.wide, -now.memory.wide, (value) => percent(-value)],
  ];
  const changed = figures.filter(([, a, b]) => Math.abs(b - a) > SLACK * Math.max(Math.abs(a), Math.abs(b)));
  const texts = changed.map(([what, a, b, text]) => `${what} ${text(a)} → ${text(b)}`);
  // An estimate of the whole that fell outweighs its parts.
  const fell = now.cycles < then.cycles * (1 - SLACK) && now.spills <= then.spills;
  return {
    isWorse: !fell && changed.some(([, a, b]) => b > a),
    text: texts.length > 0 ? `${now.name}: ${texts.join(', ')}` : '',
  };
}

function percent(share: number): string {
  return `${Math.round(share * 100)} %`;
}
