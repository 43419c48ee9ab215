import { adamwStep } from '../../kernels-test/adamw.reference';
import * as attention from '../../kernels-test/attention.reference';
import { expectClose, random, zeros, type Reference, type References } from '../../kernels-test/allclose';
import * as gelu from '../../kernels-test/gelu.reference';
import * as layerNorm from '../../kernels-test/layerNorm.reference';
import * as matmul from '../../kernels-test/matmul.reference';
import * as softmax from '../../kernels-test/softmax.reference';
import type { MatmulLayout } from '../../src/ops/matmulPlan';
import { exampleFlops, exampleInputs, type ExampleWork } from './examples';
import { exampleResults } from './examples.reference';
import { ADAMW, LEARNING_RATE, stepFlops, stepInputs, stepLosses, type StepShape } from './step.reference';

/** A product op(A)·op(B) [m, n]: nn of a [m, k] and b [k, n], nt with b [n, k], tn with a [k, m]. */
export interface MatmulWork {
  readonly kind: 'matmul';
  readonly layout: MatmulLayout;
  readonly m: number;
  readonly n: number;
  readonly k: number;
  /**
   * Whether it is part of a linear layer: nn forward (b is the weight), nt the gradient of its input (b is the weight),
   * tn that of its weight. An engine stores weights as it always does, [k, n] or the other way round.
   */
  readonly linear: boolean;
}

/** qkv [batch, tokens, 3, heads, channels] → out [batch, tokens, heads·channels]; with `backward` the gradient of qkv. */
export interface AttentionWork {
  readonly kind: 'attention';
  readonly batch: number;
  readonly tokens: number;
  readonly heads: number;
  readonly channels: number;
  readonly backward: boolean;
}

/** x [rows, width] → y, row by row or element by element; with `backward` y and the gradients, given dy. */
export interface RowWork {
  readonly kind: 'layerNorm' | 'softmax' | 'gelu';
  readonly rows: number;
  readonly width: number;
  readonly backward: boolean;
}

/** One update of weight [count / 64, 64] from its gradient. */
export interface AdamwWork {
  readonly kind: 'adamw';
  readonly count: number;
}

/** A training step of a stack of ViT blocks; what is checked are the losses of the first few. */
export interface StepWork extends StepShape {
  readonly kind: 'step';
}

export type Work = MatmulWork | AttentionWork | RowWork | AdamwWork | StepWork | ExampleWork;

/** Results by the names that the row's reference gives them, row-major. */
export type Results = Readonly<Record<string, ArrayLike<number>>>;

/** One comparison of engines. */
export interface PeerRow {
  readonly name: string;
  readonly work: Work;
  readonly flops: number;
}

const ROW_KINDS = { layerNorm, softmax, gelu } as const;
const MATMUL_NAMES = { nn: 'x·W', nt: 'dy·Wᵀ', tn: 'xᵀ·dy' } as const;
/** Floating-point operations an element: forward, and forward and backward, the exponential counted as one. */
const ROW_FLOPS = { layerNorm: [8, 24], softmax: [4, 8], gelu: [33, 70] } as const;
const TOKENS = 64 * 17;

function matmulRow(layout: MatmulLayout, m: number, n: number, k: number): PeerRow {
  return {
    name: `${MATMUL_NAMES[layout]} ${m}×${k} → ${n}`,
    work: { kind: 'matmul', layout, m, n, k, linear: true },
    flops: 2 * m * n * k,
  };
}

/** A linear layer at the model's tokens: itself, and the gradients of its input and its weight. */
function linearRows(inputs: number, outputs: number): PeerRow[] {
  return [
    matmulRow('nn', TOKENS, outputs, inputs),
    matmulRow('nt', TOKENS, inputs, outputs),
    matmulRow('tn', inputs, outputs, TOKENS),
  ];
}

function cubeRow(side: number): PeerRow {
  return {
    name: `${side}³`,
    work: { kind: 'matmul', layout: 'nn', m: side, n: side, k: side, linear: false },
    flops: 2 * side ** 3,
  };
}

const withBackward = (backward: boolean): string => (backward ? 'forward and backward' : 'forward');

