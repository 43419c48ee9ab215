import { beta, integer, RandomStream } from '../../data/philox';
import * as purposes from '../../data/purposes';
import { exactExp, exactLog } from '../../tensor/exactMath';

/*
 * What the host draws for a step of fine-tuning, each by seed and step: how images are mixed, what of them is erased, and
 * which samples leave out which branch of a block. The laws are those of the published recipe (timm's).
 */

/** How a batch is mixed with itself in reverse order. */
export interface Mix {
  /** Weight of each image's own label; the partner's has the rest. */
  readonly lambda: number;
  /** What `mixImages` takes: weight of each image's own pixels, and the box that is its partner's: y, end, x, end. */
  readonly pixels: readonly [lambda: number, y: number, endY: number, x: number, endX: number];
}

const UNMIXED: Mix = { lambda: 1, pixels: [1, 0, 0, 0, 0] };

/**
 * Mixup (Zhang et al. 2017) or cutmix (Yun et al. 2019), for the whole batch: one of them, each half the time, where both
 * are on. λ ~ Beta(α, α). Cutmix takes a box of √(1 − λ) of each side around a centre anywhere, cut off at the edges, and
 * λ becomes what is left.
 *
 * @param laws α of each; 0 leaves it out
 * @param side of the square images, in pixels
 */
export function drawMix(
  seed: number,
  step: number,
  laws: { readonly mixup: number; readonly cutmix: number },
  side: number,
): Mix {
  const { mixup, cutmix } = laws;
  if (mixup === 0 && cutmix === 0) return UNMIXED;
  const stream = RandomStream.at(seed, purposes.mixing, step);
  const cuts = stream.uniform() < 0.5 ? cutmix > 0 : mixup === 0;
  const alpha = cuts ? cutmix : mixup;
  const lambda = Math.fround(beta(stream, alpha, alpha));
  if (!cuts) return { lambda, pixels: [lambda, 0, 0, 0, 0] };
  const cut = Math.floor(side * Math.sqrt(1 - lambda));
  const span = (): [number, number] => {
    const centre = integer(stream, side);
    const half = Math.floor(cut / 2);
    return [Math.max(0, centre - half), Math.min(side, centre + half)];
  };
  const [y, endY] = span();
  const [x, endX] = span();
  return { lambda: 1 - ((endY - y) * (endX - x)) / (side * side), pixels: [1, y, endY, x, endX] };
}

const LEAST_AREA = 0.02;
const MOST_AREA = 1 / 3;
const MOST_RATIO = 1 / 0.3;
const TRIES = 10;

/**
 * The box of each image that is filled with noise (Zhong et al. 2017): batch × (y, end, x, end), empty where none is. Area
 * uniform from 1/50 to 1/3 of the image, height : width log-uniform from 0.3 to 1/0.3, ten tries.
 */
export function drawErased(seed: number, step: number, batch: number, probability: number, side: number): Float32Array {
  const stream = RandomStream.at(seed, purposes.erasing, step);
  const boxes = new Float32Array(4 * batch);
  for (let sample = 0; sample < batch; sample++) {
    if (stream.uniform() < probability) boxes.set(tryBox(stream, side) ?? [], 4 * sample);
  }
  return boxes;
}

function tryBox(stream: RandomStream, side: number): number[] | undefined {
  for (let attempt = 0; attempt < TRIES; attempt++) {
    const area = side * side * (LEAST_AREA + (MOST_AREA - LEAST_AREA) * stream.uniform());
    const ratio = exactExp((2 * stream.uniform() - 1) * exactLog(MOST_RATIO));
    const height = Math.round(Math.sqrt(area * ratio));
    const width = Math.round(Math.sqrt(area / ratio));
    if (height < 1 || width < 1 || height >= side || width >= side) continue;
    const y = integer(stream, side - height + 1);
    const x = integer(stream, side - width + 1);
    return [y, y + height, x, x + width];
  }
  return undefined;
}

/** Probability that a block leaves out a branch: it rises linearly from 0 at the first block to `rate` at the last. */
export function dropRate(rate: number, block: number, depth: number): number {
  return depth === 1 ? 0 : (rate * block) / (depth - 1);
}

/**
 * Stochastic depth (Huang et al. 2016), sample by sample: [2 · depth, batch], the scales of each block's attention, then of
 * its MLP: 0 where it is left out, else 1 / (probability of being kept).
 */
export function drawPaths(seed: number, step: number, depth: number, batch: number, rate: number): Float32Array {
  const stream = RandomStream.at(seed, purposes.dropPath, step);
  return Float32Array.from({ length: 2 * depth * batch }, (_, i) => {
    const dropped = dropRate(rate, Math.floor(i / (2 * batch)), depth);
    return stream.uniform() < dropped ? 0 : 1 / (1 - dropped);
  });
}
