import { formatBytes, formatCount } from '../../../common/format';
import { UserError } from '../../../common/userError';
import { countParameters, estimateMemory, stepFlops, stepShape } from '../../../imae/train/accounting';
import {
  peakLearningRate,
  phasesOf,
  planIfKnown,
  planPhase,
  resolveConfig,
  type Config,
  type ConfigLayer,
} from '../../../imae/config/config';
import { describePlan, PHASE_TITLES } from '../../../imae/config/describe';
import { FREE_MASKS } from '../../../imae/mask/maskOrders';
import type { MaskKind } from '../../../imae/mask/masks';
import type { PartialSettings } from '../../../imae/config/options';
import { PRESETS, type PresetName } from '../../../imae/config/presets';
import { element } from '../../components/dom';
import { asksForImages, assertForPage, trainingSize, withLiveLogging } from '../../training/pageConfig';
import { ImagesField, type ReadyImages } from './imagesField';

/** The presets that a page can train within reason. */
const OFFERED = ['demo', 'cifar', 'tiny-imagenet'] as const satisfies readonly PresetName[];
/** The choice of a preset that stands for a file. */
const FILE = 'file';

/** One setting of the form: a number, or one of several words. */
interface Field<T = number | string> {
  readonly label: string;
  readonly hint: string;
  /** Of a number. */
  readonly step?: number | 'any';
  /** The words, where it is one of them. */
  readonly words?: readonly T[];
  /** What the configuration says, with so many training images; undefined where it has no such thing. */
  read(config: Config, count: number | undefined): T | undefined;
  write(value: T): PartialSettings;
}

const steps = (config: Config, phase: 'teacher' | 'imae', count: number | undefined): number | undefined =>
  phasesOf(config).includes(phase) ? planIfKnown(config, phase, count)?.steps : undefined;

const MASKS: readonly MaskKind[] = [...FREE_MASKS, 'attention'];

const BROKEN = ['stop', 'skip'] as const;

const field = <T extends number | string>(made: Field<T>): Field => made;

const FIELDS: readonly Field[] = [
  field({
    label: 'Teacher, steps',
    hint: 'a vanilla MAE, trained first',
    step: 1,
    read: (config, count) => steps(config, 'teacher', count),
    write: (count) => ({ teacher: { budget: { steps: count } } }),
  }),
  field({
    label: 'i-MAE, steps',
    hint: 'starts from the teacher',
    step: 1,
    read: (config, count) => steps(config, 'imae', count),
    write: (count) => ({ training: { budget: { steps: count } } }),
  }),
  field({
    label: 'Batch, images',
    hint: 'a step',
    step: 1,
    read: ({ training }) => training.batch,
    write: (batch) => ({ training: { batch } }),
  }),
  field({
    label: 'Patch, pixels',
    hint: 'side; half of it is four times the patches',
    step: 1,
    read: ({ model }) => model.patch,
    write: (patch) => ({ model: { patch } }),
  }),
  field({
    label: 'Mask ratio',
    hint: 'share of the patches that is hidden',
    step: 'any',
    read: ({ masking }) => masking.maskRatio,
    write: (maskRatio) => ({ masking: { maskRatio } }),
  }),
  field({
    label: 'Mask',
    hint: 'what is hidden',
    words: MASKS,
    read: ({ masking }) => masking.mask,
    write: (mask) => ({ masking: { mask } }),
  }),
  field({
    label: 'Learning rate',
    hint: 'peak, of i-MAE',
    step: 'any',
    read: (config) =>
      phasesOf(config).includes('imae') ? Number(peakLearningRate(config, 'imae').toPrecision(4)) : undefined,
    write: (lr) => ({ optimizer: { learningRate: { lr } } }),
  }),
  field({
    label: 'Broken images',
    hint: 'files that cannot be decoded: stop, or skip and name them',
    words: BROKEN,
    read: (config) => (asksForImages(config) ? config.data.broken : undefined),
    write: (broken) => ({ data: { broken } }),
  }),
  field({
    label: 'Seed',
    hint: 'same seed, same bits',
    step: 1,
    read: ({ training }) => training.seed,
    write: (seed) => ({ training: { seed } }),
  }),
];

