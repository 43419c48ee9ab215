import type { Shape } from '../src/tensor/shape';
import type { Reference, References } from './allclose';

/** A loss of one element in float64, and its slopes in the prediction and in the target; w is a weight of its class. */
export interface LossReference {
  readonly value: (p: number, t: number, w: number) => number;
  readonly slopes: readonly [LossReference['value'], LossReference['value']];
}

/** Of p − t, or of t − p: the slopes are those of one function. */
function ofDistance(value: (d: number) => number, slope: (d: number) => number): LossReference {
  return { value: (p, t) => value(p - t), slopes: [(p, t) => slope(p - t), (p, t) => -slope(p - t)] };
}

/** ln(1 + e⁻ˣ) */
const softplus = (x: number): number => Math.max(-x, 0) + Math.log1p(Math.exp(-Math.abs(x)));

export const huberReference = (delta: number): LossReference =>
  ofDistance(
    (d) => (Math.abs(d) <= delta ? (d * d) / 2 : delta * (Math.abs(d) - delta / 2)),
    (d) => (Math.abs(d) <= delta ? d : delta * Math.sign(d)),
  );

export const smoothL1Reference = (beta: number): LossReference =>
  ofDistance(
    (d) => (Math.abs(d) < beta ? (d * d) / (2 * beta) : Math.abs(d) - beta / 2),
    (d) => (Math.abs(d) < beta ? d / beta : Math.sign(d)),
  );

export const lossReferences = {
  mse: ofDistance(
    (d) => d * d,
    (d) => 2 * d,
  ),
  l1: ofDistance(Math.abs, Math.sign),
  bceWithLogits: {
    value: (p, t, w) => (1 - t) * p + (1 + (w - 1) * t) * softplus(p),
    slopes: [(p, t, w) => 1 - t - (1 + (w - 1) * t) / (1 + Math.exp(p)), (p, _, w) => (w - 1) * softplus(p) - p],
  },
  klDiv: {
    value: (p, t) => (t === 0 ? 0 : t * (Math.log(t) - p)),
    slopes: [(_, t) => -t, (p, t) => Math.log(t) + 1 - p],
  },
} satisfies Record<string, LossReference>;

export type Inputs = { prediction: Reference; target: Reference };

export interface Case {
  readonly reference: LossReference;
  /** What a sum of all is multiplied with; undefined where nothing is summed. */
  readonly scale: number | undefined;
  /** Of element i. */
  readonly weight: (i: number) => number;
}

export function forward({ reference, scale, weight }: Case, { prediction, target }: Inputs): { y: Reference } {
  const losses = prediction.data.map((p, i) => reference.value(p, target.data[i] as number, weight(i)));
  if (scale === undefined) return { y: { shape: prediction.shape, data: losses } };
  const none: Shape = [];
  return { y: { shape: none, data: Float64Array.of(scale * losses.reduce((all, loss) => all + loss, 0)) } };
}

export function backward({ reference, scale, weight }: Case, inputs: Inputs, { y: dy }: References): Inputs {
  const { prediction, target } = inputs;
  const [ofPrediction, ofTarget] = reference.slopes.map((slope) => ({
    shape: prediction.shape,
    data: prediction.data.map((p, i) => {
      const upstream = scale === undefined ? dy?.data[i] : scale * (dy?.data[0] ?? NaN);
      return (upstream as number) * slope(p, target.data[i] as number, weight(i));
    }),
  })) as [Reference, Reference];
  return { prediction: ofPrediction, target: ofTarget };
}
