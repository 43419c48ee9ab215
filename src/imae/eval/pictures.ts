import type { ImageSet } from '../../data/imageSet';
import type { GridImage, ImageGrid } from '../../report/imageGrid';
import { COLUMNS } from './panelColumns';
import type { Model } from '../model/mae';
import type { Normalisation } from '../model/normalisation';
import { complementaryOrders } from '../mask/complementaryMasks';
import { type Unmixed, type Unmixer } from './unmixing';
import { imageToPatches } from './patches';
import type { Pair } from './heldOutPairs';

type Size = Model['size'];

const WHITE = 255;
/** Levels of grey. A plain colour could be a part of the picture. */
export const HATCH = { stripe: 110, ground: 165, period: 4 } as const;

/** Weights of the subordinate for which pairs are shown. */
const ALPHAS = [0.1, 0.2, 0.35, 0.45];
const SHOWN_PAIRS = 4;

/** The pairs of a sheet: a few held-out pairs of two classes, of other classes each where there are, at several α. */
export function shownPairs({ labels }: Pick<ImageSet, 'labels'>, pairs: readonly Pair[]): Pair[] {
  const differ = pairs.filter(({ first, second }) => labels[first] !== labels[second]);
  const seen = new Set<number | undefined>();
  const varied = differ.filter(({ first, second }) => {
    const fresh = !seen.has(labels[first]) && !seen.has(labels[second]);
    if (fresh) seen.add(labels[first]).add(labels[second]);
    return fresh;
  });
  // A set of one class has none that differ.
  const shown = differ.length > 0 ? [...new Set([...varied, ...differ])] : pairs;
  return shown.slice(0, SHOWN_PAIRS).flatMap((pair) => ALPHAS.map((alpha) => ({ ...pair, alpha })));
}

/**
 * A sheet of pairs taken apart: the six panels of i-MAE's demo, and composites in which every patch was predicted while
 * it was hidden, by going round the order of patches until each had its turn.
 *
 * @param pairs as many as the unmixer takes at once, or fewer
 */
export async function unmixingSheet(
  unmixer: Unmixer,
  size: Size,
  pairs: readonly Pair[],
  title: string,
): Promise<ImageGrid> {
  const orders = await unmixer.orders(pairs);
  const shown = await unmixer.unmix(pairs, orders);
  const composites = await composite(unmixer, pairs, orders);
  const image = (patches: Float32Array): GridImage => patchesToImage(size, patches, unmixer.normalisation);
  const twoWay = shown[0]?.predictions.length === 2;
  return {
    title,
    caption:
      'Composite: every patch was predicted while it was hidden. Visible patches get no loss, so the raw reconstruction ' +
      'is noise there; pasting the clean patches in shows pixels that the model never saw.' +
      captionOfNormPix(unmixer),
    columns: [
      COLUMNS.mixture,
      COLUMNS.seen,
      COLUMNS.subordinate,
      ...(twoWay ? [COLUMNS.dominant] : []),
      COLUMNS.raw,
      COLUMNS.pasted,
      COLUMNS.subordinateTarget,
      COLUMNS.dominantTarget,
    ],
    rows: shown.map((unmixed, index) => {
      const { mixed, targets, predictions, removed } = unmixed;
      const [subordinate, dominant] = targets.map((target) => imageToPatches(size, target)) as [
        Float32Array,
        Float32Array,
      ];
      const blend = imageToPatches(size, mixed);
      const predicted = predictions[0] as Float32Array;
      return {
        label: `α = ${pairs[index]?.alpha ?? 0}`,
        images: [
          image(blend),
          hatch(image(blend), size, removed),
          ...(composites[index] ?? []).map(image),
          image(predicted),
          image(predicted.map((value, i) => (isRemoved(unmixed, i) ? value : (subordinate[i] as number)))),
          image(subordinate),
          image(dominant),
        ],
      };
    }),
    scale: 3,
  };
}

