import type { ParamValues } from '../gpu/expression';

/** The sizes of a multi-head attention: batch, tokens a sequence, heads, channels a head; and its options. */
export interface AttentionShape {
  readonly b: number;
  readonly n: number;
  readonly heads: number;
  readonly d: number;
  /** A key mask [B, N] is given. */
  readonly mask: boolean;
  /** A bias [B or 1, H or 1, N, N] is given. */
  readonly bias: boolean;
  /** qkv, out and their gradients are f16 in memory. */
  readonly half?: boolean;
}

/** The kernels of `shaders/attention/tile.wgsl`. */
export type AttentionPart = 'forward' | 'backwardQ' | 'backwardKV';

/** How the work is laid out over invocations: the numbers that the kernels take, see `shaders/attention/tile.wgsl`. */
export interface AttentionTile {
  /** Rows of an invocation, and keys of a tile. */
  readonly TM: number;
  readonly TN: number;
  /** Invocations that share rows, such groups of a head, heads of a workgroup. */
  readonly COLUMNS: number;
  readonly GROUPS: number;
  readonly HEADS: number;
  /** Keys of an invocation whose probabilities lie in workgroup memory at a time. */
  readonly PART: number;
  /** vec4 of channels that lie in workgroup memory at a time, and steps of the inner loops that are written out. */
  readonly STEP: number;
  readonly UNROLL: number;
}

/** What every device has. More would leave room for fewer workgroups beside each other. */
const WORKGROUP_BYTES = 16384;
const WORKGROUP_SIZES = [64, 128, 256] as const;
/** Lanes that are idle together, on the GPUs that have most of them. */
const LANES = 64;
/** Subgroups that keep a GPU busy. */
const FILL = 512;
/** Multiply-adds of a loop's turn, for code that stays within a GPU's cache. */
const MOST_WRITTEN = 320;
/** With fewer, what is read ahead for the next turns has no room. */
const FEW_REGISTERS = 80;
const MOST_ROWS = 8;
const MOST_KEYS = 12;
/**
 * What an invocation keeps: products of N × N (scores and their gradients), those of N × D, registers a row, and registers
 * for addresses and what compilers hold beside these and operands, by their tables.
 */
const KEPT = {
  forward: { scores: 1, results: 1, row: 0, beside: 32 },
  backwardQ: { scores: 2, results: 1, row: 3, beside: 26 },
  backwardKV: { scores: 2, results: 2, row: 0, beside: 25 },
} as const;

/**
 * The tiles that suit a shape, by what the instructions come to: the best first, then the best for every other number of rows
 * an invocation, and for other sizes of workgroups. All give the same bits.
 * None where heads are too wide for the workgroup memory that every device has.
 *
 * @param registers of 32 bits that an invocation should keep to
 */
export function attentionTiles(
  part: AttentionPart,
  shape: AttentionShape,
  registers: number,
): readonly AttentionTile[] {
  const fitting = [...allTiles(shape, registers < FEW_REGISTERS ? 0 : MOST_WRITTEN)].filter(
    (tile) => bytesOf(shape, tile) <= WORKGROUP_BYTES,
  );
  const least = Math.min(...fitting.map((tile) => registersOf(part, shape, tile)));
  const [first, ...rest] = fitting
    .filter((tile) => registersOf(part, shape, tile) <= Math.max(least, registers))
    .map((tile) => ({ tile, cost: costOf(part, shape, tile) }))
    .sort((a, b) => a.cost - b.cost)
    .map(({ tile }) => tile);
  if (!first) return [];
  const alike = [first, ...rest].filter((tile) => bitsOf(shape, tile) === bitsOf(shape, first));
  const otherRows = distinct(alike, ({ TM }) => TM);
  const otherSizes = distinct(
    alike.filter(({ TM }) => TM === first.TM),
    ({ GROUPS, HEADS, COLUMNS }) => Math.ceil((GROUPS * HEADS * COLUMNS) / LANES),
  );
  return [first, ...otherRows.slice(1, 4), ...otherSizes.slice(1, 3)];
}

/** The parameters of the kernels. */
export function paramsOf(shape: AttentionShape, tile: AttentionTile): ParamValues {
  return { D: shape.d, ...tile, HALF: shape.half ?? false, KEY_MASK: shape.mask, BIAS: shape.bias };
}

/** Workgroups of a dispatch. */
export function workgroupsOf({ b, n, heads }: AttentionShape, { TM, GROUPS, HEADS }: AttentionTile): number {
  return Math.ceil((b * heads) / HEADS) * Math.ceil(n / (TM * GROUPS));
}

/** The size of parts no larger than `most` that divide `count` as evenly as can be. */
export function evenPart(count: number, most: number): number {
  return Math.ceil(count / Math.ceil(count / most));
}

