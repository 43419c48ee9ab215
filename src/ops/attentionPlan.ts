import type { ParamValues } from '../gpu/expression';
import { workgroupRow } from '../gpu/recording';

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

export interface AttentionChoice {
  /** The adapter runs on the processor. */
  readonly software: boolean;
  /** Range of subgroup sizes; absent where subgroups are not enabled. */
  readonly subgroups?: { readonly min: number; readonly max: number };
  /** Take the reference kernels. */
  readonly plain?: boolean;
}

/** The kernels of `shaders/attention/`: the reference kernels, those for software adapters, those for GPUs. */
export const ATTENTION_KERNELS = [
  'attentionPlainForward',
  'attentionPlainBackwardQ',
  'attentionPlainBackwardKV',
  'attentionRegisterForward',
  'attentionRegisterBackwardQ',
  'attentionRegisterBackwardKV',
  'attentionHeadForward',
  'attentionHeadBackwardQ',
  'attentionHeadBackwardKV',
  'attentionShuffleForward',
  'attentionShuffleBackwardQ',
  'attentionShuffleBackwardKV',
  'attentionForward',
  'attentionBackwardQ',
  'attentionBackwardKV',
] as const;

export type AttentionKernel = (typeof ATTENTION_KERNELS)[number];

/** A kernel of `shaders/attention/`, its parameters, its grid. */
export interface AttentionVariant {
  readonly kernel: AttentionKernel;
  readonly params: ParamValues;
  readonly workgroups: readonly [number, number];
}

/** One dispatch. */
export interface AttentionDispatch extends AttentionVariant {
  /** Other variants, with the same bits, which measurement may prefer on an adapter. */
  readonly others: readonly AttentionVariant[];
}

export interface AttentionPlan {
  /** Whether the kernels take what they are given in f16; else they must be given f32. */
  readonly half: boolean;
  readonly forward: AttentionDispatch;
  /** Runs first: writes dQ, and delta, which `backwardKV` reads. */
  readonly backwardQ: AttentionDispatch;
  readonly backwardKV: AttentionDispatch;
}

/** Which attention kernels suit a shape on an adapter; nothing else decides, so the same shape gives the same bits. */
export function planAttention(shape: AttentionShape, choice: AttentionChoice): AttentionPlan {
  if (choice.plain || shape.d % 4 !== 0) return planPlain(shape);
  if (!choice.software) return planWorkgroup(shape);
  const { min, max } = choice.subgroups ?? { min: 0, max: 0 };
  if (min === max && min > 4) return planShuffle(shape, min);
  // SwiftShader, of 4 lanes, makes a shuffle as dear as the loads that it saves.
  const isSmall = shape.d <= 32 && shape.n * shape.d <= MOST_OF_HEAD;
  return max === 4 && isSmall ? planHead(shape) : planRegister(shape);
}

function planPlain(shape: AttentionShape): AttentionPlan {
  const group = 64;
  const dispatch = (kernel: AttentionKernel): AttentionDispatch => ({
    kernel,
    params: { WG: group, KEY_MASK: shape.mask, BIAS: shape.bias },
    workgroups: workgroupRow(Math.ceil((shape.b * shape.heads * shape.n) / group)),
    others: [],
  });
  return {
    half: false,
    forward: dispatch('attentionPlainForward'),
    backwardQ: dispatch('attentionPlainBackwardQ'),
    backwardKV: dispatch('attentionPlainBackwardKV'),
  };
}

function planRegister(shape: AttentionShape): AttentionPlan {
  const variant = (kernel: AttentionKernel, rows: number, group: number, other: ParamValues): AttentionVariant => ({
    kernel,
    params: { ROWS: rows, ...other, WG: group, KEY_MASK: shape.mask, BIAS: shape.bias },
    workgroups: workgroupRow(Math.ceil((shape.b * shape.heads * Math.ceil(shape.n / rows)) / group)),
  });
  // The rows of an invocation know nothing of each other; what decides bits is how many keys are taken at a time.
  const dispatch = (kernel: AttentionKernel, mostRows: number, other: ParamValues): AttentionDispatch => {
    const rows = evenPart(shape.n, mostRows);
    const otherRows = [2, 4, 6, 8].map((most) => evenPart(shape.n, most)).filter((count) => count !== rows);
    const others = [...new Set(otherRows)].map((count) => variant(kernel, count, 8, other));
    return { ...variant(kernel, rows, 8, other), others: [...others, variant(kernel, rows, 16, other)] };
  };
  // Larger blocks load less but compile for seconds on lavapipe.
  return {
    half: false,
    forward: dispatch('attentionRegisterForward', 6, { KEYS: evenPart(shape.n, 6) }),
    backwardQ: dispatch('attentionRegisterBackwardQ', 4, { KEYS: evenPart(shape.n, 6) }),
    backwardKV: dispatch('attentionRegisterBackwardKV', 4, { QUERIES: evenPart(shape.n, 6) }),
  };
}

