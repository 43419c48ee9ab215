import { cosine, average } from './gridDistance';

/*
 * Measurement 2, mask invariance: are the features of one image under several masks more alike than those of different
 * images? Features are the mean over the visible patches' tokens.
 */

export interface Invariance {
  /** Mean cosine of one image's features under two masks. */
  readonly same: number;
  /** Mean cosine of two images' features, each under a mask. */
  readonly different: number;
}

/** The mean of patch tokens, the class token left out. @param tokens [1 + K, D] */
export function meanOfPatches(tokens: Float32Array, dim: number): Float64Array {
  const sums = new Float64Array(dim);
  const count = tokens.length / dim - 1;
  for (let i = dim; i < tokens.length; i++) sums[i % dim] = (sums[i % dim] as number) + (tokens[i] as number) / count;
  return sums;
}

/** @param features of each image, under each of its masks */
export function maskInvariance(features: readonly (readonly ArrayLike<number>[])[]): Invariance {
  const same: number[] = [];
  const different: number[] = [];
  for (const [index, masks] of features.entries()) {
    const others = features[(index + 1) % features.length] as readonly ArrayLike<number>[];
    for (const [mask, one] of masks.entries()) {
      const next = (mask + 1) % masks.length;
      same.push(cosine(one, masks[next] as ArrayLike<number>));
      different.push(cosine(one, others[next] as ArrayLike<number>));
    }
  }
  return { same: average(same), different: average(different) };
}
