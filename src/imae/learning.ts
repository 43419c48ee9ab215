import type { ImageSet, SetFacts } from '../data/imageSet';
import { stepsPerEpoch } from '../data/sampler';
import { formatNumber } from '../files/format';
import { UserError } from '../files/userError';
import { learningRateAt, type Schedule } from '../optim/schedule';
import type { TensorProgram } from '../tensor/graph';
import type { Tensor } from '../tensor/tensor';
import { judge, type CurvePoint, type Learned, type LearningWatcher } from './classification';
import { runEach } from './features';

/** How long a classifier is trained, and how fast. */
export interface Budget {
  readonly epochs: number;
  readonly warmupEpochs: number;
  readonly batch: number;
  /** Peak learning rate for 256 images: lr = blr × batch / 256. */
  readonly blr: number;
}

/** @throws UserError where the set is smaller than a batch, or the warm-up is no shorter than the training */
export function scheduleOf({ epochs, warmupEpochs, batch, blr }: Budget, { count }: Pick<SetFacts, 'count'>, minimum = 0): Schedule {
  if (warmupEpochs >= epochs) {
    throw new UserError(`A warm-up of ${warmupEpochs} epochs leaves nothing of ${epochs}. Give a shorter one, or more epochs.`, { usage: true });
  }
  const perEpoch = stepsPerEpoch(batch, count);
  const peak = (blr * batch) / 256;
  return { peak, minimum: Math.min(minimum, peak), warmupSteps: Math.round(warmupEpochs * perEpoch), steps: epochs * perEpoch };
}

/** A classifier that is being trained. */
export interface Lesson {
  /** Computes a batch and updates the weights. */
  readonly program: TensorProgram;
  /** [1]: the batch's loss. */
  readonly loss: Tensor;
  readonly schedule: Schedule;
  readonly epochs: number;
  /** Writes what step `step`, counted from 0, needs beside the learning rate. */
  prepare(step: number): void | Promise<void>;
  writeRate(rate: number, step: number): void;
  /** The scores [images, classes] that the test images get now. */
  scores(): Promise<Float32Array>;
}

/**
 * Trains a classifier to its end, and judges it on the test images after each epoch.
 *
 * @throws UserError where the loss is no finite number any more
 */
export async function learn(lesson: Lesson, test: ImageSet, watcher: LearningWatcher): Promise<Learned> {
  const { program, loss, schedule, epochs } = lesson;
  const { steps } = schedule;
  const perEpoch = steps / epochs;
  watcher.begin(steps);
  const curve: CurvePoint[] = [];
  let judged = judge(new Float32Array(0), [], test.classes.length);
  for (let epoch = 0; epoch < epochs; epoch++) {
    const first = epoch * perEpoch;
    let sum = 0;
    await runEach(
      program,
      loss,
      perEpoch,
      async (run) => {
        await lesson.prepare(first + run);
        lesson.writeRate(learningRateAt(schedule, first + run), first + run);
      },
      (values, run) => {
        const value = values[0] as number;
        if (!Number.isFinite(value)) throw tooFast(first + run, schedule);
        sum += value;
        watcher.step(first + run + 1, steps, value);
      },
    );
    judged = judge(await lesson.scores(), test.labels, test.classes.length);
    const point = { epoch: epoch + 1, loss: sum / perEpoch, top1: judged.top1, top5: judged.top5 };
    curve.push(point);
    watcher.epoch(point);
  }
  return { ...judged, curve };
}

function tooFast(step: number, { peak }: Schedule): UserError {
  return new UserError(
    `The loss of step ${step} is no finite number: a peak learning rate of ${formatNumber(peak)} is too much. Give a smaller --blr.`,
  );
}

/** One-hot targets, or smoothed ones: 1 − smoothing + smoothing / classes for the class, smoothing / classes for others. */
export function targetsOf(labels: ArrayLike<number>, classes: number, smoothing = 0): Float32Array {
  const targets = new Float32Array(labels.length * classes).fill(smoothing / classes);
  for (let row = 0; row < labels.length; row++) targets[row * classes + (labels[row] as number)] = 1 - smoothing + smoothing / classes;
  return targets;
}
