import { type ImageSet } from '../data/imageSet';
import { philoxKey, purposes, RandomStream } from '../data/philox';
import { ResidentImages } from '../data/residentImages';
import { BatchOrder, ClassIndex, drawAlphas, drawCrops, partnerIndices, type AlphaLaw, type Pairing } from '../data/sampler';
import type { Engine } from '../gpu/engine';
import { Parameters } from '../nn/parameters';
import { augment } from '../ops/augment';
import { concat } from '../ops/concat';
import { drawMasks } from '../ops/mask';
import { AdamW } from '../optim/adamw';
import { gradientNorm } from '../optim/gradientNorm';
import { LossScaling } from '../optim/lossScaling';
import { learningRateAt } from '../optim/schedule';
import { Graph, type TensorProgram } from '../tensor/graph';
import type { Tensor } from '../tensor/tensor';
import {
  distillationWeights,
  patchCount,
  planPhase,
  studentSize,
  teacherSize,
  visiblePatches,
  type Config,
  type Phase,
  type PhasePlan,
} from './config';
import { maeSpecs, type Branches } from './mae';
import { imaeObjective, maeObjective, type Losses, type Model } from './objective';
import { normalisation } from './normalisation';

/** What a step measured. */
export interface StepMetrics {
  /** Steps done before it. */
  readonly step: number;
  readonly loss: number;
  /** The parts of the loss, unweighted: `pixelSubordinate`, `pixelDominant`, `distillSubordinate`, … or `pixel`. */
  readonly parts: Readonly<Record<string, number>>;
  readonly lr: number;
  /** Not finite where the step was skipped. */
  readonly gradNorm: number;
  /** In f16: the factor that the gradients had, whether they overflowed so that the step changed nothing, and how many did so far. */
  readonly scaling?: { readonly scale: number; readonly isSkipped: boolean; readonly skipped: number };
}

/** Inputs of a micro-batch; the second image of a pair is absent for a vanilla MAE. */
interface BatchInputs {
  readonly first: { readonly indices: Tensor; readonly crops: Tensor };
  readonly second?: { readonly indices: Tensor; readonly crops: Tensor };
  readonly alpha?: Tensor;
}

/** Steps that may be under way on the GPU before the host waits for the oldest. */
const IN_FLIGHT = 2;

/** How many branches a phase's model has. */
export function branchesOf(config: Config, phase: Phase): Branches {
  return phase === 'imae' && config.imae.branches === 'two-way' ? 2 : 1;
}

/** The model of a phase, with memory but without values. */
export function makeModel(engine: Engine, config: Config, phase: Phase, options: { readonly frozen?: boolean } = {}): Model {
  const size = phase === 'teacher' ? teacherSize(config) : studentSize(config);
  const branches = branchesOf(config, phase);
  return { size, branches, parameters: new Parameters(engine, phase, maeSpecs(size, branches), { ...options, precision: config.device.precision }) };
}

/** Random initial weights; each parameter has a stream of its own. */
export function initializeModel({ parameters }: Model, seed: number): void {
  parameters.initialize((index) => RandomStream.at(seed, purposes.init, index));
}

/**
 * Trains the model of one phase: a program recorded once, run a step at a time. What a step draws depends on seed and
 * step alone, so that a run which is interrupted and resumed goes on with the same bits.
 */
export class Trainer {
  readonly plan: PhasePlan;
  private readonly images: ResidentImages;
  private readonly order: BatchOrder;
  private readonly pairing: Pairing;

  private constructor(
    private readonly config: Config,
    readonly phase: Phase,
    private readonly set: ImageSet,
    readonly model: Model,
    readonly optimizer: AdamW,
    resources: {
      readonly images: ResidentImages;
      readonly program: TensorProgram;
      readonly recorded: Recorded;
      readonly teacher: Model | undefined;
    },
  ) {
    const { training, masking } = config;
    this.images = resources.images;
    this.program = resources.program;
    this.recorded = resources.recorded;
    this.teacher = resources.teacher;
    this.plan = planPhase(config, phase, set.count);
    this.order = new BatchOrder(training.seed, training.batch, set.count);
    this.pairing =
      masking.sameProb === 'random'
        ? { kind: 'random', count: set.count }
        : { kind: 'byClass', sameProb: masking.sameProb, classes: new ClassIndex(set.labels) };
  }

  readonly program: TensorProgram;
  private readonly recorded: Recorded;
  private readonly teacher: Model | undefined;

