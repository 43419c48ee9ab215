import type { SetFacts, TrainingSet } from '../../data/imageSet';
import { drawAlphas, isConstant } from '../../data/alphaLaw';
import { philoxKey, purposes, RandomStream } from '../../data/philox';
import type { ImageUploader } from '../../data/upload/imageUploader';
import { BatchOrder, ClassIndex, drawCrops, partnerIndices, sameClassShare, type Pairing } from '../../data/sampler';
import type { Engine } from '../../gpu/engine';
import type { DeviceBuffer } from '../../gpu/pool';
import type { Slice } from '../../gpu/storage';
import type { Parameters } from '../../nn/parameters';
import { augment } from '../../ops/augment';
import type { Alignment } from '../../ops/alignment';
import { concat } from '../../ops/concat';
import { AdamW } from '../../optim/adamw';
import { gradientNorm } from '../../optim/gradientNorm';
import { LossScaling } from '../../optim/lossScaling';
import { learningRateAt } from '../../optim/schedule';
import { addInPlace } from '../../tensor/accumulate';
import { Graph, type TensorProgram } from '../../tensor/graph';
import { createTensor, disposeTensor, type Tensor } from '../../tensor/tensor';
import {
  distillationWeights,
  planPhase,
  studentSize,
  teacherSize,
  type Config,
  type Phase,
  type PhasePlan,
} from '../config/config';
import { lcmaeObjective } from '../lcmae/objective';
import { allocateModel, type Branches, type Masks } from '../model/mae';
import { maskOf, masksAnImage, recordMasks } from '../mask/masks';
import { imaeObjective, maeObjective, type Losses } from '../model/objective';
import type { Model } from '../model/mae';
import { normalisation } from '../model/normalisation';
import { trainingImages } from './gpuResidency';
import type { StepProfiler } from './profiler';

/** What a step measured. */
export interface StepMetrics {
  /** Steps done before it. */
  readonly step: number;
  readonly loss: number;
  /** The parts of the loss, unweighted: `pixelSubordinate`, `pixelDominant`, `distillSubordinate`, … or `pixel`, with `align` and `centre`. */
  readonly parts: Readonly<Record<string, number>>;
  readonly lr: number;
  /** Not finite where the step was skipped. */
  readonly gradNorm: number;
  /** In f16: the factor that the gradients had, whether they overflowed so that the step changed nothing, and how many did so far. */
  readonly scaling?: { readonly scale: number; readonly isSkipped: boolean; readonly skipped: number };
  /** Of pairs: the share whose two images are of one class. */
  readonly sameClass?: number;
  /** Of a streamed set: seconds that the GPU had nothing to do before it, since its images were not there. */
  readonly waited?: number;
}

/** Inputs that each micro-batch is given; the second image of a pair is absent for a vanilla MAE. */
interface BatchInputs {
  readonly first: { readonly indices: Tensor; readonly crops: Tensor };
  readonly second?: { readonly indices: Tensor; readonly crops: Tensor };
  readonly alpha?: Tensor;
}

/** The images of a step, and their partners where they are mixed: indices into the set. */
interface Drawn {
  readonly indices: Uint32Array;
  readonly partners?: Uint32Array;
}

/** Steps that may be under way on the GPU before the host waits for the oldest. */
const IN_FLIGHT = 2;

/** Runs that are waited for one by one at first, so that the program learns how long one takes, and sizes its submits. */
const SINGLE_RUNS = 3;

/** How many branches a phase's model has. */
export function branchesOf(config: Config, phase: Phase): Branches {
  return phase === 'imae' && config.imae.branches === 'two-way' ? 2 : 1;
}

/** The model of a phase, with memory but without values. */
export function makeModel(
  engine: Engine,
  config: Config,
  phase: Phase,
  options: { readonly frozen?: boolean } = {},
): Model {
  const size = phase === 'teacher' ? teacherSize(config) : studentSize(config);
  const branches = branchesOf(config, phase);
  return allocateModel(engine, phase, { size, branches }, { ...options, precision: config.device.precision });
}

/** Weights of an MAE that are products' matrices, embedding and prediction among them; queries, keys and values are three. */
const MUON_MATRIX =
  /(?:\.attn\.(?:(qkv)|proj)|\.mlp\.fc[12]|^decoder_embed\d?|^decoder_pred|^patch_embed\.proj)\.weight$/;

