import type { AdamWOptions } from '../src/optim/adamw';

/** A parameter and its moments in float64. */
export interface AdamWReference {
  readonly value: Float64Array;
  readonly m: Float64Array;
  readonly v: Float64Array;
  readonly decayed: boolean;
}

/** One step of AdamW, element by element, on gradients times `factor`. `step` is counted from 1. */
export function adamwStep(
  parameters: readonly AdamWReference[],
  gradients: readonly Float64Array[],
  options: Required<Pick<AdamWOptions, 'betas' | 'eps' | 'weightDecay'>> & {
    learningRate: number;
    step: number;
    factor: number;
  },
): void {
  const { betas, eps, weightDecay, learningRate, step, factor } = options;
  const [beta1, beta2] = betas;
  for (const [index, { value, m, v, decayed }] of parameters.entries()) {
    gradients[index]?.forEach((raw, i) => {
      const g = raw * factor;
      m[i] = beta1 * (m[i] as number) + (1 - beta1) * g;
      v[i] = beta2 * (v[i] as number) + (1 - beta2) * g * g;
      const mean = m[i] / (1 - beta1 ** step);
      const deviation = Math.sqrt(v[i] / (1 - beta2 ** step)) + eps;
      const shrunk = (value[i] as number) * (1 - learningRate * (decayed ? weightDecay : 0));
      value[i] = shrunk - (learningRate * mean) / deviation;
    });
  }
}
