import { drawAlphas } from '../../data/alphaLaw';
import type { SetFacts, TrainingSet } from '../../data/imageSet';
import { philoxKey, purposes } from '../../data/philox';
import { BatchOrder, ClassIndex, drawCrops, partnerIndices, sameClassShare, type Pairing } from '../../data/sampler';
import type { ImageUploader } from '../../data/upload/imageUploader';
import type { Engine } from '../../gpu/engine';
import type { AdamW } from '../../optim/adamw';
import { LossScaling } from '../../optim/lossScaling';
import { learningRateAt } from '../../optim/schedule';
import type { TensorProgram } from '../../tensor/graph';
import { disposeTensor } from '../../tensor/tensor';
import { planPhase, type Config, type Phase, type PhasePlan } from '../config/config';
import type { Model } from '../model/mae';
import { trainingImages } from './gpuResidency';
import { makeOptimizer } from './models';
import { objectiveOf, type Objective } from './objectives';
import type { StepProfiler } from './profiler';
import { recordStep, type RecordedStep } from './recordStep';

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

/** The images of a step, and their partners where they are mixed: indices into the set. */
interface Drawn {
  readonly indices: Uint32Array;
  readonly partners?: Uint32Array;
}

/** Steps that may be under way on the GPU before the host waits for the oldest. */
const IN_FLIGHT = 2;

/** Runs that are waited for one by one at first, so that the program learns how long one takes, and sizes its submits. */
const SINGLE_RUNS = 3;

/** What is trained, and on what. */
export interface TrainerSetup {
  readonly engine: Engine;
  readonly config: Config;
  readonly phase: Phase;
  readonly set: TrainingSet;
  /** Of the phase; the trainer trains it and does not own it. */
  readonly model: Model;
  /** What i-MAE is distilled from; it must be there as long as the trainer runs. */
  readonly teacher?: Model | undefined;
}

/** What a trainer makes for itself. */
interface TrainerParts {
  readonly images: ImageUploader;
  readonly optimizer: AdamW;
  readonly recorded: RecordedStep;
  readonly program: TensorProgram;
  readonly update?: TensorProgram | undefined;
  readonly owned: readonly { dispose(): void }[];
}

/**
 * Trains the model of one phase: a program recorded once, run a step at a time; where a batch is computed in parts, one
 * that is run for each part, and one for the update. What a step draws depends on seed and step alone, so that a run which
 * is interrupted and resumed goes on with the same bits.
 */
export class Trainer {
  readonly plan: PhasePlan;
  private readonly objective: Objective;
  private readonly order: BatchOrder;
  private readonly pairing: Pairing;
  /** Of steps that are under way or looked ahead at. */
  private readonly drawn = new Map<number, Drawn>();
  /** Of `program`, so far. */
  private runs = 0;

  private constructor(
    private readonly setup: TrainerSetup,
    private readonly made: TrainerParts,
  ) {
    const { config, phase, set } = setup;
    this.objective = objectiveOf(config, phase);
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

  get model(): Model {
    return this.setup.model;
  }

  get optimizer(): AdamW {
    return this.made.optimizer;
  }

  /** Computes a micro-batch; with its update, where it is the whole batch. */
  get program(): TensorProgram {
    return this.made.program;
  }

  /** Updates the weights, where `program` does not. */
  get update(): TensorProgram | undefined {
    return this.made.update;
  }

  /**
   * Records and compiles the step.
   *
   * @throws EngineError where memory is short
   */
  static async create(setup: TrainerSetup): Promise<Trainer> {
    const { engine, config, phase, set, model } = setup;
    const owned: { dispose(): void }[] = [];
    const own = <T extends { dispose(): void }>(resource: T): T => {
      owned.push(resource);
      return resource;
    };
    try {
      const images = own(trainingImages(engine, config, phase, set));
      const scaling = config.device.precision === 'f16' ? new LossScaling(engine) : undefined;
      const optimizer = own(makeOptimizer(engine, config, model.parameters, scaling));
      const recorded = recordStep({ ...setup, images, optimizer });
      const { sums } = recorded;
      if (sums) owned.push({ dispose: () => disposeTensor(engine, sums) });
      const program = own(await recorded.graph.compile());
      const update = recorded.update && own(await recorded.update.compile());
      engine.prepareReads(4 * recorded.metrics.size, IN_FLIGHT + 1);
      return new Trainer(setup, { images, optimizer, recorded, program, update, owned });
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
    for (const model of [this.setup.model, this.setup.teacher]) await model?.parameters.updateHalves();
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
    const { minLr: minimum, decay } = this.setup.config.schedule;
    return learningRateAt({ peak, minimum, warmupSteps, steps, decay }, step);
  }

  /** Which images a step takes: they follow from seed and step. */
  private draw(step: number): Drawn {
    let drawn = this.drawn.get(step);
    if (!drawn) {
      const indices = this.order.indices(step);
      const { seed } = this.setup.config.training;
      drawn = {
        indices,
        ...(this.objective.inputs === 'pairs' ? { partners: partnerIndices(seed, step, indices, this.pairing) } : {}),
      };
      this.drawn.set(step, drawn);
    }
    return drawn;
  }

  /** @returns seconds that the GPU was through with the steps under way and had to wait; undefined where all images are there */
  private async waitForImages(step: number, underWay: readonly Promise<unknown>[]): Promise<number | undefined> {
    const ready = this.made.images.ready(step, (next) => {
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
    const { config, set } = this.setup;
    const { program, recorded, images, update = program } = this.made;
    const { objective } = this;
    const { batch, accumulate, seed } = config.training;
    const { masking } = config;
    const size = batch / accumulate;
    const paired = objective.inputs === 'pairs';
    const crops = cropBoxes(config, set, step, paired ? 2 * batch : batch);
    const alphas = paired ? drawAlphas(seed, step, batch, masking.alpha, masking.alphaPer) : undefined;
    const { first, second, alpha, counter } = recorded.inputs;
    if (recorded.sums) this.setup.engine.clear([...recorded.added]);
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
      program.write(counter, Uint32Array.of(...philoxKey(seed), purposes.mask, step, at * objective.masks));
      await run(program);
      if (this.runs++ < SINGLE_RUNS) await this.setup.engine.settle();
    }
    if (this.update) await run(this.update);
  }

  private async readMetrics(
    step: number,
    { indices, partners }: Drawn,
    waited: number | undefined,
  ): Promise<StepMetrics> {
    const { names, metrics } = this.made.recorded;
    const [loss, ...values] = (await (this.update ?? this.program).read(metrics)) as Float32Array;
    // The losses are weighted by the share of their micro-batch, the parts are not.
    const { accumulate } = this.setup.config.training;
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
      ...(partners ? { sameClass: sameClassShare(this.setup.set.labels, indices, partners) } : {}),
      ...(waited === undefined ? {} : { waited }),
    };
  }

  /** Releases what the trainer made; the model stays. */
  dispose(): void {
    for (const resource of this.made.owned) resource.dispose();
  }
}

/** Boxes for `count` samples of a step: random crops, or the whole image. */
function cropBoxes({ data, training }: Config, { width, height }: SetFacts, step: number, count: number): Float32Array {
  return drawCrops(training.seed, step, count, { scale: data.crop, flip: data.flip }, { width, height });
}
