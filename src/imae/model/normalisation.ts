import type { SetFacts } from '../../data/imageSet';
import type { Config } from '../config/config';

/** Mean and deviation of each channel by which pixels are normalised, on the scale 0 … 1. */
export interface Normalisation {
  readonly mean: readonly number[];
  readonly std: readonly number[];
}

/** The statistics that published ImageNet models were trained with. */
export const IMAGENET: Normalisation = { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] };

/** What a configuration normalises a set's pixels by. ImageNet's statistics are of three channels; other sets use their own. */
export function normalisation({ data }: Config, set: SetFacts): Normalisation {
  return data.statistics === 'imagenet' && set.channels === 3 ? IMAGENET : { mean: set.mean, std: set.std };
}
