import { exactCos } from '../tensor/exactMath';

/** Linear warm-up, then down to `minimum`. */
export interface Schedule {
  readonly peak: number;
  readonly minimum: number;
  readonly warmupSteps: number;
  readonly steps: number;
  /**
   * Half a cosine, as by default; or the share of the steps after the warm-up, the last, over which the rate falls in a
   * straight line from the peak.
   */
  readonly decay?: 'cosine' | number;
}

/**
 * The learning rate of a step, per iteration as in MAE's code: peak·t/warmup while t < warmup, so 0 at the first step;
 * then minimum + (peak − minimum)·½(1 + exactCos(π·s)) with s = (t − warmup)/(steps − warmup), or, where it falls in a straight
 * line over a share, minimum + (peak − minimum)·min(1, (1 − s)/share) (Hägele et al. 2024).
 *
 * @param step counted from 0
 */
export function learningRateAt(
  { peak, minimum, warmupSteps, steps, decay = 'cosine' }: Schedule,
  step: number,
): number {
  if (step < warmupSteps) return (peak * step) / warmupSteps;
  const progress = Math.min(1, (step - warmupSteps) / Math.max(1, steps - warmupSteps));
  if (decay !== 'cosine') return minimum + (peak - minimum) * Math.min(1, (1 - progress) / decay);
  return minimum + (peak - minimum) * 0.5 * (1 + exactCos(Math.PI * progress));
}
