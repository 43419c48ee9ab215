import { counted, formatSetting } from '../files/format';
import type { Phase, PhasePlan } from './config';

/** What people call the phases. */
export const PHASE_TITLES: Readonly<Record<Phase, string>> = { teacher: 'teacher', imae: 'i-MAE', mae: 'MAE', lcmae: 'LC-MAE' };

/** What people call the phase that a model's file names; `other` where it names none, or one that is not ours. */
export function phaseTitle(phase: string | undefined, other: string): string {
  return Object.entries(PHASE_TITLES).find(([known]) => known === phase)?.[1] ?? other;
}

/** `300 steps of 32 images, learning rate 0.008 after 20 steps of warm-up` */
export function describePlan({ steps, warmupSteps, peakLearningRate }: PhasePlan, batch: number): string {
  const rate = formatSetting(peakLearningRate);
  const warmup =
    warmupSteps < steps
      ? `learning rate ${rate}${warmupSteps > 0 ? ` after ${formatSetting(warmupSteps)} steps of warm-up` : ''}`
      : `all of them warm-up: the learning rate never reaches ${rate}`;
  return `${counted(steps, 'step')} of ${counted(batch, 'image')}, ${warmup}`;
}
