import {
  alphaLaw,
  choice,
  integer,
  nullable,
  number,
  oneOf,
  orWord,
  pair,
  text,
  toggle,
  type Kind,
  type ValueOf,
} from './optionKinds';

/** One setting of a run: the only place where its flag, help, default and range are stated. */
export interface Option<T> {
  readonly kind: Kind<T>;
  /** The value where neither preset, config file nor flag says otherwise. */
  readonly default: T;
  readonly help: string;
  /** The flag without its dashes, by default the key in kebab case; for a kind with forms, what stands before each. */
  readonly flag?: string;
  /** The heading in `--help`, where it is not the section's. */
  readonly heading?: Heading;
  /** Runs were begun before there was this option: they go on with its default, whatever their preset says now. */
  readonly added?: true;
}

export const HEADINGS = [
  'Data',
  'Model',
  'i-MAE',
  'LC-MAE',
  'Masking and mixing',
  'Optimisation',
  'Budget',
  'Run folder',
  'Device',
] as const;
export type Heading = (typeof HEADINGS)[number];

function option<T>(
  kind: Kind<T>,
  fallback: NoInfer<T>,
  help: string,
  extra: { flag?: string; heading?: Heading; added?: true } = {},
): Option<T> {
  return { kind, default: fallback, help, ...extra };
}

const count = integer({ min: 1 });
const width = integer({ min: 4, multipleOf: 4 });
const interval = integer({ min: 0 });
const unit = number({ min: 0, max: 1 });
const asStudent = <T>(kind: Kind<T>) => nullable(kind, 'same');

const duration = oneOf({
  steps: { kind: count, help: 'in optimizer steps' },
  epochs: { kind: number({ above: 0 }), help: 'in passes over the training set' },
});
const warmup = oneOf({
  steps: { kind: integer({ min: 0 }), help: 'in optimizer steps' },
  epochs: { kind: number({ min: 0 }), help: 'in passes over the training set' },
});
const learningRate = oneOf({
  lr: { kind: number({ min: 0 }), help: 'as it is' },
  blr: { kind: number({ min: 0 }), help: 'per 256 images: lr = blr × batch / 256' },
});

/**
 * Every setting of a run, by section and key of the configuration. Where a help text names no default, the value is
 * printed from here and from the presets.
 */
