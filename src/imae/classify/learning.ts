import type { ImageSet, SetFacts } from '../../data/imageSet';
import { stepsPerEpoch } from '../../data/sampler';
import { formatNumber } from '../../common/format';
import { UserError } from '../../common/userError';
import { learningRateAt, type Schedule } from '../../optim/schedule';
import type { Output } from '../../engine/outputs';
import { pipeline } from '../../engine/pipeline';
import {
  classificationOf,
  type Classification,
  type CurvePoint,
  type Learned,
  type LearningWatcher,
} from './classification';

/** How long a classifier is trained, and how fast. */
export interface Budget {
  readonly epochs: number;
  readonly warmupEpochs: number;
  readonly batch: number;
  /** Peak learning rate for 256 images: lr = blr × batch / 256. */
  readonly blr: number;
}

/** @throws UserError where the set is smaller than a batch, or the warm-up is no shorter than the training */
export function scheduleOf(
  { epochs, warmupEpochs, batch, blr }: Budget,
  { count }: Pick<SetFacts, 'count'>,
  minimum = 0,
): Schedule {
  if (warmupEpochs >= epochs) {
    throw new UserError(
      `A warm-up of ${warmupEpochs} epochs leaves nothing of ${epochs}. Give a shorter one, or more epochs.`,
      { usage: true },
    );
  }
  const perEpoch = stepsPerEpoch(batch, count);
  const peak = (blr * batch) / 256;
  return {
    peak,
    minimum: Math.min(minimum, peak),
    warmupSteps: Math.round(warmupEpochs * perEpoch),
    steps: epochs * perEpoch,
  };
}

/** A classifier that is being trained. */
export interface ClassifierTask {
  readonly schedule: Schedule;
  readonly epochs: number;
  /** Computes step `step`, counted from 0, and updates the weights. */
  run(step: number, rate: number): Promise<void>;
  /** The loss of the latest step's batch. */
  readonly loss: Output<'f32', readonly []>;
  /** The scores [images, classes] that the test images get now. */
  scores(): Promise<Float32Array>;
}

/** Where a training stands: what going on takes beside weights and the optimizer's moments. */
export interface LearningState {
  /** Steps done. */
  readonly step: number;
  /** Sum of the losses of the epoch under way, or of one that is done and not yet judged. */
  readonly lossSum: number;
  /** Of the epochs that are done and judged. */
  readonly curve: readonly CurvePoint[];
}

const BEGINNING: LearningState = { step: 0, lossSum: 0, curve: [] };

/** Lets a training be left, and gone on with. */
export interface Checkpointing {
  /** Where it was left; absent at the beginning. */
  readonly from?: LearningState;
  /** Asked between steps: true saves and leaves. */
  stopRequested(): boolean;
  /** Whether what an epoch came to is to be saved. */
  isDue(): boolean;
  /** Keeps a checkpoint. */
  save(at: LearningState): Promise<void>;
}

/** A training was left before its end, because `stopRequested` said so; all is saved. */
export class LearningStopped extends Error {
  /** @param step steps done */
  constructor(readonly step: number) {
    super(`Stopped after step ${step}.`);
  }
}

/**
 * Trains a classifier to its end, and judges it on the test images after each epoch.
 *
 * @throws UserError where the loss is no finite number any more; LearningStopped where a checkpointing ends it
 */
export async function learn(
  task: ClassifierTask,
  test: ImageSet,
  watcher: LearningWatcher,
  checkpointing?: Checkpointing,
): Promise<Learned> {
  const { loss, schedule, epochs } = task;
  const perEpoch = schedule.steps / epochs;
  let { step, lossSum } = checkpointing?.from ?? BEGINNING;
  const curve = [...(checkpointing?.from ?? BEGINNING).curve];
  watcher.begin(schedule.steps, step);
  const judgeNow = async (): Promise<Classification> =>
    classificationOf(await task.scores(), test.labels, test.classes.length);
  let judged: Classification | undefined;
  for (let epoch = curve.length; epoch < epochs; epoch++) {
    const first = step;
    const steps = (epoch + 1) * perEpoch - first;
    step += await pipeline(
      async (run) => {
        if (run === steps || checkpointing?.stopRequested()) return undefined;
        await task.run(first + run, learningRateAt(schedule, first + run));
        return { result: loss.item() };
      },
      (value, run) => {
        if (!Number.isFinite(value)) throw tooFast(first + run, schedule);
        lossSum += value;
        watcher.step(first + run + 1, schedule.steps, value);
      },
    );
    if (checkpointing?.stopRequested()) {
      await checkpointing.save({ step, lossSum, curve });
      throw new LearningStopped(step);
    }
    judged = await judgeNow();
    const point = { epoch: epoch + 1, loss: lossSum / perEpoch, top1: judged.top1, top5: judged.top5 };
    lossSum = 0;
    curve.push(point);
    watcher.epoch(point);
    if (checkpointing?.isDue()) await checkpointing.save({ step, lossSum, curve });
  }
  return { ...(judged ?? (await judgeNow())), curve };
}

function tooFast(step: number, { peak }: Schedule): UserError {
  return new UserError(
    `The loss of step ${step} is no finite number: a peak learning rate of ${formatNumber(peak)} is too much. Give a smaller --blr.`,
  );
}

/** One-hot targets, or smoothed ones: 1 − smoothing + smoothing / classes for the class, smoothing / classes for others. */
export function targetsOf(labels: ArrayLike<number>, classes: number, smoothing = 0): Float32Array {
  const targets = new Float32Array(labels.length * classes).fill(smoothing / classes);
  for (let row = 0; row < labels.length; row++)
    targets[row * classes + (labels[row] as number)] = 1 - smoothing + smoothing / classes;
  return targets;
}
