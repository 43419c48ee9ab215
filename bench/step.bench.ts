import { makeShapes } from '../src/data/shapes';
import type { Engine } from '../src/gpu/engine';
import { stepFlops } from '../src/imae/accounting';
import { resolveConfig, studentSize, teacherSize, type Config } from '../src/imae/config';
import { initializeModel, makeModel, Trainer, type StepMetrics } from '../src/imae/trainer';

/** A two-way i-MAE step as `--preset cifar --patch 4 --batch 16` trains it. */
const CONFIG = resolveConfig([
  { source: 'step bench', values: { preset: 'cifar', model: { patch: 4 }, imae: { branches: 'two-way' }, training: { batch: 16 } } },
]);

/**
 * Bound on the relative difference between fast and plain kernels in loss and gradient norm. Their sums differ in order
 * only: each rounds to about 1e-6, and tens of layers lie on the way.
 */
const TOLERANCE = 2e-5;

const SAMPLES = 3;

export interface StepTiming {
  /** A step's, in the median. */
  readonly seconds: number;
  readonly gflops: number;
}

export interface StepComparison {
  readonly name: string;
  /** Of a step, by the usual rule of 6 × parameters × tokens: see `stepFlops`. */
  readonly flops: number;
  readonly fast: StepTiming;
  readonly plain: StepTiming;
  /** How many times as fast the fast kernels are: the median over pairs of samples taken one after the other. */
  readonly ratio: number;
  /** The largest relative difference in loss or gradient norm, and what it may be. */
  readonly difference: number;
  readonly tolerance: number;
}

/**
 * Times training steps with the fast kernels and with the plain ones, turn by turn, so that what else the machine does
 * hits both. Each step is checked to give the same loss and gradient norm both ways.
 *
 * @param plain on the same adapter as `fast`
 * @throws Error where they differ by more than `TOLERANCE`
 */
export async function compareSteps(fast: Engine, plain: Engine): Promise<StepComparison> {
  const size = studentSize(CONFIG);
  const { batch } = CONFIG.training;
  const shape = { size, branches: 2, maskRatio: CONFIG.masking.maskRatio, batch, teacher: teacherSize(CONFIG) } as const;
  const flops = stepFlops(shape);
  const runs = { fast: await StepRun.open(fast, CONFIG), plain: await StepRun.open(plain, CONFIG) };
  try {
    // The first step warms up: drivers compile late.
    let difference = differenceOf((await runs.fast.step()).metrics, (await runs.plain.step()).metrics);
    const samples: { fast: number; plain: number }[] = [];
    for (let sample = 0; sample < SAMPLES; sample++) {
      const ofFast = await runs.fast.step();
      const ofPlain = await runs.plain.step();
      difference = Math.max(difference, differenceOf(ofFast.metrics, ofPlain.metrics));
      samples.push({ fast: ofFast.seconds, plain: ofPlain.seconds });
    }
    const timing = (which: 'fast' | 'plain'): StepTiming => {
      const seconds = median(samples.map((sample) => sample[which]));
      return { seconds, gflops: flops / seconds / 1e9 };
    };
    return {
      name: `two-way i-MAE, cifar, patch ${size.patch}, batch ${batch}`,
      flops,
      fast: timing('fast'),
      plain: timing('plain'),
      ratio: median(samples.map((sample) => sample.plain / sample.fast)),
      difference,
      tolerance: TOLERANCE,
    };
  } finally {
    runs.fast.dispose();
    runs.plain.dispose();
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

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] as number;
}

/** A training with random weights for student and teacher, one step at a time. */
class StepRun {
  private done = 0;

  private constructor(
    private readonly trainer: Trainer,
    private readonly owned: readonly { dispose(): void }[],
  ) {}

  static async open(engine: Engine, config: Config): Promise<StepRun> {
    const owned: { dispose(): void }[] = [];
    try {
      const teacher = makeModel(engine, config, 'teacher', { frozen: true });
      owned.push(teacher.parameters);
      initializeModel(teacher, config.training.seed + 1);
      const model = makeModel(engine, config, 'imae');
      owned.push(model.parameters);
      initializeModel(model, config.training.seed);
      const set = makeShapes({ count: 256, size: config.model.image, seed: config.training.seed });
      const trainer = await Trainer.create(engine, config, 'imae', set, model, teacher);
      owned.push(trainer);
      return new StepRun(trainer, owned);
    } catch (error) {
      dispose(owned);
      throw error;
    }
  }

  /** The next step, timed from its inputs to its metrics. */
  async step(): Promise<{ readonly seconds: number; readonly metrics: StepMetrics }> {
    let metrics: StepMetrics | undefined;
    const start = performance.now();
    this.done = await this.trainer.run(this.done, this.done + 1, (measured) => {
      metrics = measured;
      return false;
    });
    return { seconds: (performance.now() - start) / 1000, metrics: metrics as unknown as StepMetrics };
  }

  dispose(): void {
    dispose(this.owned);
  }
}

function dispose(owned: readonly { dispose(): void }[]): void {
  for (const resource of owned.toReversed()) resource.dispose();
}