/** AdamW, with Muon for the matrices where the configuration says so. */
export function makeOptimizer(engine: Engine, config: Config, parameters: Parameters, scaling?: LossScaling): AdamW {
  const { muon: rate, ...options } = config.optimizer;
  const matrices = ({ name }: { readonly name: string }): number => {
    const match = MUON_MATRIX.exec(name);
    return match ? (match[1] ? 3 : 1) : 0;
  };
  return new AdamW(engine, parameters, { ...options, ...(rate > 0 ? { muon: { rate, matrices } } : {}) }, scaling);
}

/** Random initial weights; each parameter has a stream of its own. */
export function initializeModel({ parameters }: Model, seed: number): void {
  parameters.initialize((index) => RandomStream.at(seed, purposes.init, index));
}

/** Random weights to compare trained ones with: others than any model begins with, whatever its seed. */
export function randomizeModel({ parameters }: Pick<Model, 'parameters'>, seed: number): void {
  parameters.initialize((index) => RandomStream.at(seed, purposes.baseline, index));
}

/**
 * Trains the model of one phase: a program recorded once, run a step at a time; where a batch is computed in parts, one
 * that is run for each part, and one for the update. What a step draws depends on seed and step alone, so that a run which
 * is interrupted and resumed goes on with the same bits.
 */
export class Trainer {
  readonly plan: PhasePlan;
  private readonly order: BatchOrder;
  private readonly pairing: Pairing;
  /** Of steps that are under way or looked ahead at. */
  private readonly drawn = new Map<number, Drawn>();
  /** Of `program`, so far. */
  private runs = 0;

  private constructor(
    private readonly engine: Engine,
    private readonly config: Config,
    readonly phase: Phase,
    private readonly set: TrainingSet,
    private readonly images: ImageUploader,
    readonly model: Model,
    readonly optimizer: AdamW,
    private readonly recorded: Recorded,
    /** What i-MAE is distilled from; it must be there as long as the trainer runs. */
    private readonly teacher: Model | undefined,
    /** Computes a micro-batch; with its update, where it is the whole batch. */
    readonly program: TensorProgram,
    /** Updates the weights, where `program` does not. */
    readonly update: TensorProgram | undefined,
    private readonly owned: readonly { dispose(): void }[],
  ) {
    const { training, masking } = config;
    this.plan = planPhase(config, phase, set.count);
    this.order = new BatchOrder(training.seed, training.batch, set.count);
    this.pairing =
      masking.sameProb === 'random'
        ? { kind: 'random', count: set.count }
        : { kind: 'byClass', sameProb: masking.sameProb, classes: new ClassIndex(set.labels) };
  }

