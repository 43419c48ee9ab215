import type { GridImage, ImageGrid } from '../../report/imageGrid';
import { patchCount, visiblePatches, type ModelSize } from '../config/config';
import type { FreeMask } from '../mask/maskOrders';
import type { ModelFacts } from '../checkpoint/modelFile';
import { COLUMNS } from './panelColumns';
import { hatch, patchesToImage } from './pictures';
import { imageToPatches } from './patches';
import { normalise, type Blend, type Errors, type Reconstruction, type Viewer } from '../inspect/viewer';

/** Pictures with what to call them. */
export interface NamedPicture {
  readonly name: string;
  /** [C, H, W] bytes, of the model's size. */
  readonly pixels: Uint8Array;
}

export interface ReconstructionSettings {
  /** Weight of the first picture. */
  readonly alpha: number;
  readonly mask: FreeMask;
  readonly maskRatio: number;
  readonly seed: number;
}

export interface Reconstructed {
  readonly sheet: ImageGrid;
  /** Of each branch, the subordinate's first, by the name of what it should be. */
  readonly errors: readonly { readonly of: string; readonly errors: Errors }[];
}

/** A panel is enlarged to about so many pixels. */
const PANEL = 192;
/** i-MAE's demo hides half, MAE three quarters. */
const DEMO_RATIO = 0.5;
const MAE_RATIO = 0.75;

/** The share of patches to hide: as in training, where the model's file says so, else as is usual for its kind. */
export function usualMaskRatio({ maskRatio }: ModelFacts, pictures: number): number {
  return maskRatio ?? (pictures === 2 ? DEMO_RATIO : MAE_RATIO);
}

/**
 * The panels of i-MAE's demo for a mixture of two pictures, composites first; of one picture alone, its completion by a
 * vanilla MAE.
 *
 * @param pictures two, or one for a vanilla MAE
 */
export async function reconstructPictures(
  viewer: Viewer,
  pictures: readonly [NamedPicture, NamedPicture?],
  settings: ReconstructionSettings,
): Promise<Reconstructed> {
  const { size } = viewer.model;
  const { mask, maskRatio, seed } = settings;
  const [first, second = first] = pictures;
  const isPair = pictures.length === 2;
  const alpha = isPair ? settings.alpha : 0.5;
  const order = await viewer.drawOrder(mask, maskRatio, mixtureOf(viewer, [first.pixels, second.pixels], alpha), seed);
  const keep = visiblePatches(size, maskRatio);
  const blend: Blend = { images: [first.pixels, second.pixels], alpha, order, keep };
  const results = await viewer.takeApart(blend);
  const nameOf = ({ of }: Reconstruction): string =>
    of === 'mixture' ? (isPair ? 'the mixture' : first.name) : of === 0 ? first.name : second.name;
  const hidden = `${patchCount(size) - keep} of ${patchCount(size)} patches hidden, ${mask} mask, seed ${seed}`;
  return {
    sheet: {
      title: isPair ? `${alpha} × ${first.name} + ${round(1 - alpha)} × ${second.name}` : first.name,
      caption: `${captionOf(viewer, isPair)} ${hidden}. ${results.map((result) => errorWords(nameOf(result), result.errors)).join(' ')}`,
      ...panelsOf(viewer, blend, results, isPair),
      scale: Math.max(1, Math.round(PANEL / size.image)),
    },
    errors: results.map((result) => ({ of: nameOf(result), errors: result.errors })),
  };
}

/** [C, H, W], normalised: what the model is shown. */
function mixtureOf({ facts }: Viewer, [first, second]: readonly [Uint8Array, Uint8Array], alpha: number): Float32Array {
  const other = normalise(second, facts.normalisation);
  return normalise(first, facts.normalisation).map((value, i) => alpha * value + (1 - alpha) * (other[i] as number));
}

