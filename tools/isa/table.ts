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

function percent(share: number): string {
  return `${Math.round(share * 100)} %`;
}
