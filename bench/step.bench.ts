import { Owned } from '../src/common/owned';
import { ResidentImages } from '../src/data/upload/residentImages';
import { isChosen } from '../kernels-test/filter';
import { makeShapes } from '../src/data/shapes';
import type { Engine } from '../src/engine/engine';
import { stepFlops, stepShape, type StepShape } from '../src/imae/train/accounting';
import { patchCount, resolveConfig, type Config } from '../src/imae/config/config';
import type { PartialSettings } from '../src/imae/config/options';
import type { PresetName } from '../src/imae/config/presets';
import { initializeModel, makeModel } from '../src/imae/train/models';
import { Trainer, type StepMetrics } from '../src/imae/train/trainer';
import { summarize, timeRepeated, type Timing } from './repeatedTiming';

/** A training step of a preset. */
export interface StepCase {
  readonly name: string;
  readonly phase: 'imae' | 'mae';
  readonly settings: PartialSettings & { readonly preset: PresetName };
  /** Images a step: on a GPU those of PyTorch's figures (`peerFlops`), on a software adapter as many as it does in seconds. */
  readonly batch: { readonly gpu: number; readonly software: number };
  /** On a software adapter, timed only where the filter leaves nothing else. */
  readonly large: boolean;
}

const PRESETS = [
  { name: 'demo', settings: { preset: 'demo' }, batch: { gpu: 32, software: 32 }, large: false },
  {
    name: 'cifar-p4',
    settings: { preset: 'cifar', model: { patch: 4 } },
    batch: { gpu: 512, software: 16 },
    large: false,
  },
  {
    name: 'cifar-p2',
    settings: { preset: 'cifar', model: { patch: 2 } },
    batch: { gpu: 256, software: 4 },
    large: false,
  },
  { name: 'tiny', settings: { preset: 'tiny-imagenet' }, batch: { gpu: 256, software: 8 }, large: false },
  { name: 'vit-b', settings: { preset: 'vit-b' }, batch: { gpu: 64, software: 2 }, large: true },
] as const satisfies readonly Omit<StepCase, 'phase'>[];

/** Two-way i-MAE with a teacher of every preset, and a vanilla MAE of those that PyTorch's figures have. */
export const steps: readonly StepCase[] = PRESETS.flatMap((preset): StepCase[] => [
  { ...preset, name: `${preset.name} two-way`, phase: 'imae' },
  { ...preset, name: `${preset.name} mae`, phase: 'mae', large: preset.large || preset.name !== 'cifar-p4' },
]);

/** What a filter leaves of the steps. */
export function chooseSteps(filter: string): readonly StepCase[] {
  return steps.filter(({ name }) => isChosen(filter, 'step', name));
}

/**
 * Bound on the relative difference between fast and plain kernels in loss and gradient norm. Their sums differ in order
 * only: each rounds to about 1e-6, and tens of layers lie on the way.
 */
const TOLERANCE = 2e-5;

const SAMPLES = 3;
/** A plain step that takes longer is done once, for its result. */
const LONGEST_PLAIN = 3;

export interface StepTiming {
  readonly milliseconds: number;
  readonly spread: number;
  readonly imagesPerSecond: number;
  /** By `flops`. */
  readonly gflops: number;
}

export interface StepResult {
  readonly kernel: 'step';
  readonly name: string;
  readonly batch: number;
  /** Of a step, by the usual rule of 6 × parameters × tokens: see `stepFlops`. */
  readonly flops: number;
  /** Of a step, as PyTorch's figures count it: see `peerFlops`. */
  readonly peerFlops: number;
  readonly fast: StepTiming;
  /** Absent where it takes too long. */
  readonly plain?: StepTiming;
  /** How many times as fast the fast kernels are; on a software adapter, by pairs of samples taken one after the other. */
  readonly ratio?: number;
  /** The largest relative difference in loss or gradient norm, and what it may be. */
  readonly difference: number;
  readonly tolerance: number;
  /** Of the program that is a step with the fast kernels. */
  readonly dispatches: number;
  readonly arenaBytes: number;
  readonly largestLiveSet: number;
}

