import { cos } from '../tensor/exactMath';

/** Linear warm-up, then half a cosine down to `minimum`. */
export interface Schedule {
  readonly peak: number;
  readonly minimum: number;
  readonly warmupSteps: number;
  readonly steps: number;
}

/**
 * The learning rate of a step, per iteration as in MAE's code: peak·t/warmup while t < warmup, so 0 at the first step;
 * then minimum + (peak − minimum)·½(1 + cos(π·(t − warmup)/(steps − warmup))).
 *
 * @param step counted from 0
 */
export function learningRateAt({ peak, minimum, warmupSteps, steps }: Schedule, step: number): number {
  if (step < warmupSteps) return (peak * step) / warmupSteps;
  const progress = Math.min(1, (step - warmupSteps) / Math.max(1, steps - warmupSteps));
  return minimum + (peak - minimum) * 0.5 * (1 + cos(Math.PI * progress));
}
