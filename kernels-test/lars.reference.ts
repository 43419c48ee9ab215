import type { LarsOptions } from '../src/optim/lars';

/** A parameter and its momentum in float64. */
export interface LarsReference {
  readonly value: Float64Array;
  readonly mu: Float64Array;
  /** Whether it has more than one dimension: is decayed and scaled. */
  readonly scaled: boolean;
}

const norm = (values: Float64Array): number => Math.sqrt(values.reduce((sum, x) => sum + x * x, 0));

/** One step of LARS, tensor by tensor. */
export function larsStep(
  parameters: readonly LarsReference[],
  gradients: readonly Float64Array[],
  {
    momentum,
    trust,
    weightDecay,
    learningRate,
  }: Required<Pick<LarsOptions, 'momentum' | 'trust' | 'weightDecay'>> & { learningRate: number },
): void {
  for (const [index, { value, mu, scaled }] of parameters.entries()) {
    const raw = gradients[index] ?? new Float64Array(value.length);
    const update = scaled ? raw.map((g, i) => g + weightDecay * (value[i] as number)) : raw;
    const [own, other] = [norm(value), norm(update)];
    const ratio = scaled && own > 0 && other > 0 ? (trust * own) / other : 1;
    update.forEach((g, i) => {
      mu[i] = momentum * (mu[i] as number) + ratio * g;
      value[i] = (value[i] as number) - learningRate * mu[i];
    });
  }
}
