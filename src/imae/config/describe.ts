import { counted, formatSetting } from '../../common/format';
import type { Config, Phase, PhasePlan } from './config';

/** What people call the phases. */
export const PHASE_TITLES: Readonly<Record<Phase, string>> = {
  teacher: 'teacher',
  imae: 'i-MAE',
  mae: 'MAE',
  lcmae: 'LC-MAE',
};

/** What people call the phase that a model's file names; `other` where it names none, or one that is not ours. */
export function phaseTitle(phase: string | undefined, other: string): string {
  return Object.entries(PHASE_TITLES).find(([known]) => known === phase)?.[1] ?? other;
}

/** `80 steps of 24 images, learning rate 0.004 after 10 steps of warm-up, times 10 by Muon for matrices` */
export function describePlan(
  { steps, warmupSteps, peakLearningRate }: PhasePlan,
  { training, optimizer }: Config,
): string {
  const rate = formatSetting(peakLearningRate);
  const warmup =
    warmupSteps < steps
      ? `learning rate ${rate}${warmupSteps > 0 ? ` after ${formatSetting(warmupSteps)} steps of warm-up` : ''}`
      : `all of them warm-up: the learning rate never reaches ${rate}`;
  const muon = optimizer.muon > 0 ? `, times ${formatSetting(optimizer.muon)} by Muon for matrices` : '';
  return `${counted(steps, 'step')} of ${counted(training.batch, 'image')}, ${warmup}${muon}`;
}
