import { cosine, average } from './gridDistance';

/*
 * Measurement 5, position or content: if attention goes by place, one place has one map of attention whatever the image; if it
 * goes by content, the maps of one place in two images differ. All images are seen under one mask.
 */

export interface PositionContent {
  /** Mean cosine of the maps of one place in two images. */
  readonly samePlace: number;
  /** Mean cosine of the maps of two places in one image. */
  readonly sameImage: number;
}

/** @param maps of each image, of each place, of each head: what it attends to */
export function positionOrContent(maps: readonly (readonly (readonly ArrayLike<number>[])[])[]): PositionContent {
  const samePlace: number[] = [];
  const sameImage: number[] = [];
  for (const [image, places] of maps.entries()) {
    const other = maps[(image + 1) % maps.length] as typeof places;
    for (const [place, heads] of places.entries()) {
      const next = places[(place + 1) % places.length] as typeof heads;
      for (const [head, map] of heads.entries()) {
        samePlace.push(cosine(map, other[place]?.[head] as ArrayLike<number>));
        sameImage.push(cosine(map, next[head] as ArrayLike<number>));
      }
    }
  }
  return { samePlace: average(samePlace), sameImage: average(sameImage) };
}