/** The few options that matter, over a preset or a config.json, with the program's own checks. */
export class SettingsForm {
  readonly element: HTMLFormElement;
  private base: ConfigLayer = presetLayer('demo');
  /** What somebody has changed; all else is the preset's or the file's own. */
  private readonly changed = new Map<Field, number | string>();
  private readonly imagesField: ImagesField;
  private readonly inputs = new Map<Field, HTMLInputElement | HTMLSelectElement>();
  private readonly presets = element('select', {
    id: 'train-preset',
    onchange: () => this.choosePreset(),
    'aria-describedby': 'train-about',
  });
  private readonly about = element('p', { id: 'train-about', class: 'note' });
  private readonly summary = element('dl', { class: 'plan' });
  private readonly message = element('p', { class: 'message bad', role: 'alert' });
  private readonly start = element('button', { class: 'primary' }, 'Start training');

  /**
   * @param pickers buttons that open images
   * @param onStart is given a configuration that a page can train, and the images for it where they are no drawings
   */
  constructor(pickers: readonly HTMLElement[], onStart: (config: Config, images: ReadyImages | undefined) => void) {
    this.imagesField = new ImagesField(pickers, () => this.refill());
    for (const preset of OFFERED) this.presets.append(element('option', { value: preset }, preset));
    const fields = FIELDS.map((field, index) => {
      const id = `train-field-${index}`;
      const shared = { id, required: true, 'aria-describedby': `${id}-hint`, oninput: () => this.read(field, input) };
      const input: HTMLInputElement | HTMLSelectElement = field.words
        ? element(
            'select',
            shared,
            field.words.map((word) => element('option', { value: word }, String(word))),
          )
        : element('input', { ...shared, type: 'number', step: field.step ?? 1 });
      this.inputs.set(field, input);
      return element(
        'div',
        { class: 'field' },
        element('label', { for: id }, field.label),
        input,
        element('small', { id: `${id}-hint` }, field.hint),
      );
    });
    this.element = element(
      'form',
      {
        class: 'card settings',
        'aria-label': 'New run',
        novalidate: true, // the program's own checks say more
        onsubmit: (event) => {
          event.preventDefault();
          const config = this.config();
          if (config) onStart(config, this.images);
        },
      },
      element('div', { class: 'field' }, element('label', { for: 'train-preset' }, 'Preset'), this.presets),
      this.about,
      this.imagesField.element,
      element('div', { class: 'fields' }, fields),
      this.summary,
      this.message,
      element('div', { class: 'actions' }, this.start),
    );
    this.refill();
  }

  /**
   * Takes the settings of a file in the place of a preset's.
   *
   * @throws UserError where a page cannot train it
   */
  open(source: string, values: unknown): void {
    const layer = { source, values };
    const config = resolveConfig([layer]);
    assertForPage(config, source);
    this.imagesField.ask(config.data.set);
    this.base = layer;
    this.changed.clear();
    this.presets.querySelector(`[value=${FILE}]`)?.remove();
    this.presets.append(element('option', { value: FILE, selected: true }, source));
    this.presets.value = FILE;
    this.refill();
    this.start.focus();
  }

  focus(): void {
    this.presets.focus();
  }

  /** The images that were given and are chosen. */
  get images(): ReadyImages | undefined {
    return this.imagesField.images;
  }

  /** Trains on these from now on. */
  give(images: ReadyImages): void {
    this.imagesField.give(images);
    this.refill();
  }

  /** What stands below what somebody has changed: the preset's or the file's settings, and the images. */
  private get layers(): readonly ConfigLayer[] {
    const { set } = this.imagesField;
    return [this.base, ...(set === undefined ? [] : [{ source: 'this form', values: { data: { set } } }])];
  }

