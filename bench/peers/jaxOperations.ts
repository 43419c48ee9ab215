import type { Recipe } from './examples';
import type { Arr, Jax, Session, Weights } from './jaxApi';
import { ADAMW, isDecayed, LEARNING_RATE } from './step.reference';

/** As `layerNorm.reference.ts` has it. */
const EPS = 1e-6;

export function layerNorm(jax: Jax, x: Arr, gamma: Arr, beta: Arr, eps = EPS): Arr {
  return jax.nn.standardize(x, -1, { epsilon: eps }).mul(gamma).add(beta);
}

/** q, k and v [batch, heads, tokens, channels]; a mask is added to the scores. What jax-js has for it needs a newer Node than this project does. */
export function attend(jax: Jax, [q, k, v]: readonly [Arr, Arr, Arr], mask?: Arr): Arr {
  const scale = 1 / Math.sqrt(q.shape.at(-1) as number);
  const scores = jax.numpy.matmul(q, k.transpose([0, 1, 3, 2])).mul(scale);
  return jax.numpy.matmul(jax.nn.softmax(mask ? scores.add(mask) : scores, -1), v);
}

/** Weights and their moments. */
export interface Trained {
  readonly weights: Weights;
  readonly m: Weights;
  readonly v: Weights;
}

/** What the two moments are divided by, and the learning rate: [1] each. */
export type Hyper = [mean: Arr, square: Arr, rate: Arr];

/** What AdamW is told; as of `step.reference.ts` by default. */
type AdamwOptions = Pick<Recipe, 'betas' | 'eps' | 'weightDecay'>;

/** AdamW of every weight, for jit. */
export function adamw(
  jax: Jax,
  { weights, m, v }: Trained,
  gradients: Weights,
  [correction1, correction2, rate]: Hyper,
  { betas: [beta1, beta2], eps, weightDecay }: AdamwOptions = ADAMW,
): Trained {
  const next = { weights: {} as Record<string, Arr>, m: {} as Record<string, Arr>, v: {} as Record<string, Arr> };
  for (const [name, weight] of Object.entries(weights)) {
    const gradient = gradients[name] as Arr;
    const mean = (m[name] as Arr).mul(beta1).add(gradient.ref.mul(1 - beta1));
    const square = (v[name] as Arr).mul(beta2).add(jax.numpy.square(gradient).mul(1 - beta2));
    const deviation = jax.numpy.sqrt(square.ref.div(correction2.ref)).add(eps);
    const shrunk = isDecayed(weight.shape) ? weight.ref.sub(weight.mul(rate.ref.mul(weightDecay))) : weight;
    next.weights[name] = shrunk.sub(mean.ref.div(correction1.ref).mul(rate.ref).div(deviation));
    next.m[name] = mean;
    next.v[name] = square;
  }
  jax.tree.dispose([correction1, correction2, rate]);
  return next;
}

/** What a step is told, counted from 1. */
export function hyperOf(
  { upload }: Session,
  step: number,
  rate = LEARNING_RATE,
  [beta1, beta2] = ADAMW.betas as readonly [number, number],
): Hyper {
  const one = (value: number): Arr => upload({ shape: [1], data: [value] });
  return [one(1 - beta1 ** step), one(1 - beta2 ** step), one(rate)];
}

/** Weights with moments of zero. */
export function trainedFrom(
  { upload }: Session,
  weights: Readonly<Record<string, { shape: readonly number[]; data: ArrayLike<number> }>>,
): Trained {
  const map = (value: (of: { shape: readonly number[]; data: ArrayLike<number> }) => Arr): Weights =>
    Object.fromEntries(Object.entries(weights).map(([name, of]) => [name, value(of)]));
  const zeros = (): Weights => map(({ shape, data }) => upload({ shape, data: new Float32Array(data.length) }));
  return { weights: map(upload), m: zeros(), v: zeros() };
}

export function asTree({ weights, m, v }: Trained): [Weights, Weights, Weights] {
  return [weights, m, v];
}