export const OPTIONS = {
  data: {
    set: option(
      nullable(text('PATH', 'a folder, an archive or the word shapes'), 'none'),
      null,
      'image set: CIFAR-10 or CIFAR-100, binary or python version, folder or archive as its publisher ships it; a tree of ' +
        'JPEG, PNG or WebP files with a folder a class, as ImageNet and Tiny-ImageNet are; parquet files as Hugging Face has ' +
        'them, or the shards of a WebDataset; or "shapes", the built-in ' +
        'drawings that need no files',
      { flag: 'data' },
    ),
    labelColumn: option(
      nullable(text('NAME', 'the name of a column'), 'none'),
      null,
      'of parquet files: the column of the classes; by default label, class or another usual name',
    ),
    decodeSize: option(
      orWord(integer({ min: 4 }), 'auto'),
      'auto',
      'side at which image files are kept: shorter side scaled to it, centre square cut; "auto" is 8/7 of --image (224: 256), ' +
        'or --image itself where no file is larger',
    ),
    broken: option(
      choice('stop', 'skip'),
      'stop',
      'image files that cannot be decoded: stop, or put another image of the class in their place and list them in the run folder',
    ),
    stream: option(
      choice('auto', 'yes', 'no'),
      'auto',
      'fetch the images of each step ahead of it instead of keeping all in memory, with the same bits; "auto" where they do not fit',
    ),
    workers: option(
      orWord(integer({ min: 1, max: 256 }), 'auto'),
      'auto',
      'image files that are decoded at once, with the same bits; "auto" is one a processor core',
    ),
    statistics: option(
      choice('imagenet', 'own'),
      'imagenet',
      "mean and deviation that pixels are normalised by: those of ImageNet, or the training set's own",
    ),
    crop: option(
      nullable(pair({ above: 0, max: 1, ascending: true }), 'none'),
      [0.2, 1],
      'random resized crop: smallest and largest share of the image\'s area; "none" takes the whole image',
    ),
    flip: option(toggle(), true, 'mirror half of the training images'),
  },
  model: {
    image: option(count, 32, 'side of the square images, in pixels'),
    channels: option(integer({ min: 1, max: 4 }), 3, 'colour channels'),
    patch: option(count, 4, 'side of a patch, in pixels; divides --image'),
    dim: option(width, 192, 'width of the encoder, a multiple of 4 and of --heads'),
    depth: option(count, 12, 'blocks of the encoder'),
    heads: option(count, 3, 'attention heads of the encoder'),
    decoderDim: option(width, 192, 'width of the decoder, a multiple of 4 and of --decoder-heads'),
    decoderDepth: option(count, 4, 'blocks of the decoder'),
    decoderHeads: option(count, 3, 'attention heads of the decoder'),
    normPix: option(toggle(), false, 'reconstruct patches normalised by their own mean and deviation'),
    layerNormEps: option(
      number({ above: 0 }),
      1e-6,
      "ε of the layer norms, the teacher's as well; models of transformers often have 1e-12",
      { added: true },
    ),
  },
  imae: {
    branches: option(
      choice('two-way', 'subordinate'),
      'two-way',
      'reconstruct both images of the mixture, or only the subordinate (the one with less weight)',
    ),
    start: option(choice('teacher', 'scratch'), 'teacher', "begin from the teacher's weights, or from random ones"),
    lambda: option(number({ min: 0 }), 1, "λ, weight of the distillation loss; 0 trains without a teacher's targets"),
    lambdaDominant: option(asStudent(number({ min: 0 })), null, 'λ of the dominant branch alone; "same" as --lambda'),
    teacherInput: option(
      choice('clean', 'mixed'),
      'clean',
      'what the teacher encodes as target: each clean image, or, as the released code does, the mixture for both branches',
    ),
  },
  lcmae: {
    mu: option(
      number({ min: 0 }),
      1,
      'μ, weight of the alignment of what is predicted under one mask with what is under the other; 0 is an MAE on each ' +
        'batch taken twice, under two masks',
    ),
  },
  masking: {
    maskRatio: option(number({ above: 0, below: 1 }), 0.75, 'share of the patches that is hidden'),
    mask: option(
      choice('random', 'block', 'grid', 'variance', 'attention'),
      'random',
      'what is hidden: any patches; a block of them; all but a regular grid; rather patches of high variance; or, in i-MAE ' +
        "alone, rather those that the teacher's class token attends to (its own training hides any)",
    ),
    alpha: option(
      alphaLaw(),
      { law: 'beta', a: 1, b: 1 },
      'α, weight of the first image in the mixture: a number, "beta(A,B)" or "uniform(LOW,HIGH)"',
    ),
    alphaPer: option(choice('batch', 'sample'), 'batch', 'draw one α a mini-batch, or one for every image'),
    sameProb: option(
      orWord(unit, 'random'),
      'random',
      'probability that the second image has the first one\'s class; "random" asks for no labels',
    ),
  },
  optimizer: {
    learningRate: option(learningRate, { blr: 1e-4 }, 'peak learning rate', { flag: '' }),
    betas: option(
      pair({ min: 0, below: 1 }),
      [0.9, 0.95],
      "decay of AdamW's first and second moment; the first is Muon's momentum, too",
    ),
    eps: option(number({ above: 0 }), 1e-8, "AdamW's ε"),
    weightDecay: option(number({ min: 0 }), 0.05, 'weight decay (never on biases and 1-D parameters)'),
    muon: option(
      number({ min: 0 }),
      0,
      'move the weight matrices by Muon instead of AdamW, at this many times the learning rate; 0 leaves all to AdamW',
      { added: true },
    ),
    clipNorm: option(number({ min: 0 }), 0, 'largest norm of the whole gradient; 0 clips nothing'),
  },
  schedule: {
    warmup: option(warmup, { epochs: 5 }, 'linear warm-up of the learning rate, then --decay', { flag: 'warmup-' }),
    decay: option(
      orWord(number({ above: 0, max: 1 }), 'cosine'),
      'cosine',
      'how the learning rate falls after the warm-up: along half a cosine, or, given a share of the steps, in a straight line over ' +
        'this last share of them',
      { added: true },
    ),
    minLr: option(number({ min: 0 }), 0, 'learning rate at the end'),
  },
  training: {
    mode: option(
      choice('all', 'teacher', 'imae', 'mae', 'lcmae'),
      'all',
      'train a part: the teacher; i-MAE from --teacher; "mae", a vanilla MAE trained as long as teacher and ' +
        'i-MAE together, the baseline; or "lcmae", such an MAE that sees each image under two masks (see --mu)',
      { flag: 'only' },
    ),
    budget: option(duration, { epochs: 50 }, 'length of i-MAE training', { flag: '' }),
    batch: option(count, 256, 'images an optimizer step'),
    accumulate: option(count, 1, 'micro-batches that a batch is computed in, one after another, to save memory'),
    recompute: option(
      choice('none', 'blocks'),
      'none',
      'what is computed a second time to save memory, with the same bits: nothing, or the insides of every transformer ' +
        'block, up to a third more work',
    ),
    seed: option(integer({ min: 0, max: 0xffffffff }), 0, 'seed of every random choice; same seed, same bits'),
  },
  teacher: {
    checkpoint: option(
      nullable(text('FILE', 'a .safetensors file'), 'none'),
      null,
      'take this vanilla MAE (.safetensors or .pth) as teacher instead of training one; means --only imae',
      { flag: 'teacher', heading: 'i-MAE' },
    ),
    dim: option(asStudent(width), null, 'width of the teacher\'s encoder; "same" as the student\'s', {
      flag: 'teacher-dim',
      heading: 'Model',
    }),
    depth: option(asStudent(count), null, "blocks of the teacher's encoder", {
      flag: 'teacher-depth',
      heading: 'Model',
    }),
    heads: option(asStudent(count), null, "heads of the teacher's encoder", {
      flag: 'teacher-heads',
      heading: 'Model',
    }),
    decoderDepth: option(asStudent(count), null, "blocks of the teacher's decoder", {
      flag: 'teacher-decoder-depth',
      heading: 'Model',
    }),
    decoderHeads: option(asStudent(count), null, "heads of the teacher's decoder", {
      flag: 'teacher-decoder-heads',
      heading: 'Model',
    }),
    learningRate: option(asStudent(learningRate), { blr: 1.5e-4 }, "the teacher's peak learning rate", {
      flag: 'teacher-',
      heading: 'Optimisation',
    }),
    warmup: option(asStudent(warmup), { epochs: 40 }, "the teacher's warm-up", {
      flag: 'teacher-warmup-',
      heading: 'Optimisation',
    }),
    budget: option(duration, { epochs: 400 }, "length of the teacher's pre-training", {
      flag: 'teacher-',
      heading: 'Budget',
    }),
  },
  logging: {
    log: option(
      choice('none', 'tensorboard', 'csv', 'both'),
      'none',
      'copies of what is measured: numbers and pictures for TensorBoard in tensorboard/, a table metrics.csv, or both',
    ),
    logEvery: option(count, 10, 'steps between lines of metrics.jsonl'),
    scoreEvery: option(interval, 1000, 'steps between unmixing scores on held-out pairs; 0: only at the end'),
    checkpointEvery: option(interval, 1000, 'steps between checkpoints; 0: only at the end'),
    panelsEvery: option(interval, 1000, 'steps between pictures; 0: only at the end'),
  },
  device: {
    adapter: option(
      text('NAME', "any, hardware, software, swiftshader or a part of an adapter's name"),
      'any',
      'GPU to run on: "hardware", "software" (a GPU emulated by the CPU), "swiftshader" (the one that comes with ' +
        'the packages), a part of its name, or "any", the best',
    ),
    kernels: option(
      text('plain|fast|FILE', 'plain, fast, or a kernels.json or the folder of a run'),
      'fast',
      'the fastest kernels that the adapter allows, their plain reference twins, or those of another run, by its ' +
        'folder or kernels.json',
    ),
    precision: option(
      choice('f32', 'f16'),
      'f32',
      'training in f32; or with activations, their gradients and a copy of the weights in f16, which takes less memory ' +
        'and uses matrix units where there are any, while sums, residual stream, losses and optimizer stay f32',
    ),
  },
} as const satisfies Record<string, Record<string, Option<unknown>>>;

