import { philox4x32 } from '../src/data/philox';

/** Seed's low and high 32 bits, purpose, step, first sample: what the `counter` of drawMasks holds. */
export type MaskCounter = readonly [seedLow: number, seedHigh: number, purpose: number, step: number, first: number];

/** Word i mod 4 of block i div 4 of the stream of a sample, counted from the first. */
export function noise(counter: MaskCounter, sample: number, length: number): Uint32Array {
  const [seedLow, seedHigh, purpose, step, first] = counter;
  const words = new Uint32Array(Math.ceil(length / 4) * 4);
  for (let block = 0; block * 4 < length; block++) {
    words.set(philox4x32([block, first + sample, purpose, step], [seedLow, seedHigh]), block * 4);
  }
  return words.subarray(0, length);
}

export interface Orders {
  readonly idsShuffle: Uint32Array;
  readonly idsRestore: Uint32Array;
}

/** The orders of `batch` samples, one row of `length` after the other. A stable sort keeps ties by index. */
export function drawMasks(batch: number, length: number, counter: MaskCounter): Orders {
  const idsShuffle = new Uint32Array(batch * length);
  for (let sample = 0; sample < batch; sample++) {
    const words = noise(counter, sample, length);
    const order = Array.from(words.keys()).sort((a, b) => (words[a] as number) - (words[b] as number));
    idsShuffle.set(order, sample * length);
  }
  return { idsShuffle, idsRestore: invertPermutation(idsShuffle, length) };
}

export function invertPermutation(idsShuffle: Uint32Array, length: number): Uint32Array {
  const idsRestore = new Uint32Array(idsShuffle.length);
  idsShuffle.forEach((patch, at) => {
    const k = at % length;
    idsRestore[at - k + patch] = k;
  });
  return idsRestore;
}

/** Orders to test with. */
export function randomOrders(rows: number, length: number, seed = 7): Orders {
  return drawMasks(rows, length, [seed, 0, 0, 0, 0]);
}