/**
 * The count of the script that times PyTorch on the same steps: a quarter of the patches visible, and 6 × (encoder +
 * branches × decoder) + 2 × branches × teacher, with 12·d² a token and block, and half of attention's two products.
 */
export function peerFlops({
  size,
  batch,
  branches,
  teacher,
}: Pick<StepShape, 'size' | 'batch' | 'branches' | 'teacher'>): number {
  const patches = patchCount(size);
  const tokens = Math.floor(patches / 4) + 1;
  const blocks = (width: number, depth: number, count: number): number =>
    12 * width ** 2 * depth * count + (4 * width * count ** 2 * depth) / 2;
  const encoder = blocks(size.dim, size.depth, tokens);
  const decoder = blocks(size.decoderDim, size.decoderDepth, patches + 1);
  return batch * (6 * (encoder + branches * decoder) + (teacher ? 2 * branches * encoder : 0));
}

/**
 * Times training steps with the fast kernels and with the plain ones, from the inputs to the metrics. Each step is checked to
 * give the same loss and gradient norm both ways.
 *
 * @param plain on the same adapter as `fast`
 * @throws Error where they differ by more than `TOLERANCE`
 */
export async function runStep(fast: Engine, plain: Engine, test: StepCase): Promise<StepResult> {
  const { software } = fast.traits;
  const config = configOf(test, software);
  const shape = stepShape(config, test.phase);
  const { batch } = config.training;
  const flops = stepFlops(shape);
  const measured = await (software ? measureInTurn : measureApart)(fast, plain, config, test.phase);
  const timing = ({ seconds, spread }: Timing): StepTiming => ({
    milliseconds: seconds * 1000,
    spread,
    imagesPerSecond: batch / seconds,
    gflops: flops / seconds / 1e9,
  });
  return {
    kernel: 'step',
    name: `${test.name}, batch ${batch}`,
    batch,
    flops,
    peerFlops: peerFlops(shape),
    fast: timing(measured.fast),
    ...(measured.plain ? { plain: timing(measured.plain) } : {}),
    ...(measured.ratio === undefined ? {} : { ratio: measured.ratio }),
    difference: measured.difference,
    tolerance: TOLERANCE,
    ...measured.statistics,
  };
}

/** The configuration of a step, with as many images as an adapter of a kind is given. */
export function configOf({ settings, batch }: StepCase, software: boolean): Config {
  const training = { batch: software ? batch.software : batch.gpu, accumulate: 1 };
  return resolveConfig([{ source: 'step bench', values: { ...settings, imae: { branches: 'two-way' }, training } }]);
}

interface Measured {
  readonly fast: Timing;
  readonly plain?: Timing;
  readonly ratio?: number;
  readonly difference: number;
  readonly statistics: { readonly dispatches: number; readonly arenaBytes: number; readonly largestLiveSet: number };
}

/** Turn by turn, so that what else the machine does hits both. */
async function measureInTurn(fast: Engine, plain: Engine, config: Config, phase: StepCase['phase']): Promise<Measured> {
  const runs: StepRun[] = [];
  try {
    const ofFast = await StepRun.open(fast, config, phase);
    runs.push(ofFast);
    const ofPlain = await StepRun.open(plain, config, phase);
    runs.push(ofPlain);
    // The first step warms up: drivers compile late.
    let difference = differenceOf((await ofFast.run(1)).metrics, (await ofPlain.run(1)).metrics);
    const samples: { fast: number; plain: number }[] = [];
    for (let sample = 0; sample < SAMPLES; sample++) {
      const [a, b] = [await ofFast.run(1), await ofPlain.run(1)];
      difference = Math.max(difference, differenceOf(a.metrics, b.metrics));
      samples.push({ fast: a.seconds, plain: b.seconds });
    }
    return {
      fast: summarize(samples.map((sample) => sample.fast)),
      plain: summarize(samples.map((sample) => sample.plain)),
      ratio: summarize(samples.map((sample) => sample.plain / sample.fast)).seconds,
      difference,
      statistics: ofFast.statistics,
    };
  } finally {
    for (const run of runs) run.dispose();
  }
}