  /**
   * Records and compiles the step.
   *
   * @param model of the phase; the trainer trains it and does not own it
   * @param teacher what i-MAE is distilled from
   * @throws EngineError where memory is short
   */
  static async create(
    engine: Engine,
    config: Config,
    phase: Phase,
    set: ImageSet,
    model: Model,
    teacher?: Model,
  ): Promise<Trainer> {
    const images = new ResidentImages(engine, set);
    let optimizer: AdamW | undefined;
    try {
      const scaling = config.device.precision === 'f16' ? new LossScaling(engine) : undefined;
      optimizer = new AdamW(engine, model.parameters, config.optimizer, scaling);
      const recorded = recordStep(engine, config, phase, set, images, model, optimizer, teacher);
      const program = await recorded.graph.compile();
      return new Trainer(config, phase, set, model, optimizer, { images, program, recorded, teacher });
    } catch (error) {
      images.dispose();
      optimizer?.dispose();
      throw error;
    }
  }

  /**
   * Runs steps `from` to `to` − 1, and gives `each` what every one measured, a little later. Where `each` returns true,
   * the steps under way are finished and no more are begun.
   *
   * @returns the number of steps done
   */
  async run(from: number, to: number, each: (metrics: StepMetrics) => boolean): Promise<number> {
    for (const model of [this.model, this.teacher]) await model?.parameters.updateHalves();
    const pending: Promise<StepMetrics>[] = [];
    let step = from;
    let stop = false;
    try {
      while (pending.length > 0 || (step < to && !stop)) {
        if (step < to && !stop) {
          this.writeInputs(step);
          this.program.run();
          const metrics = this.readMetrics(step++);
          metrics.catch(() => undefined); // awaited in its turn; a failure before that is not unhandled
          pending.push(metrics);
          if (pending.length <= IN_FLIGHT) continue;
        }
        if (each(await (pending.shift() as Promise<StepMetrics>))) stop = true;
      }
    } finally {
      await Promise.allSettled(pending);
    }
    return step;
  }

  /** The learning rate of a step. */
  learningRate(step: number): number {
    const { steps, warmupSteps, peakLearningRate: peak } = this.plan;
    return learningRateAt({ peak, minimum: this.config.schedule.minLr, warmupSteps, steps }, step);
  }

  private writeInputs(step: number): void {
    const { config, program, recorded, set } = this;
    const { batch, accumulate, seed } = config.training;
    const size = batch / accumulate;
    const indices = this.order.indices(step);
    const crops = cropBoxes(config, set, step, recorded.paired ? 2 * batch : batch);
    const partners = recorded.paired ? partnerIndices(seed, step, indices, this.pairing) : undefined;
    const alphas = recorded.paired ? drawAlphas(seed, step, batch, alphaLaw(config)) : undefined;
    for (const [index, { first, second, alpha }] of recorded.batches.entries()) {
      const at = index * size;
      program.write(first.indices, indices.subarray(at, at + size));
      program.write(first.crops, crops.subarray(5 * at, 5 * (at + size)));
      if (second && partners) {
        program.write(second.indices, partners.subarray(at, at + size));
        program.write(second.crops, crops.subarray(5 * (batch + at), 5 * (batch + at + size)));
      }
      if (alpha && alphas) program.write(alpha, alphas.subarray(at, at + alpha.size));
    }
    program.write(recorded.counter, Uint32Array.of(...philoxKey(seed), purposes.mask, step));
    program.write(recorded.hyper, this.optimizer.hyper(this.learningRate(step), step + 1));
  }

  private async readMetrics(step: number): Promise<StepMetrics> {
    const { names, metrics } = this.recorded;
    const values = (await this.program.read(metrics)) as Float32Array;
    // Each micro-batch leaves its loss (weighted by its share) and its parts (its own means), one after another.
    const { accumulate } = this.config.training;
    const stride = 1 + names.length;
    let loss = 0;
    const parts: Record<string, number> = {};
    for (let index = 0; index < accumulate; index++) {
      loss += values[index * stride] as number;
      for (const [part, name] of names.entries()) {
        parts[name] = (parts[name] ?? 0) + (values[index * stride + 1 + part] as number) / accumulate;
      }
    }
    const [gradNorm = 0, , good, scale = 0, skipped = 0] = values.subarray(accumulate * stride);
    const scaling = this.optimizer.scaling && { scale, isSkipped: good === 0, skipped };
    return { step, loss, parts, lr: this.learningRate(step), gradNorm, ...(scaling ? { scaling } : {}) };
  }

