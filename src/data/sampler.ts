import { UserError } from '../common/userError';
import { exactExp, exactLog } from '../tensor/exactMath';
import { integer, permutation, RandomStream } from './philox';
import * as purposes from './purposes';

/*
 * What the host draws for a training step: which images, their partners, α, crop boxes. Every draw is addressed by
 * seed and step (see philox.ts), so a run resumed at any step goes on with the very numbers it would have had.
 */

function wrongCall(message: string): UserError {
  return new UserError(message, { usage: true });
}

/** Steps in an epoch: the last, short batch is dropped. @throws UserError where the set is smaller than a batch */
export function stepsPerEpoch(batch: number, count: number): number {
  if (!Number.isInteger(batch) || batch < 1) throw wrongCall(`The batch size is 1 or more, not ${batch}.`);
  if (batch > count) {
    throw wrongCall(`A batch of ${batch} is more than the set's ${count} images. Use a batch of ${count} or less.`);
  }
  return Math.floor(count / batch);
}

/** The order in which an epoch visits the images: a permutation of 0 … count − 1, without replacement. */
export function epochOrder(seed: number, epoch: number, count: number): Uint32Array {
  return permutation(RandomStream.at(seed, purposes.order, epoch), count);
}

/** The mini-batches of a run. It remembers one epoch's order, which a large set would be slow to draw at every step. */
export class BatchOrder {
  readonly stepsPerEpoch: number;
  private epoch = -1;
  private order: Uint32Array = new Uint32Array(0);

  /** @throws UserError where the set is smaller than a batch */
  constructor(
    private readonly seed: number,
    private readonly batch: number,
    private readonly count: number,
  ) {
    this.stepsPerEpoch = stepsPerEpoch(batch, count);
  }

  /** The images (indices into the set) of a step, counted from 0 over the whole run. Steps may come in any order. */
  indices(step: number): Uint32Array {
    const epoch = Math.floor(step / this.stepsPerEpoch);
    if (epoch !== this.epoch) {
      this.order = epochOrder(this.seed, epoch, this.count);
      this.epoch = epoch;
    }
    const start = (step % this.stepsPerEpoch) * this.batch;
    return this.order.slice(start, start + this.batch);
  }
}

/** The images of a single step: `new BatchOrder(seed, batch, count).indices(step)`. */
export function batchIndices(seed: number, step: number, batch: number, count: number): Uint32Array {
  return new BatchOrder(seed, batch, count).indices(step);
}

/** The images of a set sorted by class, so that a partner of a class is drawn in constant time. */
export class ClassIndex {
  readonly count: number;
  /** The images, class after class. */
  readonly sorted: Uint32Array;
  /** Where an image stands in `sorted`. */
  readonly places: Uint32Array;
  /** Where each class starts in `sorted`, and at last its end. */
  readonly starts: Uint32Array;

  constructor(readonly labels: ArrayLike<number>) {
    this.count = labels.length;
    const sizes: number[] = [];
    for (let image = 0; image < this.count; image++) {
      const label = labels[image] as number;
      sizes[label] = (sizes[label] ?? 0) + 1;
    }
    this.starts = new Uint32Array(sizes.length + 1);
    for (let label = 0; label < sizes.length; label++) {
      this.starts[label + 1] = (this.starts[label] as number) + (sizes[label] ?? 0);
    }
    const next = this.starts.slice();
    this.sorted = new Uint32Array(this.count);
    this.places = new Uint32Array(this.count);
    for (let image = 0; image < this.count; image++) {
      const label = labels[image] as number;
      const place = next[label] as number;
      next[label] = place + 1;
      this.sorted[place] = image;
      this.places[image] = place;
    }
  }
}

/**
 * How an image finds the partner it is mixed with. `random`: another image of its mini-batch, labels unused. `byClass`
 * (semantics-enhanced sampling of i-MAE): with probability `sameProb` another image of its class, else one of another
 * class, from the whole set.
 */
export type Pairing =
  | { readonly kind: 'random'; readonly count: number }
  | { readonly kind: 'byClass'; readonly sameProb: number; readonly classes: ClassIndex };

/**
 * The partner (index into the set) of each image of a mini-batch, never the image itself. With `random` the partners
 * are the mini-batch again, along one random cycle (Sattolo), so each image is a partner once; a mini-batch of one
 * takes any other image of the set. With `byClass` an image without a fellow of its class, or a set of one class,
 * falls back on any other image.
 *
 * @throws UserError where the set has one image, or sameProb is outside [0, 1]
 */
export function partnerIndices(seed: number, step: number, anchors: Uint32Array, pairing: Pairing): Uint32Array {
  const stream = RandomStream.at(seed, purposes.partner, step);
  const count = pairing.kind === 'random' ? pairing.count : pairing.classes.count;
  if (count < 2) throw new UserError('Mixing needs a set of 2 images or more: an image is never its own partner.');
  if (pairing.kind === 'random') {
    return anchors.length === 1 ? anchors.map((anchor) => otherThan(stream, anchor, count)) : cycle(stream, anchors);
  }
  const { sameProb, classes } = pairing;
  if (!(sameProb >= 0 && sameProb <= 1)) {
    throw wrongCall(`same_prob is a probability from 0 to 1, not ${sameProb}.`);
  }
  return anchors.map((anchor) => partnerByClass(stream, anchor, stream.uniform() < sameProb, classes));
}

