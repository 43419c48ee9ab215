import { DEFAULT_REGISTERS } from '../gpu/deviceTraits';
import type { ParamValues } from '../gpu/expression';
import { workgroupRow } from '../gpu/recording';
import {
  attentionTiles,
  evenPart,
  paramsOf,
  workgroupsOf,
  type AttentionPart,
  type AttentionShape,
} from './attentionTiles';

export interface AttentionChoice {
  /** The adapter runs on the processor. */
  readonly software: boolean;
  /** Range of subgroup sizes; absent where subgroups are not enabled. */
  readonly subgroups?: { readonly min: number; readonly max: number };
  /** Registers of 32 bits that an invocation should keep to; by default what suits GPUs of which nothing is known. */
  readonly registers?: number;
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
  if (!choice.software) return planTiles(shape, choice.registers);
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

const TILE_KERNELS = {
  forward: 'attentionForward',
  backwardQ: 'attentionBackwardQ',
  backwardKV: 'attentionBackwardKV',
} as const;

function dispatchOfTiles(part: AttentionPart, shape: AttentionShape, registers: number): AttentionDispatch | undefined {
  const [first, ...others] = attentionTiles(part, shape, registers).map((tile) => ({
    kernel: TILE_KERNELS[part],
    params: paramsOf(shape, tile),
    workgroups: workgroupRow(workgroupsOf(shape, tile)),
  }));
  return first && { ...first, others };
}

function planTiles(shape: AttentionShape, registers = DEFAULT_REGISTERS): AttentionPlan {
  const forward = dispatchOfTiles('forward', shape, registers);
  const backwardQ = dispatchOfTiles('backwardQ', shape, registers);
  const backwardKV = dispatchOfTiles('backwardKV', shape, registers);
  if (!forward || !backwardQ || !backwardKV) return planPlain(shape);
  return { half: shape.half ?? false, forward, backwardQ, backwardKV };
}
