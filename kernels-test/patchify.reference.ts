import type { Shape } from '../src/tensor/shape';
import { zeros, type Reference } from './allclose';

export interface Layout {
  /** [S, C, H, W]. */
  readonly images: Shape;
  readonly patch: number;
  readonly order: 'channelsLast' | 'channelsFirst';
  /** The first `keep` of each row of `ids`, rows of L one after the other. */
  readonly visible?: { readonly ids: Uint32Array; readonly keep: number };
}

/** [S, keep, P·P·C]. */
export function patchesShape({ images, patch, visible }: Layout): Shape {
  const [samples = 1, channels = 1, height = 1, width = 1] = images;
  return [samples, visible?.keep ?? (height / patch) * (width / patch), patch * patch * channels];
}

/** Calls `visit` with the places of each visible element in the images and in the patches. */
function eachElement(layout: Layout, visit: (image: number, patch: number) => void): void {
  const { patch, order, visible } = layout;
  const [samples = 1, channels = 1, height = 1, width = 1] = layout.images;
  const [, keep = 0, size = 0] = patchesShape(layout);
  const length = (height / patch) * (width / patch);
  for (let s = 0; s < samples; s++) {
    const ids = visible ? visible.ids.subarray((s * length) % visible.ids.length) : Array.from({ length }, (_, k) => k);
    for (let k = 0; k < keep; k++) {
      const top = Math.floor((ids[k] as number) / (width / patch)) * patch;
      const left = ((ids[k] as number) % (width / patch)) * patch;
      for (let channel = 0; channel < channels; channel++) {
        for (let row = 0; row < patch; row++) {
          for (let column = 0; column < patch; column++) {
            const last = (row * patch + column) * channels + channel;
            const first = (channel * patch + row) * patch + column;
            const image = ((s * channels + channel) * height + top + row) * width + left + column;
            visit(image, (s * keep + k) * size + (order === 'channelsLast' ? last : first));
          }
        }
      }
    }
  }
}

export function toPatches(layout: Layout, images: Reference): Reference {
  const patches = zeros(patchesShape(layout));
  eachElement(layout, (image, patch) => {
    patches.data[patch] = images.data[image] as number;
  });
  return patches;
}

export function toImages(layout: Layout, patches: Reference): Reference {
  const images = zeros(layout.images);
  eachElement(layout, (image, patch) => {
    images.data[image] = patches.data[patch] as number;
  });
  return images;
}
