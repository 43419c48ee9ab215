import { attentionRow } from '../inspect/attentionRow';
import { distanceBetween } from './gridDistance';

/*
 * Measurement 3, attention distance: how far away a hidden place looks, the mean distance of the places that it attends to,
 * weighted by attention. The class token has no place: its share is left out, and the rest divided by what is left.
 */

/** @param qkv [1 + L, 3·heads·d]; @param places those that look; @returns of each head, in patches */
export function attentionDistance(qkv: Float32Array, length: number, heads: number, places: Uint32Array): number[] {
  return Array.from({ length: heads }, (_, head) => {
    let sum = 0;
    for (const place of places) {
      const row = attentionRow(qkv, 1 + length, heads, head, 1 + place);
      let distance = 0;
      for (let key = 0; key < length; key++) distance += (row[1 + key] as number) * distanceBetween(length, place, key);
      sum += distance / (1 - (row[0] as number));
    }
    return sum / places.length;
  });
}

/** What it would be if each place attended to all alike. */
export function uniformDistance(length: number, places: Uint32Array): number {
  let sum = 0;
  for (const place of places) for (let key = 0; key < length; key++) sum += distanceBetween(length, place, key);
  return sum / places.length / length;
}