function attentionRow(tokens: number, backward: boolean): PeerRow {
  const [batch, heads, channels] = [64, 3, 64];
  return {
    name: `${batch}×${tokens}, ${heads} heads of ${channels} ${withBackward(backward)}`,
    work: { kind: 'attention', batch, tokens, heads, channels, backward },
    // Two products forward; five backward: the scores again, dV, dP, dQ, dK.
    flops: 2 * batch * heads * tokens ** 2 * channels * (backward ? 7 : 2),
  };
}

function elementRows(kind: RowWork['kind'], rows: number, width: number): PeerRow[] {
  return [false, true].map((backward) => ({
    name: `${rows}×${width} ${withBackward(backward)}`,
    work: { kind, rows, width, backward },
    flops: rows * width * ROW_FLOPS[kind][backward ? 1 : 0],
  }));
}

/** dim 192, 3 heads, 17 tokens, batch 64, 4 blocks. */
const STEP: StepShape = { dim: 192, heads: 3, depth: 4, batch: 64, tokens: 17 };
const STEP_ROW: PeerRow = {
  name: `${STEP.depth} blocks, dim ${STEP.dim}, ${STEP.heads} heads, ${STEP.batch}×${STEP.tokens} tokens`,
  work: { kind: 'step', ...STEP },
  flops: stepFlops(STEP),
};

/** Weights of the step's model, a multiple of 64. */
const ADAMW_COUNT = 1_779_456;

const exampleRow = (example: ExampleWork['example']): PeerRow => {
  const work: ExampleWork = { kind: 'example', example };
  return { name: `training step of examples/${example}`, work, flops: exampleFlops(work) };
};

/** All that is compared. */
export const PEER_ROWS: readonly PeerRow[] = [
  ...linearRows(192, 576),
  ...linearRows(192, 192),
  ...linearRows(192, 768),
  ...linearRows(768, 192),
  ...[256, 512, 1024, 2048].map(cubeRow),
  attentionRow(17, false),
  attentionRow(17, true),
  attentionRow(65, false),
  attentionRow(65, true),
  ...elementRows('layerNorm', TOKENS, 192),
  ...elementRows('softmax', 64 * 3 * 17, 17),
  ...elementRows('softmax', 64 * 3 * 65, 65),
  ...elementRows('gelu', TOKENS, 768),
  { name: `${ADAMW_COUNT} elements`, work: { kind: 'adamw', count: ADAMW_COUNT }, flops: 16 * ADAMW_COUNT },
  STEP_ROW,
  exampleRow('shapeClassifier'),
  exampleRow('characters'),
];

/** The row whose rate the training step's is set beside: its largest product, as our engine stores weights. */
export const RATE_ROW = matmulRow('nn', TOKENS, 576, 192).name;

/** What every engine is given; the same numbers every time. */
export function inputsOf(work: Work): References {
  switch (work.kind) {
    case 'matmul': {
      const { layout, m, n, k } = work;
      return { a: random(layout === 'tn' ? [k, m] : [m, k], 1), b: random(layout === 'nt' ? [n, k] : [k, n], 2) };
    }
    case 'attention': {
      const { batch, tokens, heads, channels } = work;
      return {
        qkv: random([batch, tokens, 3 * heads * channels], 1),
        dOut: random([batch, tokens, heads * channels], 2),
      };
    }
    case 'layerNorm':
    case 'softmax':
    case 'gelu': {
      const { kind, rows, width } = work;
      const affine: Record<string, Reference> =
        kind === 'layerNorm' ? { gamma: random([width], 2), beta: random([width], 3) } : {};
      return { x: random([rows, width], 1), ...affine, dy: random([rows, width], 4) };
    }
    case 'adamw':
      return { weight: random([work.count / 64, 64], 1), gradient: random([work.count / 64, 64], 2) };
    case 'step':
      return stepInputs(work);
    case 'example':
      return exampleInputs(work);
  }
}

/**
 * A check of what an engine gives for `work` on `inputs` against float64. The reference is computed once for all.
 *
 * @returns a function that throws an Error which says what differs
 */
export function checkerOf(work: Work, inputs: References): (results: Results) => void {
  const expected = work.kind === 'matmul' ? projectedProduct(work, inputs) : expectedOf(work, inputs);
  return (results) => {
    for (const [name, { data }] of Object.entries(expected)) {
      const found = results[name];
      if (!found) throw new Error(`no result ${name}`);
      const compared = work.kind === 'matmul' ? project(work, found) : found;
      expectClose(name, compared, data, toleranceOf(work, name));
    }
  };
}

