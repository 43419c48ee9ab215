import { digest } from '../common/digest';
import { UserError } from '../common/userError';
import { squared } from '../tensor/exactMath';
import { permutation, RandomStream } from './philox';
import * as purposes from './purposes';

/** What is known of images that are all of one size, wherever they are. */
export interface SetFacts {
  readonly name: string;
  readonly width: number;
  readonly height: number;
  readonly channels: number;
  readonly count: number;
  /** The names of the classes; a label is an index into them. */
  readonly classes: readonly string[];
  readonly labels: Uint16Array;
  /**
   * Mean and standard deviation of each channel, in units where white is 1. A test set carries its training set's. Of a
   * streamed set whose own were not asked for, not a number: nobody has looked at all of it.
   */
  readonly mean: readonly number[];
  readonly std: readonly number[];
  /** Stands for the images where a run asks whether they are the same; without it, a digest of them does. */
  readonly identity?: string;
  /** What has decoded image files, where that was not Node: a name, as `Chrome`. Their pixels are others then. */
  readonly decoder?: string;
}

/** Images in memory. */
export interface ImageSet extends SetFacts {
  /** count × channels × height × width: one plane a channel, as CIFAR ships it and convolutions read it. */
  readonly images: Uint8Array;
}

/** Images that are fetched (read, decoded) when they are wanted. */
export interface StreamedSet extends SetFacts {
  /**
   * The bytes of some images, one behind the other, as they would lie in memory.
   *
   * @throws UserError where one cannot be had
   */
  read(indices: ArrayLike<number>): Promise<Uint8Array>;
}

/** Images to train on: in memory, or streamed. */
export type TrainingSet = ImageSet | StreamedSet;

/** Images to train on, and images held out. */
export interface TrainTest<Train extends TrainingSet = TrainingSet> {
  readonly train: Train;
  readonly test: ImageSet;
}

/** The size of every image of a set. */
export type ImageShape = Pick<SetFacts, 'width' | 'height' | 'channels'>;

export function isInMemory(set: TrainingSet): set is ImageSet {
  return 'images' in set;
}

/** The bytes of some images of any set, one behind the other. */
export async function readImages(set: TrainingSet, indices: ArrayLike<number>): Promise<Uint8Array> {
  if (!isInMemory(set)) return await set.read(indices);
  const bytes = imageBytes(set);
  const out = new Uint8Array(indices.length * bytes);
  for (let at = 0; at < indices.length; at++) {
    const index = indices[at] as number;
    out.set(set.images.subarray(index * bytes, (index + 1) * bytes), at * bytes);
  }
  return out;
}

/** At most `most` images, evenly spread over a set, which may lie in the order of its classes. */
export function spreadIndices(count: number, most: number): Uint32Array {
  return Uint32Array.from({ length: Math.min(count, most) }, (_, at) =>
    count <= most ? at : Math.floor((at * count) / most),
  );
}

/** A set in memory: itself where it is, else so many of its images, evenly spread, read now. @throws UserError where one cannot be had */
export async function sampleInMemory(set: TrainingSet, most: number): Promise<ImageSet> {
  if (isInMemory(set)) return set;
  const chosen = spreadIndices(set.count, most);
  const { name, width, height, channels, classes, mean, std, labels } = set;
  const shape = { name, width, height, channels, classes, mean, std };
  return {
    ...shape,
    count: chosen.length,
    labels: Uint16Array.from(chosen, (image) => labels[image] as number),
    images: await set.read(chosen),
  };
}

/** Bytes of one image. */
export function imageBytes({ width, height, channels }: ImageShape): number {
  return width * height * channels;
}

/** A digest of all images and labels, or of what stands for them: sets that train alike have the same. */
export function digestImages(set: TrainingSet): Promise<string> {
  const { width, height, channels, labels, identity } = set;
  const shape = new TextEncoder().encode(`${width} ${height} ${channels}\n`);
  const images = isInMemory(set) && identity === undefined ? set.images : new TextEncoder().encode(identity);
  return digest([shape, images, new Uint8Array(labels.buffer, labels.byteOffset, labels.byteLength)]);
}

/** Mean and standard deviation (of the population) of each channel over all pixels: see `ChannelCounts`. */
export function channelStatistics(images: Uint8Array, shape: ImageShape): Pick<SetFacts, 'mean' | 'std'> {
  const counts = new ChannelCounts(shape);
  counts.add(images);
  return counts.statistics();
}