function panelsOf(
  viewer: Viewer,
  blend: Blend,
  results: readonly Reconstruction[],
  isPair: boolean,
): Pick<ImageGrid, 'columns' | 'rows'> {
  const { size } = viewer.model;
  const { normalisation } = viewer.facts;
  const image = (patches: Float32Array): GridImage => patchesToImage(size, patches, normalisation);
  const picture = (pixels: Float32Array): GridImage => image(imageToPatches(size, pixels));
  const clean = blend.images.map((pixels) => normalise(pixels, normalisation)) as [Float32Array, Float32Array];
  const mixed = mixtureOf(viewer, blend.images, blend.alpha);
  const removed = removedOf(size, blend);
  const [subordinate, dominant] = results;
  if (!subordinate) throw new RangeError('There is nothing to show.');
  const seen: Panel = [COLUMNS.seen, hatch(picture(mixed), size, removed)];
  const raw = image(subordinate.raw);
  const pasted = image(pastedIn(size, subordinate, removed));
  const panels: readonly Panel[] =
    subordinate.of === 'mixture'
      ? [
          [COLUMNS.composite, image(subordinate.composite)],
          [isPair ? COLUMNS.mixture : COLUMNS.image, picture(mixed)],
          seen,
          ['raw reconstruction', raw],
          [COLUMNS.pasted, pasted],
        ]
      : [
          [COLUMNS.subordinate, image(subordinate.composite)],
          ...(dominant ? [[COLUMNS.dominant, image(dominant.composite)] as const] : []),
          [COLUMNS.mixture, picture(mixed)],
          seen,
          [COLUMNS.raw, raw],
          [COLUMNS.pasted, pasted],
          [COLUMNS.subordinateTarget, picture(subordinate.target)],
          [COLUMNS.dominantTarget, picture(subordinate.of === 0 ? clean[1] : clean[0])],
        ];
  return { columns: panels.map(([name]) => name), rows: [{ label: '', images: panels.map(([, panel]) => panel) }] };
}

type Panel = readonly [column: string, image: GridImage];

/** [L]: whether the first look did not show a patch. */
function removedOf(size: ModelSize, { order, keep }: Blend): boolean[] {
  const removed = Array.from({ length: patchCount(size) }, () => true);
  for (const place of order.subarray(0, keep)) removed[place] = false;
  return removed;
}

function pastedIn(size: ModelSize, { raw, target }: Reconstruction, removed: readonly boolean[]): Float32Array {
  const clean = imageToPatches(size, target);
  const width = raw.length / removed.length;
  return raw.map((value, i) => (removed[Math.floor(i / width)] ? value : (clean[i] as number)));
}

function captionOf({ facts, task }: Viewer, isPair: boolean): string {
  const { dim, depth, heads, decoderDim, decoderDepth, decoderHeads, image, patch } = facts.size;
  const kind = { both: 'i-MAE with two branches', subordinate: 'i-MAE with one branch', mixture: 'Vanilla MAE' }[task];
  const model = `${kind}, ${dim}-${depth}-${heads}, decoder ${decoderDim}-${decoderDepth}-${decoderHeads}, ${image} × ${image} pixels, patch ${patch}.`;
  const composite =
    'Composite: every patch was predicted while it was hidden. Visible patches get no loss, so that the raw reconstruction is noise there.';
  const norm = facts.normPix
    ? " Each patch is put back by its target's own mean and deviation, which the model does not predict."
    : '';
  const subordinate = isPair && task !== 'mixture' ? ' Subordinate: the picture with the smaller weight.' : '';
  return `${model}${subordinate} ${composite}${norm}`;
}

/** Errors in words. */
export function errorWords(name: string, { own, other, mixture }: Errors): string {
  const beside =
    other === undefined || mixture === undefined
      ? ''
      : ` (to the other picture ${other.toFixed(3)}; the mixture has ${mixture.toFixed(3)})`;
  return `Mean squared error of the composite to ${name}, in normalised pixels: ${own.toFixed(3)}${beside}.`;
}

function round(value: number): number {
  return Number(value.toFixed(6));
}
