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

const RECTANGLES = 64;

function words(counter: MaskCounter, sample: number, block: number): [number, number, number, number] {
  const [seedLow, seedHigh, purpose, step, first] = counter;
  return philox4x32([block, first + sample, purpose, step], [seedLow, seedHigh]);
}

/** Orders by keys, ties by index. */
function orderedBy(keys: ArrayLike<number>): number[] {
  return Array.from({ length: keys.length }, (_, i) => i).sort((a, b) => (keys[a] as number) - (keys[b] as number));
}

function ordersOf(batch: number, length: number, keysOf: (sample: number) => ArrayLike<number>): Orders {
  const idsShuffle = new Uint32Array(batch * length);
  for (let sample = 0; sample < batch; sample++) idsShuffle.set(orderedBy(keysOf(sample)), sample * length);
  return { idsShuffle, idsRestore: invertPermutation(idsShuffle, length) };
}

/** Rectangles, one after the other, until `length − keep` patches are hidden; the last is cut to lines from a corner. */
export function drawBlockMasks(batch: number, length: number, keep: number, counter: MaskCounter): Orders {
  const side = Math.sqrt(length);
  const blocks = Math.ceil(length / 4);
  return ordersOf(batch, length, (sample) => {
    const keys = Array.from(noise(counter, sample, length), (word) => word >>> 1);
    const [bits] = words(counter, sample, blocks + RECTANGLES);
    const covered = new Set<number>();
    for (let j = 0; j < RECTANGLES && covered.size < length - keep; j++) {
      const [w0, w1, w2, w3] = words(counter, sample, blocks + j);
      const missing = length - keep - covered.size;
      const least = Math.min(missing, Math.max(1, Math.floor(length / 12)));
      const area = least + (w0 % (missing - least + 1));
      const heights = Array.from({ length: side }, (_, index) => index + 1).filter((h) => h * side >= area);
      const shortest = heights.find((h) => 10 * h * h >= 3 * area) as number;
      const tallest = Math.max(shortest, heights.findLast((h) => 3 * h * h <= 10 * area) ?? 0);
      const height = shortest + (w1 % (tallest - shortest + 1));
      const width = Math.min(side, Math.max(1, Math.floor((area + Math.floor(height / 2)) / height)));
      const [top, left] = [w2 % (side - height + 1), w3 % (side - width + 1)];
      for (let y = top; y < top + height; y++) {
        for (let x = left; x < left + width; x++) {
          if (covered.has(y * side + x)) continue;
          covered.add(y * side + x);
          const across = bits & 1 ? side - 1 - x : x;
          const down = bits & 2 ? side - 1 - y : y;
          const line = bits & 4 ? across * side + down : down * side + across;
          keys[y * side + x] = 2 ** 31 + (RECTANGLES - 1 - j) * 4096 + line;
        }
      }
    }
    return keys;
  });
}

/** The Bayer matrix of side 2ⁿ by its recursion: each quarter of a matrix of half the side, times 4, plus 0, 2, 3 or 1. */
function bayer(n: number): number[][] {
  if (n === 0) return [[0]];
  const half = bayer(n - 1);
  const side = 2 ** n;
  // The patch that is taken next is the one furthest away: of a 2 × 2, the other end of the diagonal.
  const first = [
    [0, 2],
    [3, 1],
  ] as const;
  const quarter = (side * side) / 4;
  return Array.from({ length: side }, (_, y) =>
    Array.from({ length: side }, (__, x) => (first[y % 2]?.[x % 2] ?? 0) * quarter + (half[y >> 1]?.[x >> 1] ?? 0)),
  );
}

export function drawGridMasks(batch: number, length: number, counter: MaskCounter): Orders {
  const side = Math.sqrt(length);
  const matrix = bayer(6);
  return ordersOf(batch, length, (sample) => {
    const [shiftX, shiftY] = words(counter, sample, Math.ceil(length / 4));
    return Array.from({ length }, (_, i) => {
      const x = ((i % side) + (shiftX % side)) % side;
      const y = (Math.floor(i / side) + (shiftY % side)) % side;
      return matrix[y]?.[x] as number;
    });
  });
}

/** Gumbel noise plus the logarithm of a weight, of each patch of a sample; the highest are hidden. */
export function weightedScores(logWeights: ArrayLike<number>, counter: MaskCounter, sample: number): Float64Array {
  const u = Float64Array.from(noise(counter, sample, logWeights.length), (word) => ((word >>> 9) + 0.5) * 2 ** -23);
  return u.map((value, i) => (logWeights[i] as number) - Math.log(Math.max(-Math.log(value), 1e-7)));
}

/** log(variance + 0.01) of each patch: the mean over channels of the variance around the channel's mean in it. */
export function patchVariance(
  images: ArrayLike<number>,
  [B, C, H, W]: readonly [number, number, number, number],
  patch: number,
): Float64Array {
  const across = W / patch;
  const length = across * (H / patch);
  return Float64Array.from({ length: B * length }, (_, at) => {
    const [sample, place] = [Math.floor(at / length), at % length];
    const [top, left] = [Math.floor(place / across) * patch, (place % across) * patch];
    let total = 0;
    for (let c = 0; c < C; c++) {
      const values = Array.from({ length: patch * patch }, (__, e) => {
        const [y, x] = [top + Math.floor(e / patch), left + (e % patch)];
        return images[((sample * C + c) * H + y) * W + x] as number;
      });
      const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
      total += values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length / C;
    }
    return Math.log(total + 0.01);
  });
}

/** 2·log of the attention that the first token pays to each other one, the mean over heads. */
export function classAttention(
  qkv: ArrayLike<number>,
  [B, N, width]: readonly [number, number, number],
  heads: number,
): Float64Array {
  const d = width / (3 * heads);
  const out = new Float64Array(B * (N - 1));
  for (let sample = 0; sample < B; sample++) {
    for (let head = 0; head < heads; head++) {
      const exps = Array.from({ length: N }, (_, key) => {
        let dot = 0;
        for (let c = 0; c < d; c++) {
          const q = qkv[sample * N * width + head * d + c] as number;
          dot += q * (qkv[(sample * N + key) * width + (heads + head) * d + c] as number);
        }
        return Math.exp(dot / Math.sqrt(d));
      });
      const sum = exps.reduce((total, value) => total + value, 0);
      for (let key = 1; key < N; key++) {
        const at = sample * (N - 1) + key - 1;
        out[at] = (out[at] as number) + (exps[key] as number) / sum / heads;
      }
    }
  }
  return out.map((mean) => 2 * Math.log(mean + 1e-9));
}
