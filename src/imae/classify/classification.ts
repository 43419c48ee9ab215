import { isInMemory, someIndices, type TrainingSet } from '../../data/imageSet';

/** How well a classifier does on labelled images. */
export interface Classification {
  /** Share of images whose class is the likeliest, and among the five likeliest (or all, where there are fewer). */
  readonly top1: number;
  readonly top5: number;
  /** Images that were judged. */
  readonly count: number;
  /** Share of each class's images that are called it; null where there is none. */
  readonly perClass: readonly (number | null)[];
  /** Images of each class (row) by what they are called (column). */
  readonly confusion: readonly (readonly number[])[];
}

/** A point of a learning curve: what a classifier does on the test images after an epoch, and what it was trained with. */
export interface CurvePoint {
  /** Epochs done. */
  readonly epoch: number;
  /** Mean training loss over the epoch. */
  readonly loss: number;
  readonly top1: number;
  readonly top5: number;
}

/** Is told how a classifier's training comes along. */
export interface LearningWatcher {
  /**
   * Learning begins.
   *
   * @param start steps done already, of one that goes on
   */
  begin(steps: number, start: number): void;
  /** A step was made. */
  step(done: number, steps: number, loss: number): void;
  /** An epoch ended. */
  epoch(point: CurvePoint): void;
}

/** What a classifier that was trained came to. */
export interface Learned extends Classification {
  /** After each epoch. */
  readonly curve: readonly CurvePoint[];
}

/**
 * Judges the scores that images got. Of equal scores the class of the lower number is the likelier; a score that is no
 * number is the least of all.
 *
 * @param scores [images, classes]
 */
export function classificationOf(
  scores: Float32Array | Float64Array,
  labels: ArrayLike<number>,
  classes: number,
): Classification {
  const count = labels.length;
  const confusion = Array.from({ length: classes }, () => Array.from({ length: classes }, () => 0));
  let [first, five] = [0, 0];
  for (let image = 0; image < count; image++) {
    const label = labels[image] as number;
    const row = scores.subarray(image * classes, (image + 1) * classes);
    let called = 0;
    let rank = 0;
    for (let other = 0; other < classes; other++) {
      if (isLikelier(row, other, called)) called = other;
      if (isLikelier(row, other, label)) rank++;
    }
    const calls = confusion[label];
    if (calls) calls[called] = (calls[called] ?? 0) + 1;
    if (rank === 0) first++;
    if (rank < 5) five++;
  }
  const perClass = confusion.map((row, label) => {
    const total = row.reduce((sum, calls) => sum + calls, 0);
    return total === 0 ? null : (row[label] as number) / total;
  });
  return { top1: first / count, top5: five / count, count, perClass, confusion };
}

function isLikelier(row: Float32Array | Float64Array, a: number, b: number): boolean {
  const [x, y] = [row[a] as number, row[b] as number];
  if (Number.isNaN(x) || Number.isNaN(y)) return Number.isNaN(x) === Number.isNaN(y) ? a < b : Number.isNaN(y);
  return x > y || (x === y && a < b);
}

/** The interval that holds a share with 95 % certainty, by Wilson's score (1927): `share` of `count` independent images. */
export function shareInterval(share: number, count: number): readonly [low: number, high: number] {
  const z = 1.959964;
  const centre = share + (z * z) / (2 * count);
  const half = z * Math.sqrt((share * (1 - share)) / count + (z * z) / (4 * count * count));
  const scale = 1 + (z * z) / count;
  return [(centre - half) / scale, (centre + half) / scale];
}

/**
 * Some images of a set, drawn without replacement by the seed and left in the set's order; all of them where the set has no
 * more. Its statistics stay those of the whole set.
 */
export function someImages<S extends TrainingSet>(set: S, most: number, seed: number): S {
  if (set.count <= most) return set;
  const chosen = someIndices(set.count, most, seed);
  const labels = Uint16Array.from(chosen, (image) => set.labels[image] as number);
  if (!isInMemory(set)) {
    const read = (indices: ArrayLike<number>): Promise<Uint8Array> =>
      set.read(Array.from(indices, (index) => chosen[index] as number));
    return { ...set, count: most, labels, read };
  }
  const bytes = set.channels * set.width * set.height;
  const images = new Uint8Array(most * bytes);
  for (const [place, image] of chosen.entries())
    images.set(set.images.subarray(image * bytes, (image + 1) * bytes), place * bytes);
  return { ...set, count: most, images, labels };
}