/**
 * Bound on ‖result − reference‖ / ‖reference‖. f32 rounds to 6e-8, which sums of up to 2048 terms grow to some 3e-6; the
 * peers' error function is good to 1.5e-7 of 1. One wrong element among a million shows as 1e-3.
 */
const TOLERANCE = 1e-5;

/**
 * The same for the losses of a few steps, which fall by a tenth each. A loss is the sum of n squares, and jax-js on
 * WebAssembly adds them one after the other in f32: the roundings of such a sum come to some √n · 2⁻²⁴ of it (Higham and
 * Mary 2019), and with four times that for granted, 1.1e-4 here, few sums are refused that are not wrong. Sums in parts,
 * as of all engines on WebGPU, agree to some 1e-6.
 */
const lossTolerance = ({ batch, tokens, dim }: StepShape): number => 4 * Math.sqrt(batch * tokens * dim) * 2 ** -24;

/**
 * The same for weights that AdamW moved some steps far. It divides each gradient by its own size, so that a small one,
 * of r times the common size, moves its weight by rounding to 1e-6/r of a step; one in 1/r is so small. In the mean of squares
 * that is 1e-3 of a step, and all steps together are a tenth of a weight. A decay that is left out shows as 2e-4.
 */
const WEIGHT_TOLERANCE = 1e-4;

function toleranceOf(work: Work, name: string): number {
  if (work.kind === 'step') return lossTolerance(work);
  return work.kind === 'example' && name !== 'losses' ? WEIGHT_TOLERANCE : TOLERANCE;
}

function expectedOf(work: Exclude<Work, MatmulWork>, inputs: References): References {
  switch (work.kind) {
    case 'attention': {
      const { batch: b, tokens: n, heads, channels: d, backward } = work;
      const test = { b, n, heads, d };
      const { qkv, dOut } = inputs as { qkv: Reference; dOut: Reference };
      const { out } = attention.forward(test, { qkv });
      return backward ? { out, dqkv: attention.backward(test, { qkv }, { out: dOut }).qkv } : { out };
    }
    case 'layerNorm':
    case 'softmax':
    case 'gelu': {
      const reference = ROW_KINDS[work.kind];
      const given = inputs as { x: Reference; gamma: Reference; beta: Reference; dy: Reference };
      const outputs = reference.forward(given);
      if (!work.backward) return outputs;
      const gradients = Object.entries(reference.backward(given, { y: given.dy }));
      return { ...outputs, ...Object.fromEntries(gradients.map(([name, gradient]) => [`d${name}`, gradient])) };
    }
    case 'adamw': {
      const { weight, gradient } = inputs as { weight: Reference; gradient: Reference };
      const value = weight.data.slice();
      const state = { value, m: zeros(weight.shape).data, v: zeros(weight.shape).data, decayed: true };
      adamwStep([state], [gradient.data], { ...ADAMW, learningRate: LEARNING_RATE, step: 1, factor: 1 });
      return { weight: { shape: weight.shape, data: value } };
    }
    case 'step':
      return { losses: stepLosses(work, inputs) };
    case 'example':
      return exampleResults(work, inputs);
  }
}

/** Columns of ±1 that products are checked by. */
const COLUMNS = 4;
const signs = (n: number): Reference => {
  const { shape, data } = random([n, COLUMNS], 9);
  return { shape, data: data.map((value) => (value < 0 ? -1 : 1)) };
};

/**
 * Instead of a whole product, which takes a long time in float64, C·V of it for a few columns V of random signs: what is
 * wrong in C shows there at the same relative size (Freivalds 1977).
 */
function projectedProduct({ layout, n }: MatmulWork, inputs: References): References {
  const { a, b } = inputs as matmul.Inputs;
  const right = matmul.forward(layout === 'nt' ? 'tn' : 'nn', { a: b, b: signs(n) }).c;
  return { c: matmul.forward(layout === 'tn' ? 'tn' : 'nn', { a, b: right }).c };
}

function project({ m, n }: MatmulWork, c: ArrayLike<number>): Float64Array {
  if (c.length !== m * n) throw new Error(`c: ${c.length} elements, not ${m * n}`);
  return matmul.forward('nn', { a: { shape: [m, n], data: Float64Array.from(c) }, b: signs(n) }).c.data;
}
