import type { TrainTest } from '../../data/imageSet';
import type { NamedFile } from '../checkpoint/namedFile';
import type { MaskKind } from '../mask/masks';
import type { Estimate } from './bootstrap';

/* What separability is asked, and what it finds: see `separability.ts`. */

/** The subordinate or the dominant image. */
export type Side = 'subordinate' | 'dominant';
export const SIDES: readonly Side[] = ['subordinate', 'dominant'];
/** Which tokens are compared. */
export type Tokens = 'patches' | 'class';

/** Whose latents a map is fitted from. */
export interface LatentSource {
  readonly id: string;
  readonly title: string;
  /** (a): the encoder's output; (c): a branch's latent; or the yardstick itself. */
  readonly form: 'encoder' | 'branch' | 'mean';
  /** What others are compared with. */
  readonly reference: boolean;
}

/** What a fitted map leaves on held-out mixtures. */
export interface SeparabilityRow {
  readonly source: LatentSource;
  readonly alpha: number;
  readonly target: Side;
  readonly tokens: Tokens;
  /** M_ls: squared Euclidean distance from the teacher's latent of the image alone, mean over tokens. */
  readonly distance: Estimate;
  /** 1 − distance ÷ that of the mean at each place; its complement is the relative error. */
  readonly r2: Estimate;
}

/** How a branch's latents lie beside the teacher's, nothing fitted. */
export interface BranchRow {
  readonly model: 'imae' | 'teacher' | 'random';
  readonly title: string;
  readonly branch: Side;
  readonly alpha: number;
  /** Squared distance from the teacher's latent of each image ÷ the squared distance between these two. */
  readonly to: Readonly<Record<Side, Estimate>>;
  /** Share of the mixtures whose nearest teacher latent, of all candidates, is that of either image of the pair. */
  readonly nearest: Readonly<Record<Side, Estimate>>;
}

/** The settings of `evaluateSeparability`. */
export interface SeparabilitySettings {
  /** Mixtures that maps are fitted on, of training images, and reported on, of held-out ones. */
  readonly fitImages: number;
  readonly images: number;
  /** Weights of the subordinate, up to ½. */
  readonly alphas: readonly number[];
  readonly mask: MaskKind;
  readonly maskRatio: number;
  readonly seed: number;
}

/** What `evaluateSeparability` found. */
export interface SeparabilityResult {
  readonly settings: SeparabilitySettings;
  readonly fitted: readonly SeparabilityRow[];
  readonly branches: readonly BranchRow[];
  /** Teacher latents among which the nearest is looked for. */
  readonly candidates: number;
  readonly data: string;
}

/** What `evaluateSeparability` measures: models, data and settings. */
export interface SeparabilityOptions {
  readonly imae: NamedFile;
  readonly teacher: NamedFile;
  /** Vanilla MAEs to compare with. */
  readonly baselines: readonly { readonly title: string; readonly model: NamedFile }[];
  readonly data: TrainTest;
  readonly settings: SeparabilitySettings;
  /** Is told after each batch how far it is. */
  readonly progress?: (done: number, total: number) => void;
}
