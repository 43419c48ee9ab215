import { deepFreeze } from '../../common/deepFreeze';
import { UserError } from '../../common/userError';
import { didYouMean, nearest } from './nearest';
import {
  flagsOf,
  nameOf,
  OPTION_LIST,
  OPTIONS,
  type OptionEntry,
  type PartialSettings,
  type Section,
  type Settings,
} from './options';
import { PRESET_NAMES, PRESETS, type PresetName } from './presets';

/** The configuration of a run: complete, checked and frozen. As JSON it is a config file. */
export type Config = Settings & { readonly preset: PresetName };

/** Settings from one place, not yet checked, in the form of a config file. A later layer wins over an earlier one. */
export interface ConfigLayer {
  /** Where the settings come from, for messages: `command line`, a file's name. */
  readonly source: string;
  readonly values: unknown;
}

/** What a run trains, one after the other. `mae` is the vanilla baseline, `lcmae` the same under two masks at once. */
export type Phase = 'teacher' | 'imae' | 'mae' | 'lcmae';

/** The size of an MAE: sides in pixels, widths in channels, ε of layer norms (1e-6 by default). MLPs are four times as wide. */
export interface ModelSize {
  readonly image: number;
  readonly channels: number;
  readonly patch: number;
  readonly dim: number;
  readonly depth: number;
  readonly heads: number;
  readonly decoderDim: number;
  readonly decoderDepth: number;
  readonly decoderHeads: number;
  readonly layerNormEps?: number;
}

/** The size of an encoder alone. */
export type EncoderSize = Omit<ModelSize, 'decoderDim' | 'decoderDepth' | 'decoderHeads'>;

/**
 * The configuration that a preset (`demo`, unless a layer names one) and the layers over it give.
 *
 * @throws UserError (usage) that names the setting, its value and what is allowed
 */
export function resolveConfig(layers: readonly ConfigLayer[]): Config {
  const preset = chosenPreset(layers);
  const settings: Record<string, Record<string, unknown>> = {};
  for (const { section, key, option } of OPTION_LIST) (settings[section] ??= {})[key] = option.default;
  merge(settings, PRESETS[preset].settings);

  let modeGiven = false;
  for (const layer of layers) {
    const checked = checkLayer(layer);
    modeGiven ||= checked.training?.mode !== undefined;
    merge(settings, checked);
  }
  const config = { preset, ...settings } as unknown as Config;
  if (!modeGiven && config.teacher.checkpoint !== null) merge(settings, { training: { mode: 'imae' } });
  checkTogether(config);
  return deepFreeze(config);
}

/** The student's size. */
export function studentSize(config: Config): ModelSize {
  const { image, channels, patch, dim, depth, heads, ...rest } = config.model;
  const { decoderDim, decoderDepth, decoderHeads, layerNormEps } = rest;
  return { image, channels, patch, dim, depth, heads, decoderDim, decoderDepth, decoderHeads, layerNormEps };
}

/** The teacher's size: the student's but for what `config.teacher` says. Images, patches and latents always agree. */
export function teacherSize(config: Config): ModelSize {
  const { model, teacher } = config;
  return {
    ...studentSize(config),
    dim: teacher.dim ?? model.dim,
    depth: teacher.depth ?? model.depth,
    heads: teacher.heads ?? model.heads,
    decoderDepth: teacher.decoderDepth ?? model.decoderDepth,
    decoderHeads: teacher.decoderHeads ?? model.decoderHeads,
  };
}

/** L, the patches of an image. */
export function patchCount(size: Pick<ModelSize, 'image' | 'patch'>): number {
  return (size.image / size.patch) ** 2;
}

/** Patches that stay visible: int(L·(1 − ratio)), in the double arithmetic of the published code. */
export function visiblePatches(size: Pick<ModelSize, 'image' | 'patch'>, maskRatio: number): number {
  return Math.trunc(patchCount(size) * (1 - maskRatio));
}

/** λ of each branch's distillation term; the dominant one is 0 without a dominant branch. */
export function distillationWeights(config: Config): { readonly subordinate: number; readonly dominant: number } {
  const { branches, lambda, lambdaDominant } = config.imae;
  return { subordinate: lambda, dominant: branches === 'two-way' ? (lambdaDominant ?? lambda) : 0 };
}

