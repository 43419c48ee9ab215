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
    about: '32 px, ViT 48-2-4, decoder 48-2-4, patch 8: the built-in shapes, minutes on a CPU',
    settings: {
      data: { set: 'shapes', statistics: 'own', crop: null, flip: false },
      model: { patch: 8, dim: 48, depth: 2, heads: 4, decoderDim: 48, decoderDepth: 2, decoderHeads: 4 },
      teacher: { learningRate: null, warmup: { steps: 10 }, budget: { steps: 80 } },
      masking: { maskRatio: 0.25, alpha: { law: 'uniform', low: 0.1, high: 0.45 }, alphaPer: 'sample' },
      optimizer: { learningRate: { lr: 4e-3 }, muon: 10 },
      schedule: { warmup: { steps: 10 }, decay: 0.7 },
      training: { budget: { steps: 800 }, batch: 24 },
      logging: { scoreEvery: 200, checkpointEvery: 200, panelsEvery: 400 },
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

/** The names of presets, as `--preset` takes them. */
export type PresetName = keyof typeof PRESETS;
export const PRESET_NAMES = Object.keys(PRESETS) as PresetName[];