  /** Measures some of the steps, where it is set. */
  profiler: StepProfiler | undefined;

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
    set: TrainingSet,
    model: Model,
    teacher?: Model,
  ): Promise<Trainer> {
    const owned: { dispose(): void }[] = [];
    const own = <T extends { dispose(): void }>(resource: T): T => {
      owned.push(resource);
      return resource;
    };
    try {
      const images = own(trainingImages(engine, config, phase, set));
      const scaling = config.device.precision === 'f16' ? new LossScaling(engine) : undefined;
      const optimizer = own(makeOptimizer(engine, config, model.parameters, scaling));
      const recorded = recordStep(engine, config, phase, set, images, model, optimizer, teacher);
      const { sums, update } = recorded;
      if (sums) owned.push({ dispose: () => disposeTensor(engine, sums) });
      const program = own(await recorded.graph.compile());
      const updateProgram = update && own(await update.compile());
      engine.prepareReads(4 * recorded.metrics.size, IN_FLIGHT + 1);
      return new Trainer(
        engine,
        config,
        phase,
        set,
        images,
        model,
        optimizer,
        recorded,
        teacher,
        program,
        updateProgram,
        owned,
      );
    } catch (error) {
      for (const resource of owned) resource.dispose();
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
          const drawn = this.draw(step);
          this.drawn.delete(step - 1);
          const waited = await this.waitForImages(step, pending);
          if (this.profiler) await this.profiler.step(step, (run) => this.submit(step, drawn, run));
          else await this.submit(step, drawn, (program) => program.run());
          const metrics = this.readMetrics(step++, drawn, waited);
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
    const { minLr: minimum, decay } = this.config.schedule;
    return learningRateAt({ peak, minimum, warmupSteps, steps, decay }, step);
  }

  /** Which images a step takes: they follow from seed and step. */
  private draw(step: number): Drawn {
    let drawn = this.drawn.get(step);
    if (!drawn) {
      const indices = this.order.indices(step);
      const { seed } = this.config.training;
      drawn = {
        indices,
        ...(this.recorded.paired ? { partners: partnerIndices(seed, step, indices, this.pairing) } : {}),
      };
      this.drawn.set(step, drawn);
    }
    return drawn;
  }

  /** @returns seconds that the GPU was through with the steps under way and had to wait; undefined where all images are there */
  private async waitForImages(step: number, underWay: readonly Promise<unknown>[]): Promise<number | undefined> {
    const ready = this.images.ready(step, (next) => {
      if (next >= this.plan.steps) return undefined;
      const { indices, partners = [] } = this.draw(next);
      return Uint32Array.of(...indices, ...partners);
    });
    if (!ready) return undefined;
    let idleSince: number | undefined;
    void Promise.allSettled(underWay).then(() => (idleSince = performance.now()));
    await ready;
    return idleSince === undefined ? 0 : (performance.now() - idleSince) / 1000;
  }

  private async submit(
    step: number,
    { indices, partners }: Drawn,
    run: (program: TensorProgram) => void | Promise<void>,
  ): Promise<void> {
    const { config, program, recorded, set, images, update = program } = this;
    const { batch, accumulate, seed } = config.training;
    const { masking } = config;
    const size = batch / accumulate;
    const crops = cropBoxes(config, set, step, recorded.paired ? 2 * batch : batch);
    const alphas = recorded.paired ? drawAlphas(seed, step, batch, masking.alpha, masking.alphaPer) : undefined;
    const { first, second, alpha } = recorded.inputs;
    if (recorded.sums) this.engine.clear([...recorded.added]);
    update.write(recorded.hyper, this.optimizer.hyper(this.learningRate(step), step + 1));
    for (let at = 0; at < batch; at += size) {
      const lists = [indices, ...(partners ? [partners] : [])].map((list) => list.subarray(at, at + size));
      const [ofFirst, ofSecond] = images.place(lists) as [Uint32Array, Uint32Array?];
      program.write(first.indices, ofFirst);
      program.write(first.crops, crops.subarray(5 * at, 5 * (at + size)));
      if (second && ofSecond) {
        program.write(second.indices, ofSecond);
        program.write(second.crops, crops.subarray(5 * (batch + at), 5 * (batch + at + size)));
      }
      if (alpha && alphas) program.write(alpha, alphas.subarray(at, at + alpha.size));
      program.write(
        recorded.counter,
        Uint32Array.of(...philoxKey(seed), purposes.mask, step, at * masksAnImage(this.phase)),
      );
      await run(program);
      if (this.runs++ < SINGLE_RUNS) await this.engine.settle();
    }
    if (this.update) await run(this.update);
  }

  private async readMetrics(
    step: number,
    { indices, partners }: Drawn,
    waited: number | undefined,
  ): Promise<StepMetrics> {
    const { names, metrics } = this.recorded;
    const [loss, ...values] = (await (this.update ?? this.program).read(metrics)) as Float32Array;
    // The losses are weighted by the share of their micro-batch, the parts are not.
    const { accumulate } = this.config.training;
    const parts = Object.fromEntries(names.map((name, index) => [name, (values[index] as number) / accumulate]));
    const [gradNorm = 0, , good, scale = 0, skipped = 0] = values.slice(names.length);
    const scaling = this.optimizer.scaling && { scale, isSkipped: good === 0, skipped };
    return {
      step,
      loss: loss as number,
      parts,
      lr: this.learningRate(step),
      gradNorm,
      ...(scaling ? { scaling } : {}),
      ...(partners ? { sameClass: sameClassShare(this.set.labels, indices, partners) } : {}),
      ...(waited === undefined ? {} : { waited }),
    };
  }

  /** Releases what the trainer made; the model stays. */
  dispose(): void {
    for (const resource of this.owned) resource.dispose();
  }
}

export interface Recorded {
  /** A micro-batch, forward and backward; the update too, where there is but one. */
  readonly graph: Graph;
  /** Where there are several, the update. */
  readonly update?: Graph;
  readonly paired: boolean;
  readonly inputs: BatchInputs;
  readonly counter: Tensor;
  readonly hyper: Tensor;
  /** Where there are several micro-batches: loss and parts, which each of them adds to. */
  readonly sums?: Tensor;
  /** What the micro-batches of a step add to. */
  readonly added: readonly DeviceBuffer[];
  /** Loss and parts, each the sum over the micro-batches; then what `gradientNorm` gives. */
  readonly metrics: Tensor;
  /** What the parts are called. */
  readonly names: readonly string[];
}

