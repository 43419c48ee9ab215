import type { ImageSet } from '../../data/imageSet';
import { integer, RandomStream } from '../../data/philox';
import * as purposes from '../../data/purposes';

/** Two held-out images and how they are blended. */
export interface Pair {
  readonly first: number;
  readonly second: number;
  /** Weight of the first image. */
  readonly alpha: number;
}

/** Held-out pairs that a run is judged by: the same for every model and every run on a set. */
export function heldOutPairs(set: ImageSet, count: number, alphaOf: (index: number) => number): Pair[] {
  const stream = RandomStream.at(0, purposes.evaluation, 0);
  return Array.from({ length: count }, (_, index) => {
    const first = integer(stream, set.count);
    const second = (first + 1 + integer(stream, set.count - 1)) % set.count;
    return { first, second, alpha: alphaOf(index) };
  });
}