/** The share of pairs whose two images are of one class. */
export function sameClassShare(labels: ArrayLike<number>, anchors: Uint32Array, partners: Uint32Array): number {
  return (
    anchors.reduce((sum, anchor, at) => sum + Number(labels[anchor] === labels[partners[at] as number]), 0) /
    anchors.length
  );
}

/** Any of 0 … count − 1 but one. */
function otherThan(stream: RandomStream, excluded: number, count: number): number {
  const drawn = integer(stream, count - 1);
  return drawn < excluded ? drawn : drawn + 1;
}

function cycle(stream: RandomStream, anchors: Uint32Array): Uint32Array {
  const partners = anchors.slice();
  for (let last = partners.length - 1; last > 0; last--) {
    const other = integer(stream, last);
    const value = partners[last] as number;
    partners[last] = partners[other] as number;
    partners[other] = value;
  }
  return partners;
}

function partnerByClass(stream: RandomStream, anchor: number, same: boolean, classes: ClassIndex): number {
  const { count, labels, sorted, places, starts } = classes;
  const label = labels[anchor] as number;
  const start = starts[label] as number;
  const size = (starts[label + 1] as number) - start;
  if (same && size > 1) {
    return sorted[start + otherThan(stream, (places[anchor] as number) - start, size)] as number;
  }
  if (!same && size < count) {
    const drawn = integer(stream, count - size);
    return sorted[drawn < start ? drawn : drawn + size] as number;
  }
  return otherThan(stream, anchor, count);
}

/**
 * Random resized crop: the range of the crop's share of the image's area, null for no crop but the whole image (of one
 * that is not square, the largest centred square); and whether to flip half of the samples.
 */
export interface CropLaw {
  readonly scale: readonly [number, number] | null;
  readonly flip: boolean;
}

const MIN_RATIO = 3 / 4;
const MAX_RATIO = 4 / 3;
const TRIES = 10;
/** Values a crop takes in the array of `drawCrops`: x, y, width, height, flip. */
export const CROP_VALUES = 5;

/**
 * A crop box for each sample: batch × (x, y, width, height in whole pixels; 1 = flip left to right). Area uniform in
 * `scale`, width : height log-uniform in [3/4, 4/3], ten tries, else the largest centred box of an allowed ratio, as
 * `RandomResizedCrop` of torchvision does.
 *
 * @throws UserError where scale is no range inside (0, 1]
 */
export function drawCrops(
  seed: number,
  step: number,
  batch: number,
  { scale, flip }: CropLaw,
  { width, height }: { readonly width: number; readonly height: number },
): Float32Array {
  if (scale) assertScale(scale);
  const stream = RandomStream.at(seed, purposes.crop, step);
  const crops = new Float32Array(batch * CROP_VALUES);
  for (let sample = 0; sample < batch; sample++) {
    const box = scale
      ? (tryCrop(stream, scale, width, height) ?? centredCrop(width, height))
      : wholeCrop(width, height);
    crops.set([...box, flip ? integer(stream, 2) : 0], sample * CROP_VALUES);
  }
  return crops;
}

type Box = readonly [x: number, y: number, width: number, height: number];

function assertScale([low, high]: readonly [number, number]): void {
  if (!(low > 0 && low <= high && high <= 1)) {
    throw wrongCall(`The crop scale goes up inside 0 to 1, not from ${low} to ${high}.`);
  }
}

/** The largest centred square. */
export function wholeCrop(width: number, height: number): Box {
  const side = Math.min(width, height);
  return [Math.floor((width - side) / 2), Math.floor((height - side) / 2), side, side];
}

function tryCrop(
  stream: RandomStream,
  [low, high]: readonly [number, number],
  width: number,
  height: number,
): Box | undefined {
  for (let attempt = 0; attempt < TRIES; attempt++) {
    const area = width * height * (low + (high - low) * stream.uniform());
    const logMin = exactLog(MIN_RATIO);
    const ratio = exactExp(logMin + (exactLog(MAX_RATIO) - logMin) * stream.uniform());
    const cropWidth = Math.round(Math.sqrt(area * ratio));
    const cropHeight = Math.round(Math.sqrt(area / ratio));
    if (cropWidth < 1 || cropHeight < 1 || cropWidth > width || cropHeight > height) continue;
    return [integer(stream, width - cropWidth + 1), integer(stream, height - cropHeight + 1), cropWidth, cropHeight];
  }
  return undefined;
}

function centredCrop(width: number, height: number): Box {
  const cropWidth = Math.min(width, Math.round(height * MAX_RATIO));
  const cropHeight = Math.min(height, Math.round(width / MIN_RATIO));
  return [Math.floor((width - cropWidth) / 2), Math.floor((height - cropHeight) / 2), cropWidth, cropHeight];
}