/** A sheet of the pairs' first images as a vanilla MAE completes them. */
export async function completionSheet(
  unmixer: Unmixer,
  size: Size,
  pairs: readonly Pair[],
  title: string,
): Promise<ImageGrid> {
  // An image mixed with itself: it is also the target, by whose statistics normalised predictions are put back.
  const whole = pairs.map(({ first }) => ({ first, second: first, alpha: 0.5 }));
  const orders = await unmixer.orders(whole);
  const shown = await unmixer.unmix(whole, orders);
  const composites = await composite(unmixer, whole, orders);
  const image = (patches: Float32Array): GridImage => patchesToImage(size, patches, unmixer.normalisation);
  return {
    title,
    caption: 'Composite: every patch was predicted while it was hidden.' + captionOfNormPix(unmixer),
    columns: [COLUMNS.image, COLUMNS.seen, COLUMNS.composite],
    rows: shown.map(({ mixed, removed }, index) => {
      const clean = image(imageToPatches(size, mixed));
      return {
        label: `image ${index + 1}`,
        images: [clean, hatch(clean, size, removed), ...(composites[index] ?? []).map(image)],
      };
    }),
    scale: 3,
  };
}

/** What such pictures show of the truth. */
function captionOfNormPix({ normPix }: Unmixer): string {
  return normPix
    ? " Each patch is put back by its target's own mean and deviation, which the model does not predict."
    : '';
}

/** Of each pair and branch, the patches as predicted in a round in which they were hidden. */
async function composite(
  unmixer: Unmixer,
  pairs: readonly Pair[],
  orders: readonly Uint32Array[],
): Promise<Float32Array[][]> {
  const turned = orders.map((order) => complementaryOrders(order, unmixer.keep));
  const results: Float32Array[][] = [];
  for (const turn of turned[0]?.keys() ?? []) {
    const round = turned.map((turns) => turns[turn] as Uint32Array);
    for (const [index, unmixed] of (await unmixer.unmix(pairs, round)).entries()) {
      const into = (results[index] ??= unmixed.predictions.map((prediction) => new Float32Array(prediction.length)));
      for (const [branch, prediction] of unmixed.predictions.entries()) {
        prediction.forEach((value, i) => {
          if (isRemoved(unmixed, i)) (into[branch] as Float32Array)[i] = value;
        });
      }
    }
  }
  return results;
}

function isRemoved({ removed, predictions }: Unmixed, element: number): boolean {
  const width = (predictions[0]?.length ?? 0) / removed.length;
  return removed[Math.floor(element / width)] === true;
}

/** [L, P·P·C] normalised → RGBA. One channel becomes grey. */
export function patchesToImage(size: Size, patches: Float32Array, { mean, std }: Normalisation): GridImage {
  const { image, patch, channels } = size;
  const grid = image / patch;
  const data = new Uint8ClampedArray(image * image * 4).fill(WHITE);
  for (let y = 0; y < image; y++) {
    for (let x = 0; x < image; x++) {
      const place = Math.floor(y / patch) * grid + Math.floor(x / patch);
      const at = (place * patch * patch + (y % patch) * patch + (x % patch)) * channels;
      for (let colour = 0; colour < 3; colour++) {
        const channel = colour % channels;
        const value = (patches[at + channel] as number) * (std[channel] ?? 1) + (mean[channel] ?? 0);
        data[(y * image + x) * 4 + colour] = value * WHITE;
      }
    }
  }
  return { width: image, height: image, data };
}

export function hatch(picture: GridImage, { image, patch }: Size, removed: readonly boolean[]): GridImage {
  const data = picture.data.map((value, i) => {
    const pixel = i >> 2;
    const [x, y] = [pixel % image, Math.floor(pixel / image)];
    const place = Math.floor(y / patch) * (image / patch) + Math.floor(x / patch);
    if (!removed[place] || i % 4 === 3) return value;
    return (x + y) % HATCH.period === 0 ? HATCH.stripe : HATCH.ground;
  });
  return { ...picture, data };
}
