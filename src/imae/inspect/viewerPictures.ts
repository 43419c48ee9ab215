import type { ModelSize } from '../config/config';
import type { Normalisation } from '../model/normalisation';
import { patchesToImage } from '../eval/pictures';
import { imageToPatches } from '../eval/patches';

/** A reconstruction for the eye, and where it is wrong. */
export interface Picture {
  /** Row by row. */
  readonly rgba: Uint8ClampedArray<ArrayBuffer>;
  /** [H·W]: of each pixel, the root mean square over channels of its distance from the target; white is 1 from black. */
  readonly distances: Float32Array<ArrayBuffer>;
}

/**
 * @param patches [L, P·P·C] normalised
 * @param target [C, H, W] normalised
 */
export function pictureOf(
  size: ModelSize,
  patches: Float32Array,
  target: Float32Array,
  normalisation: Normalisation,
): Picture {
  const { image, patch, channels } = size;
  const wanted = imageToPatches(size, target);
  const distances = new Float32Array(image * image);
  for (let y = 0; y < image; y++) {
    for (let x = 0; x < image; x++) {
      const place = Math.floor(y / patch) * (image / patch) + Math.floor(x / patch);
      const at = (place * patch * patch + (y % patch) * patch + (x % patch)) * channels;
      let sum = 0;
      for (let channel = 0; channel < channels; channel++) {
        const difference = (patches[at + channel] as number) - (wanted[at + channel] as number);
        sum += (difference * (normalisation.std[channel] ?? 1)) ** 2;
      }
      distances[y * image + x] = Math.sqrt(sum / channels);
    }
  }
  return { rgba: patchesToImage(size, patches, normalisation).data as Uint8ClampedArray<ArrayBuffer>, distances };
}