/** The heading in `--help` for the options of a section that name none. */
export const SECTION_HEADINGS: Readonly<Record<Section, Heading>> = {
  data: 'Data',
  model: 'Model',
  imae: 'i-MAE',
  lcmae: 'LC-MAE',
  masking: 'Masking and mixing',
  optimizer: 'Optimisation',
  schedule: 'Optimisation',
  training: 'Budget',
  teacher: 'i-MAE',
  logging: 'Run folder',
  device: 'Device',
};

/** The names of the sections of settings. */
export type Section = keyof typeof OPTIONS;

/** The values of a section of settings. */
type SectionValues<S extends Section> = {
  readonly [K in keyof (typeof OPTIONS)[S]]: (typeof OPTIONS)[S][K] extends { kind: infer F } ? ValueOf<F> : never;
};

/** The settings of a run, by section: complete. */
export type Settings = { readonly [S in Section]: SectionValues<S> };

/** Some of the settings of a run. */
export type PartialSettings = { readonly [S in Section]?: Partial<SectionValues<S>> };

/** An option with its place in the configuration. */
export interface OptionEntry {
  readonly section: Section;
  readonly key: string;
  readonly option: Option<unknown>;
}

/** Every option, in the order in which the help shows them. */
export const OPTION_LIST: readonly OptionEntry[] = Object.entries(OPTIONS).flatMap(([section, options]) =>
  Object.entries(options as Record<string, Option<unknown>>).map(([key, option]) => ({
    section: section as Section,
    key,
    option,
  })),
);

/** A flag of the command line: `--steps` sets `training.budget` to `{steps: N}`. */
export interface Flag extends OptionEntry {
  /** Without its dashes. */
  readonly name: string;
  readonly help: string;
  /** The form of the value that this flag gives, where the option's kind has several. */
  readonly form?: string;
}

/** The flags of an option: one, or one for each form of its value. */
export function flagsOf(entry: OptionEntry): Flag[] {
  const { key, option } = entry;
  const forms = option.kind.forms;
  if (!forms) return [{ ...entry, name: option.flag ?? kebab(key), help: option.help }];
  return Object.entries(forms).map(([form, { help }]) => ({
    ...entry,
    name: (option.flag ?? '') + form,
    help: `${option.help}, ${help}`,
    form,
  }));
}

/** What a message calls an option: `--dim (model.dim)`. */
export function nameOf(entry: OptionEntry): string {
  const flags = flagsOf(entry).map((flag) => `--${flag.name}`);
  return `${flags.join(' or ')} (${entry.section}.${entry.key})`;
}

function kebab(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}