/** @param mostWritten multiply-adds of a loop's turn, where it may be several in one */
function* allTiles({ b, n, heads, d }: AttentionShape, mostWritten: number): Generator<AttentionTile> {
  const chunks = d / 4;
  const STEP = chunks > 2 ? 4 : chunks;
  for (const COLUMNS of [4, 8, 16, 32]) {
    if (COLUMNS > 4 && COLUMNS >= 2 * chunks) continue;
    for (let TN = 1; TN <= Math.min(MOST_KEYS, Math.ceil(n / COLUMNS)); TN++) {
      const PART = evenPart(TN, Math.max(1, Math.floor(24 / COLUMNS)));
      for (let TM = 1; TM <= Math.min(MOST_ROWS, n); TM++) {
        const isWritable = (turns: number): boolean =>
          chunks % turns === 0 && (PART * COLUMNS) % (4 * turns) === 0 && 4 * TM * TN * turns <= mostWritten;
        const UNROLL = [4, 2].find(isWritable) ?? 1;
        for (const size of WORKGROUP_SIZES) {
          const GROUPS = evenPart(Math.ceil(n / TM), size / COLUMNS);
          const HEADS = Math.min(Math.max(1, Math.floor(size / (GROUPS * COLUMNS))), b * heads);
          yield { TM, TN, COLUMNS, GROUPS, HEADS, PART, STEP, UNROLL };
        }
      }
    }
  }
}

/** What decides bits: how many keys lie between two rescalings, where there are several, and CHAINS of the shader. */
function bitsOf({ n }: AttentionShape, { TN, COLUMNS }: AttentionTile): string {
  return `${TN * COLUMNS >= n ? 'all' : TN * COLUMNS} ${Math.max(16, COLUMNS)}`;
}

/** vec4 of channels of an invocation. */
function ownedOf({ d }: AttentionShape, { COLUMNS }: AttentionTile): number {
  return Math.ceil(d / 4 / COLUMNS);
}

/** vec4 that an invocation moves to workgroup memory a step. */
function movesOf({ TM, TN, COLUMNS, GROUPS, STEP }: AttentionTile): number {
  return Math.ceil((TM * STEP) / COLUMNS) + Math.ceil((TN * STEP) / GROUPS);
}

/** What the kernels take of workgroup memory: SIZE_A and SIZE_B of the shader. */
function bytesOf({ d }: AttentionShape, { TM, TN, COLUMNS, GROUPS, HEADS, PART, STEP }: AttentionTile): number {
  const chunks = d / 4;
  const pitch = (rows: number): number => Math.floor((rows + 6) / 8) * 8 + 2;
  const pitchOfValues = chunks + Number(chunks % COLUMNS > 0);
  const sizeA = Math.max(STEP, 4, COLUMNS / 4, (PART * COLUMNS) / 4) * pitch(TM * GROUPS);
  const sizeB = Math.max(STEP * pitch(TN * COLUMNS), (PART * COLUMNS + 1) * pitchOfValues);
  return 16 * HEADS * (sizeA + sizeB);
}

function registersOf(part: AttentionPart, shape: AttentionShape, tile: AttentionTile): number {
  const owned = ownedOf(shape, tile);
  const { scores, results, row, beside } = KEPT[part];
  const operands = Math.max(4 * tile.TN, 16 * owned) + 4;
  // Of a row's CHAINS those beyond the first; with few columns compilers hold about as much more in backwardKV.
  const chains = Math.max(0, 16 / tile.COLUMNS - 1);
  // More than three have their addresses in registers of their own.
  const moves = 3 * Math.max(0, movesOf(tile) - 3);
  const kept = scores * tile.TM * tile.TN + results * 4 * tile.TM * owned + (row + chains) * tile.TM;
  return kept + operands + moves + beside;
}

/** About how many instructions a subgroup issues, times subgroups; fewer of these than a GPU takes are no gain. */
function costOf(part: AttentionPart, shape: AttentionShape, tile: AttentionTile): number {
  const { TM, TN, COLUMNS, GROUPS, HEADS, PART, STEP, UNROLL } = tile;
  const chunks = shape.d / 4;
  const owned = ownedOf(shape, tile);
  const { scores, results } = KEPT[part];
  const tiles = Math.ceil(shape.n / (TN * COLUMNS));
  const fours = Math.ceil(shape.n / 4);
  // Multiply-adds, reads, and what a turn of the loop takes.
  const turn = 10 / UNROLL;
  const ofScores = scores * tiles * chunks * (4 * TM * TN + TM + TN + turn);
  const ofResults = results * fours * (16 * TM * owned + TM + 4 * owned + turn);
  // What is moved to workgroup memory, with barriers.
  const toScores = scores * tiles * Math.ceil(chunks / STEP) * (4 * movesOf(tile) + 20);
  const values = owned * Math.ceil((PART * COLUMNS) / GROUPS);
  const toResults = results * tiles * Math.ceil(TN / PART) * (6 * values + 3 * PART * TM + 20);
  const softmax = tiles * (10 * TM * TN + TM * (COLUMNS + 4 * owned + 10) + 60);
  const subgroups = workgroupsOf(shape, tile) * Math.ceil((HEADS * GROUPS * COLUMNS) / LANES);
  return (ofScores + ofResults + toScores + toResults + softmax) * Math.max(subgroups, FILL);
}

/** The first of each kind. */
function distinct<T>(values: readonly T[], kindOf: (value: T) => number): readonly T[] {
  const kinds = new Set<number>();
  return values.filter((value) => !kinds.has(kindOf(value)) && kinds.add(kindOf(value)));
}
