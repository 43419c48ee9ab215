import { digest } from '../files/digest';
import { square } from '../tensor/exactMath';

/** Images in memory, all of one size. */
export interface ImageSet {
  readonly name: string;
  readonly width: number;
  readonly height: number;
  readonly channels: number;
  readonly count: number;
  /** The names of the classes; a label is an index into them. */
  readonly classes: readonly string[];
  /** count × channels × height × width: one plane a channel, as CIFAR ships it and convolutions read it. */
  readonly images: Uint8Array;
  readonly labels: Uint16Array;
  /** Mean and standard deviation of each channel, in units where white is 1. A test set carries its training set's. */
  readonly mean: readonly number[];
  readonly std: readonly number[];
}

export interface TrainTest {
  readonly train: ImageSet;
  readonly test: ImageSet;
}

export type ImageShape = Pick<ImageSet, 'width' | 'height' | 'channels'>;

/** Bytes of one image. */
export function imageBytes({ width, height, channels }: ImageShape): number {
  return width * height * channels;
}

/** A digest of all images and labels: sets that train alike have the same. */
export function digestImages(set: ImageSet): Promise<string> {
  const { width, height, channels, images, labels } = set;
  const shape = new TextEncoder().encode(`${width} ${height} ${channels}\n`);
  return digest([shape, images, new Uint8Array(labels.buffer, labels.byteOffset, labels.byteLength)]);
}

/**
 * Mean and standard deviation (of the population) of each channel over all pixels, in units where white is 1. Counted
 * in whole numbers from a histogram, so the result does not depend on the order of the images.
 */
export function channelStatistics(images: Uint8Array, shape: ImageShape): Pick<ImageSet, 'mean' | 'std'> {
  const { channels } = shape;
  const plane = shape.width * shape.height;
  const histograms = Array.from({ length: channels }, () => new Uint32Array(256));
  for (let start = 0, channel = 0; start < images.length; start += plane, channel = (channel + 1) % channels) {
    const histogram = histograms[channel] as Uint32Array;
    for (let at = start; at < start + plane; at++) {
      const value = images[at] as number;
      histogram[value] = (histogram[value] as number) + 1;
    }
  }
  const pixels = images.length / channels;
  const mean: number[] = [];
  const std: number[] = [];
  for (const histogram of histograms) {
    const average = histogram.reduce((sum, count, value) => sum + count * value, 0) / pixels;
    const variance = histogram.reduce((sum, count, value) => sum + count * square(value - average), 0) / pixels;
    mean.push(average / 255);
    std.push(Math.sqrt(variance) / 255);
  }
  return { mean, std };
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