/** Whether i-MAE needs a teacher: as a target of the distillation, as a start, or to say what is hidden. */
export function needsTeacher(config: Config): boolean {
  const { subordinate, dominant } = distillationWeights(config);
  return subordinate > 0 || dominant > 0 || config.imae.start === 'teacher' || config.masking.mask === 'attention';
}

/** What kernels a run takes: the plain ones, the fastest, or those that a file or a run's folder names, at a path. */
export function isRecording(kernels: Config['device']['kernels']): boolean {
  return kernels !== 'plain' && kernels !== 'fast';
}

/** What the run trains, in order. */
export function phasesOf(config: Config): readonly Phase[] {
  const { mode } = config.training;
  if (mode !== 'all') return [mode];
  return needsTeacher(config) ? ['teacher', 'imae'] : ['imae'];
}

/** How long a phase runs and at what learning rate. */
export interface PhasePlan {
  /** Optimizer steps. */
  readonly steps: number;
  /** Of them warm-up; may be fractional, and longer than the phase. */
  readonly warmupSteps: number;
  /** At the end of the warm-up. */
  readonly peakLearningRate: number;
}

/**
 * The plan of a phase. The baseline `mae`, and `lcmae`, are trained by the teacher's recipe for as many steps as teacher
 * and i-MAE together, since i-MAE has seen them all.
 *
 * @param trainingImages images of the training set; an epoch drops its last short batch
 * @throws UserError (usage) where the set is smaller than a batch
 */
export function planPhase(config: Config, phase: Phase, trainingImages: number): PhasePlan {
  const { teacher, training, schedule } = config;
  const stepsAnEpoch = Math.floor(trainingImages / training.batch);
  if (stepsAnEpoch === 0) {
    throw new UserError(
      `The training set has ${trainingImages} images, fewer than one batch of ${training.batch}. ` +
        `Give --batch ${trainingImages} or less.`,
      { usage: true },
    );
  }
  const inSteps = (time: { readonly steps: number } | { readonly epochs: number }): number =>
    'steps' in time ? time.steps : time.epochs * stepsAnEpoch;
  const wholeSteps = (time: { readonly steps: number } | { readonly epochs: number }): number =>
    Math.max(1, Math.round(inSteps(time)));

  const ofTeacher = wholeSteps(teacher.budget);
  const ofStudent = wholeSteps(training.budget);
  const ofBoth = (needsTeacher(config) ? ofTeacher : 0) + ofStudent;
  const steps = { teacher: ofTeacher, imae: ofStudent, mae: ofBoth, lcmae: ofBoth };
  return {
    steps: steps[phase],
    warmupSteps: inSteps(phase === 'imae' ? schedule.warmup : (teacher.warmup ?? schedule.warmup)),
    peakLearningRate: peakLearningRate(config, phase),
  };
}

/**
 * The steps of a phase, where they can be told: a length in epochs needs the size of the training set.
 *
 * @param trainingImages undefined where that is not known
 */
export function planIfKnown(config: Config, phase: Phase, trainingImages: number | undefined): PhasePlan | undefined {
  const { training, teacher } = config;
  // Lengths in steps need no image set; any that holds a batch stands in for it.
  const inSteps = 'steps' in training.budget && 'steps' in teacher.budget;
  const images = inSteps ? training.batch : trainingImages;
  return images === undefined || images < training.batch ? undefined : planPhase(config, phase, images);
}

/** The peak learning rate of a phase: absolute, or blr·batch/256. */
export function peakLearningRate(config: Config, phase: Phase): number {
  const { teacher, optimizer, training } = config;
  const rate = phase === 'imae' ? optimizer.learningRate : (teacher.learningRate ?? optimizer.learningRate);
  return 'lr' in rate ? rate.lr : (rate.blr * training.batch) / 256;
}

