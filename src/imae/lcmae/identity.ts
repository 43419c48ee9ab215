import { isRemovedIn } from './hiddenPatches';

/*
 * Measurement 1, the local contrastive identity. For predictions u_A and u_B of one image under two masks, in a patch that
 * both hide, ‖u_A − y‖² + ‖u_B − y‖² = ½‖u_A − u_B‖² + 2‖ū − y‖²: how much of the error is that the two disagree.
 */

/** Two predictions of an image, [L, n], the orders of patches that they were made under, and what they should be. */
export interface TwoPredictions {
  readonly a: Float32Array;
  readonly b: Float32Array;
  readonly orderA: Uint32Array;
  readonly orderB: Uint32Array;
  readonly target: Float32Array;
}

export interface Identity {
  /** Alignment term ÷ error of both: 0 where they agree, ½ where their errors are uncorrelated and alike. */
  readonly share: number;
  /** The same at each place; NaN where no two masks hid it. */
  readonly perPlace: readonly number[];
  /** Largest relative difference of the identity's two sides, of any patch: rounding, if it holds. */
  readonly worst: number;
  /** Patches that both masks hid. */
  readonly patches: number;
}

export function localContrastiveIdentity(predictions: readonly TwoPredictions[], keep: number): Identity {
  const length = predictions[0]?.orderA.length ?? 0;
  const align = new Float64Array(length);
  const total = new Float64Array(length);
  let [worst, patches] = [0, 0];
  for (const { a, b, orderA, orderB, target } of predictions) {
    const [inA, inB] = [isRemovedIn(orderA, keep), isRemovedIn(orderB, keep)];
    const width = target.length / length;
    for (let place = 0; place < length; place++) {
      if (!inA[place] || !inB[place]) continue;
      let [apart, off, errors] = [0, 0, 0];
      for (let i = place * width; i < (place + 1) * width; i++) {
        const [u, v, y] = [a[i] as number, b[i] as number, target[i] as number];
        apart += (u - v) ** 2 / 2;
        off += 2 * ((u + v) / 2 - y) ** 2;
        errors += (u - y) ** 2 + (v - y) ** 2;
      }
      align[place] = (align[place] as number) + apart;
      total[place] = (total[place] as number) + errors;
      if (errors > 0) worst = Math.max(worst, Math.abs(apart + off - errors) / errors);
      patches++;
    }
  }
  const sum = (values: Float64Array): number => values.reduce((a, b) => a + b, 0);
  return {
    share: sum(align) / sum(total),
    perPlace: Array.from(align, (value, place) => value / (total[place] as number)),
    worst,
    patches,
  };
}
