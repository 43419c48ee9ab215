import type { AttentionLayer, AttentionMap, InspectedPart } from '../../../imae/inspect/inspector';
import type { ViewerTask } from '../../../imae/inspect/viewer';
import { placeName } from './places';

/** What one head, or the mean of several, gives of its attention: to the places of the image and to the class token. */
export interface HeadMap {
  /** [L]; NaN where the layer has no token. */
  readonly toPlaces: Float64Array;
  readonly toClass: number;
}

/** So many maps are read at a glance; of more, the means over heads come first. */
const GLANCE = 20;

/** Whether all heads of all layers are shown at once. */
export function fitsAtAGlance(layers: readonly AttentionLayer[]): boolean {
  return layers.reduce((sum, { heads }) => sum + heads, 0) <= GLANCE;
}

export function headMaps({ toPlaces, toClass }: AttentionMap): HeadMap[] {
  return toPlaces.map((places, head) => ({ toPlaces: places, toClass: toClass[head] as number }));
}

export function meanOverHeads({ toPlaces, toClass }: AttentionMap): HeadMap {
  const heads = toPlaces.length;
  const sum = new Float64Array(toPlaces[0]?.length ?? 0);
  for (const places of toPlaces)
    for (const [place, weight] of places.entries()) sum[place] = (sum[place] as number) + weight;
  return {
    toPlaces: sum.map((weight) => weight / heads),
    toClass: toClass.reduce((total, share) => total + share, 0) / heads,
  };
}

/** What maps that are compared with each other are drawn by. */
export interface ColourScale {
  /** The largest weight of any place. */
  readonly top: number;
  /** What each token would get if all got the same. */
  readonly even: number;
}

export function colourScale(maps: readonly HeadMap[]): ColourScale {
  let top = 0;
  for (const { toPlaces } of maps) for (const weight of toPlaces) if (weight > top) top = weight;
  const places = maps[0]?.toPlaces.reduce((count, weight) => count + (Number.isNaN(weight) ? 0 : 1), 0) ?? 0;
  return { top, even: 1 / (1 + places) };
}

/**
 * How strongly a weight is coloured, 0 … 1: as its square root, so that beside a head that looks at one place the others
 * can still be told apart.
 */
export function strength(weight: number, top: number): number {
  return top > 0 ? Math.sqrt(weight / top) : 0;
}

/** A map in words: the places with most weight, and the class token's share. */
export function describeMap({ toPlaces, toClass }: HeadMap, grid: number): string {
  const most = [...toPlaces.entries()]
    .filter(([, weight]) => !Number.isNaN(weight))
    .sort(([, a], [, b]) => b - a)
    .slice(0, 3)
    .map(([place, weight]) => `${formatAttention(weight)} to ${placeName(place, grid)}`);
  return `${most.join('; ')}; ${formatAttention(toClass)} to the class token`;
}

/** `12 %`; one digit behind the point below 9.95 %. */
export function formatAttention(share: number): string {
  const value = 100 * share;
  return `${value >= 9.95 ? Math.round(value) : Number(value.toFixed(1))} %`;
}

/** What the parts of a model are called, those that it has. */
export function partTitles(task: ViewerTask): { readonly value: InspectedPart; readonly title: string }[] {
  const encoder = { value: 'encoder', title: 'Encoder' } as const;
  if (task !== 'both') return [encoder, { value: 'subordinate', title: 'Decoder' }];
  return [
    encoder,
    { value: 'subordinate', title: 'Decoder, subordinate' },
    { value: 'dominant', title: 'Decoder, dominant' },
  ];
}
