import { scaleSquare } from '../../data/bicubic';
import {
  imageBytes,
  isInMemory,
  readImages,
  spreadIndices,
  type ImageSet,
  type SetFacts,
  type TrainingSet,
} from '../../data/imageSet';
import { patchCount, type ModelSize } from '../config/config';
import type { Normalisation } from '../model/normalisation';
import { imageToPatches, normalised } from './patches';

/** The mean over a set of each pixel at its place, normalised: [C, H, W] at the set's own size. */
export function meanImage(set: ImageSet, normalisation: Normalisation): Float32Array {
  const sums = new Float64Array(imageBytes(set));
  addImages(sums, set.images);
  return normalisedPixels(
    set,
    sums.map((sum) => sum / set.count),
    normalisation,
  );
}

function addImages(sums: Float64Array, images: Uint8Array): void {
  const pixels = sums.length;
  for (let at = 0; at < images.length; at++) sums[at % pixels] = (sums[at % pixels] as number) + (images[at] as number);
}

/** Pixels on the scale of bytes, [C, any places], as the model sees them. */
function normalisedPixels(
  { channels }: SetFacts,
  pixels: ArrayLike<number>,
  { mean, std }: Normalisation,
): Float32Array {
  const plane = pixels.length / channels;
  return Float32Array.from(pixels, (value, i) => {
    const channel = Math.floor(i / plane);
    return (value / 255 - (mean[channel] ?? 0)) / (std[channel] ?? 1);
  });
}

/** Images that stand for a whole set's where it would take long to look at all of them. */
const SAMPLED = 4096;
/** And where each has to be scaled for it. */
const SAMPLED_SCALED = 1024;
/** Images that are read at once. */
const READ_AT_ONCE = 64;

/**
 * What is best predicted without looking, as the unmixing score compares it: [L, P·P·C], the mean over a set of what a patch
 * is at its place. With `normPix` that is the mean of normalised patches, which is nearer to anything than the mean image's
 * own patches, normalised. Where all images would take too long (normalised patches, streamed sets), those of 4,096 images
 * evenly spread over the set stand for them; of 1,024 where each has to be scaled to the model's size.
 */
export async function meanTarget(
  size: ModelSize,
  set: TrainingSet,
  normalisation: Normalisation,
  { normPix }: { readonly normPix: boolean },
): Promise<Float32Array> {
  const atModelSize = (pixels: ArrayLike<number>): Float32Array =>
    normalisedPixels(set, scaleSquare(pixels, set, size.image), normalisation);
  if (!normPix && isInMemory(set)) {
    const sums = new Float64Array(imageBytes(set));
    addImages(sums, set.images);
    return imageToPatches(size, atModelSize(sums.map((sum) => sum / set.count)));
  }
  const isScaled = set.width !== size.image || set.height !== size.image;
  const chosen = spreadIndices(set.count, normPix && isScaled ? SAMPLED_SCALED : SAMPLED);
  const bytes = imageBytes(set);
  const pixels = size.channels * size.image ** 2;
  const width = pixels / patchCount(size);
  const sums = new Float64Array(normPix ? pixels : bytes);
  for (let from = 0; from < chosen.length; from += READ_AT_ONCE) {
    const images = await readImages(set, chosen.subarray(from, from + READ_AT_ONCE));
    if (!normPix) {
      addImages(sums, images);
      continue;
    }
    for (let start = 0; start < images.length; start += bytes) {
      const patches = imageToPatches(size, atModelSize(images.subarray(start, start + bytes)));
      for (const [i, value] of normalised(patches, patches, width).entries()) sums[i] = (sums[i] as number) + value;
    }
  }
  const means = sums.map((sum) => sum / chosen.length);
  return normPix ? Float32Array.from(means) : imageToPatches(size, atModelSize(means));
}
