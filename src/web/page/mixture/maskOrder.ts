import {
  drawBlockMasks,
  drawGridMasks,
  patchVariance,
  weightedScores,
  type MaskCounter,
} from '../../../../kernels-test/mask.reference';
import { permutation, RandomStream } from '../../../data/philox';
import * as purposes from '../../../data/purposes';
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

/** How the patches of one kind are ordered. */
type Drawing = (length: number, counter: MaskCounter, masked: Masked) => Uint32Array;

const DRAWINGS: { readonly [kind in FreeMask]: Drawing } = {
  random: (length, [, , , turn]) => permutation(RandomStream.at(0, purposes.mask, turn), length),
  block: (length, counter, { keep }) => drawBlockMasks(1, length, keep, counter).idsShuffle,
  grid: (length, counter) => drawGridMasks(1, length, counter).idsShuffle,
  variance: (_, counter, { size: { image, channels, patch }, mixture, normalisation }) => {
    const plane = image * image;
    const { mean, std } = normalisation;
    const seen = Float32Array.from(
      mixture,
      (value, i) => (value / 255 - (mean[Math.floor(i / plane)] ?? 0)) / (std[Math.floor(i / plane)] ?? 1),
    );
    const scores = weightedScores(patchVariance(seen, [1, channels, image, image], patch), counter, 0);
    return Uint32Array.from(scores.keys()).sort((a, b) => (scores[a] ?? 0) - (scores[b] ?? 0));
  },
};

/** The patches in some order, of which the first `keep` are visible: by the reference that the kernels are tested against. @param turn another one, another mask */
export function maskOrder(kind: FreeMask, turn: number, masked: Masked): Uint32Array {
  const { image, patch } = masked.size;
  return DRAWINGS[kind]((image / patch) ** 2, [0, 0, purposes.mask, turn, 0], masked);
}