  /** Releases what the trainer made; the model stays. */
  dispose(): void {
    this.program.dispose();
    this.images.dispose();
    this.optimizer.dispose();
  }
}

interface Recorded {
  readonly graph: Graph;
  readonly paired: boolean;
  readonly batches: readonly BatchInputs[];
  readonly counter: Tensor;
  readonly hyper: Tensor;
  /** Loss and parts of each micro-batch, then what `gradientNorm` gives. */
  readonly metrics: Tensor;
  /** What the parts are called. */
  readonly names: readonly string[];
}

/** One training step: every micro-batch forward and backward, then the update. */
function recordStep(
  engine: Engine,
  config: Config,
  phase: Phase,
  set: ImageSet,
  images: ResidentImages,
  model: Model,
  optimizer: AdamW,
  teacher: Model | undefined,
): Recorded {
  const { training, masking, optimizer: settings } = config;
  const graph = new Graph(engine, { precision: config.device.precision });
  const paired = phase === 'imae';
  const counter = graph.input('mask counter', [4], 'u32');
  const hyper = optimizer.hyperInput(graph);
  const batch = training.batch / training.accumulate;
  const batches: BatchInputs[] = [];
  const measured: Tensor[] = [];
  let names: readonly string[] = [];

  for (let index = 0; index < training.accumulate; index++) {
    const view = (which: string): { indices: Tensor; crops: Tensor; images: Tensor } => {
      const indices = graph.input(`${which} indices`, [batch], 'u32');
      const crops = graph.input(`${which} crops`, [batch, 5]);
      const { mean, std } = normalisation(config, set);
      const inputs = { chunks: images.chunks, indices, crops, mean, std, size: config.model.image };
      return { indices, crops, images: augment(graph, inputs) };
    };
    const masks = drawMasks(graph, {
      batch,
      length: patchCount(model.size),
      keep: visiblePatches(model.size, masking.maskRatio),
      counter,
      firstSample: index * batch,
    });
    const first = view('first');
    let losses: Losses;
    if (paired) {
      const second = view('second');
      const perBatch = masking.alphaPer === 'batch' || masking.alpha.law === 'fixed';
      const alpha = graph.input('alpha', [perBatch ? 1 : batch]);
      batches.push({ first, second, alpha });
      const { subordinate, dominant } = distillationWeights(config);
      const pair = { image1: first.images, image2: second.images, alpha };
      losses = imaeObjective(graph, model, teacher, pair, masks, {
        lambda: [subordinate, dominant],
        normPix: config.model.normPix,
        share: 1 / training.accumulate,
      });
    } else {
      batches.push({ first });
      losses = maeObjective(graph, model, first.images, masks, config.model.normPix, 1 / training.accumulate);
    }
    graph.backward(losses.loss, optimizer.scaling?.scale);
    measured.push(losses.loss, losses.pixel, ...(losses.distill ? [losses.distill] : []));
    names = partNames(paired, model.branches, losses.distill !== undefined);
  }
  const norm = gradientNorm(graph, model.parameters.arenas, settings.clipNorm, optimizer.scaling);
  optimizer.record(graph, hyper, norm);
  const metrics = concat(graph, [...measured, norm].map((tensor) => tensor.detach()));
  graph.output(metrics);
  return { graph, paired, batches, counter, hyper, metrics, names };
}

function partNames(paired: boolean, branches: Branches, distilled: boolean): string[] {
  if (!paired) return ['pixel'];
  const sides = ['Subordinate', 'Dominant'].slice(0, branches);
  return ['pixel', ...(distilled ? ['distill'] : [])].flatMap((part) => sides.map((side) => part + side));
}

function alphaLaw({ masking: { alpha, alphaPer: per } }: Config): AlphaLaw {
  switch (alpha.law) {
    case 'fixed':
      return { kind: 'fixed', value: alpha.value };
    case 'beta':
      return { kind: 'beta', a: alpha.a, b: alpha.b, per };
    case 'uniform':
      return { kind: 'uniform', low: alpha.low, high: alpha.high, per };
  }
}

/** Boxes for `count` samples of a step: random crops, or the whole image. */
function cropBoxes({ data, training }: Config, { width, height }: ImageSet, step: number, count: number): Float32Array {
  return drawCrops(training.seed, step, count, { scale: data.crop, flip: data.flip }, width, height);
}
