/** What an instruction keeps busy. `matrix`: a product on matrix units; `local`: memory that stands in for registers. */
export const KINDS = [
  'fma',
  'matrix',
  'arithmetic',
  'integer',
  'shared',
  'memory',
  'constant',
  'local',
  'barrier',
  'control',
] as const;
export type Kind = (typeof KINDS)[number];

/** An instruction as far as it counts. */
export interface Instruction {
  readonly kind: Kind;
  /** Issue slots' worth of work: 2 where one slot issues two multiply-adds. */
  readonly work?: number;
  /** Of `memory`: bytes an invocation. */
  readonly bytes?: number;
}

/** The instructions that a loop issues in a pass, those of loops within it apart. */
export interface Loop {
  /** How many loops it lies in. */
  readonly depth: number;
  readonly code: readonly Instruction[];
}

/** A compiler's listing, read. */
export interface Listing {
  readonly code: readonly Instruction[];
  readonly loops: readonly Loop[];
}
