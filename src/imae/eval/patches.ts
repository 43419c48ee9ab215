import { squared } from '../../tensor/exactMath';
import { patchCount, type ModelSize } from '../config/config';

/** [C, H, W] → [L, P·P·C], patch vectors (row, column, channel). */
export function imageToPatches(
  size: Pick<ModelSize, 'image' | 'patch' | 'channels'>,
  pixels: Float32Array,
): Float32Array {
  const { image, patch, channels } = size;
  const grid = image / patch;
  const out = new Float32Array(pixels.length);
  let at = 0;
  for (let place = 0; place < grid * grid; place++) {
    const top = Math.floor(place / grid) * patch;
    const left = (place % grid) * patch;
    for (let row = 0; row < patch; row++) {
      for (let column = 0; column < patch; column++) {
        for (let channel = 0; channel < channels; channel++) {
          out[at++] = pixels[(channel * image + top + row) * image + left + column] as number;
        }
      }
    }
  }
  return out;
}

/**
 * Undoes the normalisation of each patch by its own statistics, as MAE's visualisation does.
 *
 * @param patches [L, P·P·C], as predicted with `normPix`
 * @param target [C, H, W]: the clean image, whose patches have those statistics
 */
export function putBack(size: ModelSize, patches: Float32Array, target: Float32Array): Float32Array {
  const width = patches.length / patchCount(size);
  const { means, deviations } = patchStatistics(imageToPatches(size, target), width);
  return patches.map((value, i) => value * at(deviations, i, width) + at(means, i, width));
}

/** Mean and deviation of each patch, as `normPix` normalises by them. */
function patchStatistics(patches: Float32Array, width: number): { means: Float64Array; deviations: Float64Array } {
  const means = new Float64Array(patches.length / width);
  const deviations = means.map((_, place) => {
    const patch = patches.subarray(place * width, (place + 1) * width);
    const mean = patch.reduce((sum, x) => sum + x, 0) / width;
    means[place] = mean;
    return Math.sqrt(patch.reduce((sum, x) => sum + squared(x - mean), 0) / (width - 1) + 1e-6);
  });
  return { means, deviations };
}

/** Patches less the means and by the deviations of others, or of themselves. */
export function normalised(patches: Float32Array, by: Float32Array, width: number): Float32Array {
  const { means, deviations } = patchStatistics(by, width);
  return patches.map((value, i) => (value - at(means, i, width)) / at(deviations, i, width));
}

/** Each patch less its mean, by its deviation: what is predicted with `normPix`. @param patches [L, width] */
export function normalisedPatches(patches: Float32Array, width: number): Float32Array {
  return normalised(patches, patches, width);
}

function at(ofPatches: Float64Array, element: number, width: number): number {
  return ofPatches[Math.floor(element / width)] as number;
}