/** Counts the values of each channel in whole numbers, so that what comes of them does not depend on the order of the images. */
export class ChannelCounts {
  private readonly plane: number;
  private readonly histograms: readonly Float64Array[];

  constructor({ width, height, channels }: ImageShape) {
    this.plane = width * height;
    this.histograms = Array.from({ length: channels }, () => new Float64Array(256));
  }

  /** @param images whole ones, one behind the other */
  add(images: Uint8Array): void {
    const { plane, histograms } = this;
    for (
      let start = 0, channel = 0;
      start < images.length;
      start += plane, channel = (channel + 1) % histograms.length
    ) {
      const histogram = histograms[channel] as Float64Array;
      for (let at = start; at < start + plane; at++) {
        const value = images[at] as number;
        histogram[value] = (histogram[value] as number) + 1;
      }
    }
  }

  /** Mean and standard deviation (of the population) of each channel, in units where white is 1. */
  statistics(): Pick<SetFacts, 'mean' | 'std'> {
    const mean: number[] = [];
    const std: number[] = [];
    for (const histogram of this.histograms) {
      const pixels = histogram.reduce((sum, count) => sum + count, 0);
      const average = histogram.reduce((sum, count, value) => sum + count * value, 0) / pixels;
      const variance = histogram.reduce((sum, count, value) => sum + count * squared(value - average), 0) / pixels;
      mean.push(average / 255);
      std.push(Math.sqrt(variance) / 255);
    }
    return { mean, std };
  }
}

/** One image as RGBA, row by row, ready for a canvas; one channel becomes grey. */
export function imageRgba(set: ImageSet, index: number): Uint8ClampedArray<ArrayBuffer> {
  const plane = set.width * set.height;
  const start = index * imageBytes(set);
  const rgba = new Uint8ClampedArray(plane * 4).fill(255);
  for (let pixel = 0; pixel < plane; pixel++) {
    for (let channel = 0; channel < 3; channel++) {
      rgba[pixel * 4 + channel] = set.images[start + (channel % set.channels) * plane + pixel] ?? 0;
    }
  }
  return rgba;
}

/** `most` of `count` indices, drawn without replacement by the seed, in ascending order; all of them where there are no more. */
export function someIndices(count: number, most: number, seed: number): Uint32Array {
  return permutation(RandomStream.at(seed, purposes.subset, 0), count)
    .slice(0, most)
    .sort();
}

/** Images as bytes, with a class each. */
export interface RawImages {
  /** count × channels × height × width: one plane a channel. */
  readonly images: Uint8Array;
  /** A class an image; without, all are of one. */
  readonly labels?: ArrayLike<number>;
}

/**
 * Image sets of bytes, with the statistics of the training images.
 *
 * @param facts.classes names of the classes; one, without a name, by default
 * @throws UserError where bytes and labels are of other numbers of images, or a label is no class
 */
export function makeImageSets(
  facts: ImageShape & { readonly name: string; readonly classes?: readonly string[] },
  train: RawImages,
  test: RawImages,
): TrainTest<ImageSet> {
  const { name, width, height, channels, classes = ['images'] } = facts;
  const shape = { width, height, channels };
  const statistics = channelStatistics(train.images, shape);
  const [ofTrain, ofTest] = [train, test].map(({ images, labels }, part): ImageSet => {
    const which = `${name} (${part === 0 ? 'training' : 'held out'})`;
    const count = images.length / imageBytes(shape);
    if (!Number.isInteger(count) || count === 0) {
      throw new UserError(
        `${which}: ${images.length} bytes are no whole images of ${channels} × ${height} × ${width}. Give one plane a channel.`,
      );
    }
    const own = Uint16Array.from(labels ?? { length: count });
    if (own.length !== count)
      throw new UserError(`${which}: ${own.length} labels for ${count} images. Give one an image.`);
    const wrong = own.find((label) => label >= classes.length);
    if (wrong !== undefined) {
      throw new UserError(`${which}: the label ${wrong} is none of ${classes.length} classes. Labels count from 0.`);
    }
    return { name, ...shape, count, classes, labels: own, images, ...statistics };
  }) as [ImageSet, ImageSet]; // two are mapped
  return { train: ofTrain, test: ofTest };
}
