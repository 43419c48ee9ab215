import type { PartialSettings } from './options';

/** A named set of settings over the defaults of the options. */
export interface Preset {
  /** One line for the help. */
  readonly about: string;
  readonly settings: PartialSettings;
}

/** Sizes and recipes of MAE and i-MAE as published; `demo` is made to take mixtures apart within minutes on a CPU. */
export const PRESETS = {
  demo: {
    about: '32 px, ViT 64-3-4, decoder 64-1-4, patch 8: the built-in shapes, minutes on a CPU',
    settings: {
      data: { set: 'shapes', statistics: 'own', crop: null, flip: false },
      model: { patch: 8, dim: 64, depth: 3, heads: 4, decoderDim: 64, decoderDepth: 1, decoderHeads: 4 },
      teacher: { learningRate: null, warmup: { steps: 20 }, budget: { steps: 300 } },
      masking: { maskRatio: 0.25, alpha: { law: 'uniform', low: 0.1, high: 0.45 }, alphaPer: 'sample' },
      optimizer: { learningRate: { lr: 8e-3 } },
      schedule: { warmup: { steps: 40 } },
      training: { budget: { steps: 1000 }, batch: 32 },
      logging: { scoreEvery: 250, checkpointEvery: 250, panelsEvery: 500 },
    },
  },
  cifar: {
    about: '32 px, ViT-Tiny 192-12-3, decoder 192-4-3, patch 2 (--patch 4 is four times cheaper)',
    settings: { model: { patch: 2 } },
  },
  'tiny-imagenet': {
    about: '64 px, ViT-Small 384-12-6, decoder 192-6-6, patch 8',
    settings: {
      model: { image: 64, patch: 8, dim: 384, heads: 6, decoderDim: 192, decoderDepth: 6, decoderHeads: 6 },
    },
  },
  'vit-b': {
    about: '224 px, ViT-Base 768-12-12, decoder 512-8-16, patch 16: ImageNet',
    settings: {
      model: { image: 224, patch: 16, dim: 768, heads: 12, decoderDim: 512, decoderDepth: 8, decoderHeads: 16 },
      training: { batch: 1024, accumulate: 16 },
    },
  },
} as const satisfies Record<string, Preset>;

export type PresetName = keyof typeof PRESETS;
export const PRESET_NAMES = Object.keys(PRESETS) as PresetName[];