  /** Training images; undefined where they were not given yet. */
  private count(config: Config): number | undefined {
    return asksForImages(config) && !this.images ? undefined : trainingSize(config, this.images?.known).count;
  }

  private choosePreset(): void {
    const preset = OFFERED.find((name) => name === this.presets.value);
    if (!preset) return;
    this.base = presetLayer(preset);
    this.presets.querySelector(`[value=${FILE}]`)?.remove();
    this.changed.clear();
    if (this.imagesField.set === undefined) this.imagesField.ask('shapes');
    this.refill();
  }

  /** Shows what the preset or the file says. */
  private refill(): void {
    const config = resolveConfig(this.layers);
    const count = this.count(config);
    this.imagesField.describe();
    this.about.textContent =
      this.presets.value === FILE
        ? 'Settings of this file; what stands below may still be changed.'
        : PRESETS[config.preset].about;
    for (const [field, input] of this.inputs) {
      const value = this.changed.get(field) ?? field.read(config, count);
      input.value = value === undefined ? '' : String(value);
      if (input.parentElement) input.parentElement.hidden = value === undefined;
    }
    this.describe();
  }

  private read(field: Field, input: HTMLInputElement | HTMLSelectElement): void {
    const value = input instanceof HTMLInputElement ? input.valueAsNumber : input.value;
    const config = resolveConfig(this.layers);
    if (value === field.read(config, this.count(config))) this.changed.delete(field);
    else this.changed.set(field, value);
    this.describe();
  }

  /** The configuration; undefined where it is not allowed, and a message says why. */
  private config(): Config | undefined {
    const settings: Record<string, object> = {};
    const { known } = this.images ?? {};
    for (const [field, value] of this.changed) {
      for (const [section, values] of Object.entries(field.write(value)))
        settings[section] = { ...settings[section], ...values };
    }
    try {
      const config = resolveConfig([...this.layers, { source: 'this form', values: settings }]);
      assertForPage(config, 'This form', known);
      const count = this.count(config);
      this.message.textContent = count === undefined ? wanted(this.base.source, config) : '';
      return count === undefined ? undefined : withLiveLogging(config, count);
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      this.message.textContent = error.message;
      return undefined;
    }
  }

  /** What would be trained, before it is. */
  private describe(): void {
    const config = this.config();
    this.start.disabled = !config;
    this.summary.hidden = !config;
    if (config)
      this.summary.replaceChildren(
        ...planRows(config, this.count(config) ?? 0).flatMap(([term, text]) => [
          element('dt', {}, term),
          element('dd', {}, text),
        ]),
      );
  }
}

function presetLayer(preset: PresetName): ConfigLayer {
  return { source: preset, values: { preset } };
}

function wanted(source: string, { data }: Config): string {
  return `${source} asks for ${data.set === null ? 'images' : `the images ${data.set}`}. Drop their folder here or open it, or choose the built-in drawings.`;
}

/** For each phase its length, and what the largest takes. */
function planRows(config: Config, count: number): (readonly [string, string])[] {
  const { batch, accumulate } = config.training;
  const phases = phasesOf(config).map((phase) => {
    const shape = stepShape(config, phase);
    const plan = planPhase(config, phase, count);
    const imageBytes = count * shape.size.channels * shape.size.image ** 2;
    const memory = estimateMemory({ ...shape, batch: batch / accumulate }, imageBytes).total;
    return {
      phase,
      plan,
      memory,
      flops: stepFlops(shape) * plan.steps,
      parameters: countParameters(shape.size, shape.branches).trained,
    };
  });
  const total = phases.reduce((sum, { flops }) => sum + flops, 0);
  const most = Math.max(...phases.map(({ memory }) => memory));
  return [
    ...phases.map(
      ({ phase, plan, parameters }) =>
        [PHASE_TITLES[phase], `${describePlan(plan, config)}; ${formatCount(parameters)} parameters`] as const,
    ),
    ['in all', `${formatCount(total)}FLOP, about ${formatBytes(most)} of GPU memory (an estimate)`],
  ];
}