function usage(message: string): UserError {
  return new UserError(message, { usage: true });
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The preset that a layer names. Two that name different ones would mix: a whole config leaves nothing of a preset. */
function chosenPreset(layers: readonly ConfigLayer[]): PresetName {
  const named = layers
    .map((layer) => ({ source: layer.source, preset: presetOf(layer) }))
    .filter(({ preset }) => preset);
  const [first, ...others] = named;
  const other = others.find(({ preset }) => preset !== first?.preset);
  if (first && other) {
    throw usage(
      `--preset (preset): ${other.preset ?? ''} (${other.source}), but ${first.source} is of the preset ${first.preset ?? ''} and sets ` +
        'what that would. Leave one of them out.',
    );
  }
  return first?.preset ?? 'demo';
}

function presetOf({ source, values }: ConfigLayer): PresetName | undefined {
  const name = isRecord(values) ? values['preset'] : undefined;
  if (name === undefined) return undefined;
  const known = PRESET_NAMES.find((preset) => preset === name);
  if (known) return known;
  throw usage(
    `--preset (preset): ${JSON.stringify(name)} (${source}) is not a preset.` +
      `${typeof name === 'string' ? didYouMean(name, PRESET_NAMES) : ''} Presets are ${PRESET_NAMES.join(', ')}.`,
  );
}

/** The settings of a layer, each checked by itself. */
function checkLayer({ source, values }: ConfigLayer): PartialSettings {
  if (!isRecord(values)) throw usage(`${source}: a configuration is an object with sections such as "model".`);
  const checked: Record<string, Record<string, unknown>> = {};
  for (const [section, content] of Object.entries(values)) {
    if (section === 'preset') continue;
    if (!Object.hasOwn(OPTIONS, section)) throw unknownKey(source, section);
    if (!isRecord(content)) {
      throw usage(`${source}: "${section}" is ${JSON.stringify(content)}. Give an object with the section's settings.`);
    }
    for (const [key, value] of Object.entries(content)) {
      const entry = OPTION_LIST.find((known) => known.section === section && known.key === key);
      if (!entry) throw unknownKey(source, `${section}.${key}`);
      const read = entry.option.kind.read(value);
      if (read === undefined) throw notAllowed(source, entry, value);
      (checked[section] ??= {})[key] = read;
    }
  }
  fillRecorded(checked);
  return checked;
}

/**
 * A configuration that says all that could once be said is that of a run. What could not be said then has no part in it: a
 * preset that says more today must not change it.
 */
function fillRecorded(settings: Record<string, Record<string, unknown>>): void {
  const lacking = OPTION_LIST.filter(({ section, key }) => settings[section]?.[key] === undefined);
  if (lacking.some(({ option }) => !option.added)) return;
  for (const { section, key, option } of lacking) (settings[section] ??= {})[key] = option.default;
}

function notAllowed(source: string, entry: OptionEntry, value: unknown): UserError {
  return usage(
    `${nameOf(entry)}: ${JSON.stringify(value)} (${source}) is not allowed. Give ${entry.option.kind.expects}.`,
  );
}

function unknownKey(source: string, name: string): UserError {
  const [section = '', key] = name.split('.');
  if (section === 'teacher' && key !== undefined && Object.hasOwn(OPTIONS.model, key)) {
    return usage(`${source}: there is no "${name}"; it is always the student's "model.${key}".`);
  }
  const keys = OPTION_LIST.map((entry) => `${entry.section}.${entry.key}`);
  const last = key ?? section;
  const inAnotherSection = keys.find((known) => known.endsWith(`.${last}`));
  const flag = key === undefined ? OPTION_LIST.flatMap(flagsOf).find((known) => known.name === section) : undefined;
  if (flag) {
    const example = flag.form === undefined ? '…' : `{"${flag.form}": …}`;
    return usage(
      `${source}: there is no setting "${name}". --${name} is "${flag.section}": {"${flag.key}": ${example}} here.`,
    );
  }
  const near = nearest(name, key === undefined ? ['preset', ...Object.keys(OPTIONS)] : keys);
  const guess = near ?? inAnotherSection;
  return usage(`${source}: there is no setting "${name}".${guess ? ` Did you mean "${guess}"?` : ''}`);
}

function merge(into: Record<string, Record<string, unknown>>, layer: PartialSettings): void {
  for (const [section, values] of Object.entries(layer)) Object.assign((into[section] ??= {}), values);
}

/** Checks what one setting alone cannot show. */
function checkTogether(config: Config): void {
  checkModel(config);
  checkTraining(config);
  checkMode(config);
}

/** How a setting is called in messages. */
function name(section: Section, key: string): string {
  return nameOf(OPTION_LIST.find((entry) => entry.section === section && entry.key === key) as OptionEntry);
}

/** That sizes divide and masks leave something to see and something to predict. */
function checkModel(config: Config): void {
  const { model, masking } = config;
  if (model.image % model.patch !== 0) {
    throw usage(
      `${name('model', 'patch')}: ${model.patch} does not divide the image's side. ` +
        `Give a divisor of ${model.image}, or change --image.`,
    );
  }
  const checkHeads = (section: 'model' | 'teacher', headsKey: string, heads: number, width: string, dim: number) => {
    if (dim % heads !== 0) {
      throw usage(
        `${name(section, headsKey)}: ${heads} heads do not divide the width. ` +
          `Give a divisor of ${dim}, or change ${width}.`,
      );
    }
  };
  const large = teacherSize(config);
  checkHeads('model', 'heads', model.heads, '--dim', model.dim);
  checkHeads('model', 'decoderHeads', model.decoderHeads, '--decoder-dim', model.decoderDim);
  checkHeads('teacher', 'heads', large.heads, '--teacher-dim', large.dim);
  checkHeads('teacher', 'decoderHeads', large.decoderHeads, '--decoder-dim', large.decoderDim);

  const patches = patchCount(model);
  const visible = visiblePatches(model, masking.maskRatio);
  if (visible < 1 || visible >= patches) {
    throw usage(
      `${name('masking', 'maskRatio')}: ${masking.maskRatio} leaves ${visible} of ${patches} patches visible. ` +
        'At least one must be visible and at least one hidden: change it, --image or --patch.',
    );
  }
  if (config.data.statistics === 'imagenet' && model.channels !== 3) {
    throw usage(
      `${name('data', 'statistics')}: ImageNet's are those of 3 channels, but --channels is ${model.channels}. ` +
        'Give --statistics own.',
    );
  }
}

function checkTraining(config: Config): void {
  const { schedule, training } = config;
  if (training.batch % training.accumulate !== 0) {
    throw usage(
      `${name('training', 'accumulate')}: a batch of ${training.batch} images cannot be split into ` +
        `${training.accumulate} equal micro-batches. Give a divisor of ${training.batch}, or change --batch.`,
    );
  }
  for (const phase of phasesOf(config)) {
    const peak = peakLearningRate(config, phase);
    if (schedule.minLr > peak) {
      throw usage(
        `${name('schedule', 'minLr')}: ${schedule.minLr} is above the peak learning rate of phase ${phase}, ${peak}. ` +
          'Give a smaller one.',
      );
    }
  }
}

/** That settings are of what is trained. */
function checkMode(config: Config): void {
  const { teacher, imae, lcmae, masking, training } = config;
  if (imae.branches === 'subordinate' && imae.lambdaDominant !== null) {
    throw usage(
      `${name('imae', 'lambdaDominant')}: there is no dominant branch with --branches subordinate. ` +
        'Leave it out, or give --branches two-way.',
    );
  }
  const { mode } = training;
  if (teacher.checkpoint !== null && mode !== 'imae') {
    throw usage(
      `${name('teacher', 'checkpoint')}: a given teacher serves i-MAE, but ${name('training', 'mode')} is ${mode}. ` +
        'Give --only imae, or leave the teacher out.',
    );
  }
  if (lcmae.mu !== OPTIONS.lcmae.mu.default && mode !== 'lcmae') {
    throw usage(
      `${name('lcmae', 'mu')}: the alignment term is LC-MAE's, but ${name('training', 'mode')} is ${mode}. Give --only lcmae, or leave it out.`,
    );
  }
  if (masking.mask === 'attention' && mode !== 'all' && mode !== 'imae') {
    throw usage(
      `${name('masking', 'mask')}: attention is that of a teacher, which only i-MAE has, but ${name('training', 'mode')} is ` +
        `${mode}. Give another mask, or --only imae with --teacher FILE.`,
    );
  }
  if (teacher.checkpoint === null && mode === 'imae' && needsTeacher(config)) {
    throw usage(
      `${name('training', 'mode')}: i-MAE alone needs a teacher. Give --teacher FILE, leave --only out to train one ` +
        'first, or do without by --start scratch --lambda 0 and another --mask than attention.',
    );
  }
  if ((mode === 'all' || mode === 'imae') && imae.start === 'teacher') {
    const [student, large] = [studentSize(config), teacherSize(config)];
    const differing = (Object.keys(student) as (keyof ModelSize)[]).find((key) => student[key] !== large[key]);
    if (differing) {
      throw usage(
        `${name('imae', 'start')}: the student cannot start from a teacher of another size ` +
          `(${differing}: ${large[differing]}, the student's ${student[differing]}). ` +
          'Give --start scratch, or a teacher of the same size.',
      );
    }
  }
}
