import {
  drawBlockMasks,
  drawGridMasks,
  patchVariance,
  weightedScores,
  type MaskCounter,
} from '../../../../kernels-test/mask.reference';
import { purposes, RandomStream } from '../../../data/philox';
import type { ModelSize } from '../../../imae/config/config';
import type { FreeMask } from '../../../imae/mask/maskOrders';
import type { Normalisation } from '../../../imae/model/normalisation';

/** What a mask is drawn for. */
export interface Masked {
  readonly size: Pick<ModelSize, 'image' | 'channels' | 'patch'>;
  /** [C, H, W] bytes of what the model is shown, which `variance` looks at. */
  readonly mixture: ArrayLike<number>;
  readonly normalisation: Normalisation;
  /** How many patches are visible. */
  readonly keep: number;
}

/** The patches in some order, of which the first `keep` are visible: by the reference that the kernels are tested against. @param turn another one, another mask */
export function maskOrder(kind: FreeMask, turn: number, { size, mixture, normalisation, keep }: Masked): Uint32Array {
  const { image, channels, patch } = size;
  const length = (image / patch) ** 2;
  const counter: MaskCounter = [0, 0, purposes.mask, turn, 0];
  if (kind === 'block') return drawBlockMasks(1, length, keep, counter).idsShuffle;
  if (kind === 'grid') return drawGridMasks(1, length, counter).idsShuffle;
  if (kind === 'random') return RandomStream.at(0, purposes.mask, turn).permutation(length);
  const plane = image * image;
  const { mean, std } = normalisation;
  const seen = Float32Array.from(
    mixture,
    (value, i) => (value / 255 - (mean[Math.floor(i / plane)] ?? 0)) / (std[Math.floor(i / plane)] ?? 1),
  );
  const scores = weightedScores(patchVariance(seen, [1, channels, image, image], patch), counter, 0);
  return Uint32Array.from(scores.keys()).sort((a, b) => (scores[a] ?? 0) - (scores[b] ?? 0));
}