/** Records a micro-batch, and the update that ends a step. */
export function recordStep(
  engine: Engine,
  config: Config,
  phase: Phase,
  set: SetFacts,
  images: ImageUploader,
  model: Model,
  optimizer: AdamW,
  teacher: Model | undefined,
): Recorded {
  const { training, masking, optimizer: settings } = config;
  const several = training.accumulate > 1;
  const graph = new Graph(engine, { addToParameters: several, precision: config.device.precision });
  const paired = phase === 'imae';
  const counter = graph.input('mask counter', [5], 'u32');
  const batch = training.batch / training.accumulate;
  const share = 1 / training.accumulate;
  const blocks = { recompute: training.recompute === 'blocks' };

  const view = (which: string): { indices: Tensor; crops: Tensor; images: Tensor } => {
    const indices = graph.input(`${which} indices`, [batch], 'u32');
    const crops = graph.input(`${which} crops`, [batch, 5]);
    const { mean, std } = normalisation(config, set);
    const whole = config.data.crop === null && !config.data.flip;
    const inputs = { chunks: images.chunks, indices, crops, whole, mean, std, size: config.model.image };
    return { indices, crops, images: augment(inputs) };
  };
  const masksOf = (seen: Tensor): Masks => recordMasks(config, { kind: maskOf(config, phase), seen, counter, teacher });
  const first = view('first');
  let inputs: BatchInputs = { first };
  const { normPix } = config.model;
  let losses: Losses & Partial<Alignment>;
  if (paired) {
    const second = view('second');
    const perBatch = masking.alphaPer === 'batch' || isConstant(masking.alpha);
    const alpha = graph.input('alpha', [perBatch ? 1 : batch]);
    inputs = { first, second, alpha };
    const { subordinate, dominant } = distillationWeights(config);
    const pair = { image1: first.images, image2: second.images, alpha };
    const { teacherInput } = config.imae;
    losses = imaeObjective(model, teacher, pair, masksOf, {
      lambda: [subordinate, dominant],
      normPix,
      share,
      teacherInput,
      blocks,
    });
  } else if (phase === 'lcmae') {
    const twice = concat([first.images, first.images]);
    losses = lcmaeObjective(model, twice, masksOf(twice), { mu: config.lcmae.mu, normPix, share, blocks });
  } else {
    losses = maeObjective(model, first.images, masksOf(first.images), normPix, share, blocks);
  }
  graph.backward(losses.loss, optimizer.scaling?.scale);
  const names = partNames(paired, model.branches, losses);
  const { pixel, distill, align, centre } = losses;
  let measured = [losses.loss, pixel, distill, align, centre]
    .filter((part) => part !== undefined)
    .map((part) => part.detach());

  const update = several ? new Graph(engine) : graph;
  const sums = several ? createTensor(engine, 'losses of a step', [1 + names.length], 'f32') : undefined;
  if (sums) {
    addInPlace(graph, sums, concat(measured), true);
    measured = [sums];
  }
  const hyper = optimizer.hyperInput(update);
  const norm = gradientNorm(update, model.parameters.arenas, settings.clipNorm, optimizer.scaling);
  optimizer.record(update, hyper, norm);
  const metrics = concat([...measured, norm]);
  update.output(metrics);
  const added = [
    ...model.parameters.arenas.map(({ gradients }) => gradients),
    ...(sums ? [(sums.storage as Slice).buffer] : []),
  ];
  return { graph, paired, inputs, counter, hyper, added, metrics, names, ...(sums ? { sums, update } : {}) };
}

function partNames(paired: boolean, branches: Branches, { distill, align }: Losses & Partial<Alignment>): string[] {
  if (!paired) return ['pixel', ...(align ? ['align', 'centre'] : [])];
  const sides = ['Subordinate', 'Dominant'].slice(0, branches);
  return ['pixel', ...(distill ? ['distill'] : [])].flatMap((part) => sides.map((side) => part + side));
}

/** Boxes for `count` samples of a step: random crops, or the whole image. */
function cropBoxes({ data, training }: Config, { width, height }: SetFacts, step: number, count: number): Float32Array {
  return drawCrops(training.seed, step, count, { scale: data.crop, flip: data.flip }, width, height);
}
