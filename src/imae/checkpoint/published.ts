/*
 * What is known of published models, and nothing in their files tells: the heads' weights lie side by side.
 */

/** Heads of published encoders by their width. */
const ENCODER_HEADS: ReadonlyMap<number, number> = new Map([
  [192, 3],
  [384, 6],
  [768, 12],
  [1024, 16],
  [1280, 16],
]);
const DECODER_HEADS: ReadonlyMap<number, number> = new Map([[512, 16]]);

/** Heads of a published model's encoder or decoder of some width; undefined where none is known. */
export function publishedHeads(part: 'heads' | 'decoderHeads', width: number): number | undefined {
  return (part === 'heads' ? ENCODER_HEADS : DECODER_HEADS).get(width);
}