/** Channels of all rows of a head that are written out: with more, kernels compile for long. */
const MOST_OF_HEAD = 288;

function planHead(shape: AttentionShape): AttentionPlan {
  const dispatch = (kernel: AttentionKernel): AttentionDispatch => ({
    kernel,
    params: { N: shape.n, D: shape.d, KEY_MASK: shape.mask, BIAS: shape.bias },
    workgroups: workgroupRow(Math.ceil((shape.b * shape.heads) / 4)),
    others: [],
  });
  return {
    half: false,
    forward: dispatch('attentionHeadForward'),
    backwardQ: dispatch('attentionHeadBackwardQ'),
    backwardKV: dispatch('attentionHeadBackwardKV'),
  };
}

function planShuffle(shape: AttentionShape, lanes: number): AttentionPlan {
  const variant = (kernel: AttentionKernel, rows: number, other: ParamValues): AttentionVariant => ({
    kernel,
    params: { ROWS: rows, ...other, LANES: lanes, KEY_MASK: shape.mask, BIAS: shape.bias },
    workgroups: workgroupRow(shape.b * shape.heads * Math.ceil(shape.n / (rows * lanes))),
  });
  // As in planRegister, rows decide no bits. Measured on lavapipe: more of either is no faster and compiles for seconds.
  const [first, ...others] = [...new Set([3, 2, 1].map((most) => Math.ceil(evenPart(shape.n, most * lanes) / lanes)))];
  const dispatch = (kernel: AttentionKernel, other: ParamValues): AttentionDispatch => ({
    ...variant(kernel, first as number, other),
    others: others.map((rows) => variant(kernel, rows, other)),
  });
  const count = evenPart(shape.n, 13);
  return {
    half: false,
    forward: dispatch('attentionShuffleForward', { KEYS: count }),
    backwardQ: dispatch('attentionShuffleBackwardQ', { KEYS: count }),
    backwardKV: dispatch('attentionShuffleBackwardKV', { QUERIES: count }),
  };
}

const WORKGROUP_BYTES = 16384;
const WORKGROUP_INVOCATIONS = 128;

function planWorkgroup(shape: AttentionShape): AttentionPlan {
  const half = shape.half ?? false;
  // Wide heads take more invocations a row and fewer rows a tile, for registers and workgroup memory.
  const columns = shape.d > 64 ? 8 : 4;
  const across = shape.d > 64 ? 8 : Math.min(16, Math.ceil(shape.n / 4) * 4);
  const pitch = Math.floor(shape.d / 8) * 2 + 1;
  const tileBytes = 2 * across * pitch * 16;
  const groupBytes = 4 * (across + 1 + columns) * 4;
  const mostGroups = Math.min(Math.floor((WORKGROUP_BYTES - tileBytes) / groupBytes), WORKGROUP_INVOCATIONS / columns);
  const groups = evenPart(Math.ceil(shape.n / 4), mostGroups);
  const mostHeads = (count: number): number => {
    const fit = Math.floor(WORKGROUP_BYTES / (tileBytes + count * groupBytes));
    const idle = Math.floor(WORKGROUP_INVOCATIONS / (count * columns));
    return Math.max(1, Math.min(fit, idle, shape.b * shape.heads));
  };
  const variant = (kernel: AttentionKernel, rowGroups: number, heads: number): AttentionVariant => ({
    kernel,
    params: {
      D: shape.d,
      COLUMNS: columns,
      GROUPS: rowGroups,
      ACROSS: across,
      HEADS: heads,
      HALF: half,
      KEY_MASK: shape.mask,
      BIAS: shape.bias,
    },
    workgroups: workgroupRow(Math.ceil((shape.b * shape.heads) / heads) * Math.ceil(shape.n / (4 * rowGroups))),
  });
  // How rows and heads are gathered in workgroups changes no sum; what decides bits is COLUMNS and ACROSS.
  const fewer = evenPart(Math.ceil(shape.n / 4), Math.ceil(groups / 2));
  const gathered: [number, number][] = [groups, fewer].flatMap((count) => {
    const most = mostHeads(count);
    return [most, Math.ceil(most / 2), 1].map((heads): [number, number] => [count, heads]);
  });
  const dispatch = (kernel: AttentionKernel): AttentionDispatch => {
    const distinct = new Map(gathered.map(([count, heads]) => [`${count} ${heads}`, variant(kernel, count, heads)]));
    const [first, ...others] = [...distinct.values()] as [AttentionVariant, ...AttentionVariant[]];
    return { ...first, others };
  };
  return {
    half,
    forward: dispatch('attentionForward'),
    backwardQ: dispatch('attentionBackwardQ'),
    backwardKV: dispatch('attentionBackwardKV'),
  };
}

/** The size of parts no larger than `most` that divide `count` as evenly as can be. */
function evenPart(count: number, most: number): number {
  return Math.ceil(count / Math.ceil(count / most));
}