/** One after the other, so that only one of them needs memory; the fast ones several steps a sample. */
async function measureApart(fast: Engine, plain: Engine, config: Config, phase: StepCase['phase']): Promise<Measured> {
  const plainRun = await StepRun.open(plain, config, phase);
  let wanted: StepMetrics;
  let ofPlain: Timing | undefined;
  try {
    const first = await plainRun.run(1);
    wanted = first.metrics;
    if (first.seconds < LONGEST_PLAIN) {
      const samples: number[] = [];
      for (let sample = 0; sample < SAMPLES; sample++) samples.push((await plainRun.run(1)).seconds);
      ofPlain = summarize(samples);
    }
  } finally {
    plainRun.dispose();
  }
  const fastRun = await StepRun.open(fast, config, phase);
  try {
    const difference = differenceOf((await fastRun.run(1)).metrics, wanted);
    const ofFast = await timeRepeated(async (count) => (await fastRun.run(count)).seconds);
    const compared = ofPlain ? { plain: ofPlain, ratio: ofPlain.seconds / ofFast.seconds } : {};
    return { fast: ofFast, ...compared, difference, statistics: fastRun.statistics };
  } finally {
    fastRun.dispose();
  }
}

/** Relative difference of what one step gave both ways. */
function differenceOf(fast: StepMetrics, plain: StepMetrics): number {
  const relative = (a: number, b: number): number => Math.abs(a - b) / Math.abs(b);
  const difference = Math.max(relative(fast.loss, plain.loss), relative(fast.gradNorm, plain.gradNorm));
  if (!(difference <= TOLERANCE)) {
    throw new Error(
      `step ${plain.step}: fast kernels give loss ${fast.loss} and gradient norm ${fast.gradNorm}, ` +
        `plain ones ${plain.loss} and ${plain.gradNorm}`,
    );
  }
  return difference;
}

/** A training with random weights for student and teacher. */
export class StepRun {
  private done = 0;

  private constructor(
    private readonly trainer: Trainer,
    private readonly owned: Owned,
  ) {}

  /** @param isRun whether it is ever run: weights are drawn, which takes most of the time */
  static async open(engine: Engine, config: Config, phase: StepCase['phase'], isRun = true): Promise<StepRun> {
    const owned = new Owned();
    const { seed, batch } = config.training;
    try {
      const teacher = phase === 'imae' ? makeModel(engine, config, 'teacher', { frozen: true }) : undefined;
      if (teacher) {
        owned.own(teacher.parameters);
        if (isRun) initializeModel(teacher, seed + 1);
      }
      const model = makeModel(engine, config, phase);
      owned.own(model.parameters);
      if (isRun) initializeModel(model, seed);
      const set = makeShapes({ count: Math.max(batch, 64), size: config.model.image, seed });
      const images = new ResidentImages(engine, set);
      owned.own(images);
      const trainer = await Trainer.create({ engine, config, phase, set, images, model, teacher });
      owned.own(trainer);
      return new StepRun(trainer, owned);
    } catch (error) {
      owned.dispose();
      throw error;
    }
  }

  get statistics(): Measured['statistics'] {
    const [{ statistics }] = this.trainer.programs;
    return statistics;
  }

  /** The next steps, timed together from the first's inputs to the last's metrics, which are returned. */
  async run(count: number): Promise<{ readonly seconds: number; readonly metrics: StepMetrics }> {
    let metrics: StepMetrics | undefined;
    const start = performance.now();
    this.done = await this.trainer.run(this.done, this.done + count, (measured) => {
      metrics = measured;
      return false;
    });
    return { seconds: (performance.now() - start) / 1000, metrics: metrics as unknown as StepMetrics };
  }

  dispose(): void {
    this.owned.dispose();
  }
}
