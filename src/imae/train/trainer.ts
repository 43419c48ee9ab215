import { at } from '../../common/at';
import { Owned } from '../../common/owned';
import { drawAlphas } from '../../data/alphaLaw';
import type { SetFacts } from '../../data/imageSet';
import { philoxKey } from '../../data/philox';
import * as purposes from '../../data/purposes';
import { BatchOrder, ClassIndex, drawCrops, partnerIndices, sameClassShare, type Pairing } from '../../data/sampler';
import type { ImageUploader } from '../../data/upload/imageUploader';
import type { CompiledProgram } from '../../engine/compiledProgram';
import type { Engine } from '../../engine/engine';
import { AHEAD, pipeline } from '../../engine/pipeline';
import type { AdamW } from '../../optim/adamw';
import { LossScaling } from '../../optim/lossScaling';
import { learningRateAt } from '../../optim/schedule';
import { disposeTensor } from '../../tensor/tensor';
import { planPhase, type Config, type Phase, type PhasePlan } from '../config/config';
import type { Model } from '../model/mae';
import { makeOptimizer } from './models';
import { objectiveOf, type Objective } from './objectives';
import type { StepProfiler } from './profiler';
import { makeSums, recordStep, type CompiledStep } from './recordStep';

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

/** What is trained, and on what. */
export interface TrainerSetup {
  readonly engine: Engine;
  readonly config: Config;
  readonly phase: Phase;
  readonly set: SetFacts;
  /** Of the set; they must be there as long as the trainer runs. */
  readonly images: ImageUploader;
  /** Of the phase; the trainer trains it and does not own it. */
  readonly model: Model;
  /** What i-MAE is distilled from; it must be there as long as the trainer runs. */
  readonly teacher?: Model | undefined;
}

/** What a trainer makes for itself. */
interface TrainerParts {
  readonly optimizer: AdamW;
  readonly step: CompiledStep;
  readonly owned: Owned;
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

  /** What runs: a micro-batch, and the update where that is not part of it. */
  get programs(): readonly [CompiledProgram, ...CompiledProgram[]] {
    const { batch, update } = this.made.step;
    return batch === update ? [batch] : [batch, update];
  }

  /**
   * Records and compiles the step.
   *
   * @throws EngineError where memory is short
   */
  static async create(setup: TrainerSetup): Promise<Trainer> {
    const { engine, config, phase, model } = setup;
    const owned = new Owned();
    try {
      const scaling = config.device.precision === 'f16' ? new LossScaling(engine) : undefined;
      const optimizer = owned.own(makeOptimizer(config, model.parameters, scaling));
      const sums = makeSums(engine, config, phase);
      if (sums) owned.own({ dispose: () => disposeTensor(engine, sums) });
      const step = owned.own(await recordStep({ ...setup, optimizer, sums }).compile());
      engine.prepareReads(4 * step.metrics.size, AHEAD + 1);
      return new Trainer(setup, { optimizer, step, owned });
    } catch (error) {
      owned.dispose();
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
    let isStopped = false;
    const done = await pipeline(
      async (index) => {
        const step = from + index;
        if (step === to || isStopped) return undefined;
        const drawn = this.draw(step);
        this.drawn.delete(step - 1);
        const waited = await this.waitForImages(step);
        if (this.profiler) await this.profiler.step(step, (run) => this.submit(step, drawn, run));
        else await this.submit(step, drawn, (program) => program.run());
        return { result: this.readMetrics(step, drawn, waited) };
      },
      (metrics) => {
        if (each(metrics)) isStopped = true;
      },
    );
    return from + done;
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
  private async waitForImages(step: number): Promise<number | undefined> {
    const ready = this.setup.images.ready(step, (next) => {
      if (next >= this.plan.steps) return undefined;
      const { indices, partners = [] } = this.draw(next);
      return Uint32Array.of(...indices, ...partners);
    });
    if (!ready) return undefined;
    let idleSince: number | undefined;
    void this.setup.engine.submittedWorkDone().then(() => (idleSince = performance.now()));
    await ready;
    return idleSince === undefined ? 0 : (performance.now() - idleSince) / 1000;
  }

  private async submit(
    step: number,
    { indices, partners }: Drawn,
    run: (program: CompiledProgram) => Promise<void>,
  ): Promise<void> {
    const { config, set, engine, images } = this.setup;
    const { step: compiled } = this.made;
    const { update, alphas: count } = compiled;
    const { batch, accumulate, seed } = config.training;
    const { masking } = config;
    const size = batch / accumulate;
    const crops = cropBoxes(config, set, step, partners ? 2 * batch : batch);
    const alphas = partners && drawAlphas(seed, step, batch, masking.alpha, masking.alphaPer);
    if (compiled.sums.length > 0) engine.clear(compiled.sums);
    update.write({ hyper: this.optimizer.hyper(this.learningRate(step), step + 1) });
    for (let from = 0; from < batch; from += size) {
      const lists = [indices, ...(partners ? [partners] : [])].map((list) => list.subarray(from, from + size));
      const placed = images.place(lists);
      const second = batch + from;
      compiled.batch.write({
        indices: at(placed, 0),
        crops: crops.subarray(5 * from, 5 * (from + size)),
        secondIndices: placed[1],
        secondCrops: partners && crops.subarray(5 * second, 5 * (second + size)),
        alpha: alphas?.subarray(from, from + count),
        counter: Uint32Array.of(...philoxKey(seed), purposes.mask, step, from * this.objective.masks),
      });
      await run(compiled.batch);
    }
    if (update !== compiled.batch) await run(update);
  }

  private async readMetrics(
    step: number,
    { indices, partners }: Drawn,
    waited: number | undefined,
  ): Promise<StepMetrics> {
    const names = this.objective.parts;
    const [loss = NaN, ...values] = await this.made.step.metrics.data();
    // The losses are weighted by the share of their micro-batch, the parts are not.
    const { accumulate } = this.setup.config.training;
    const parts = Object.fromEntries(names.map((name, index) => [name, (values[index] as number) / accumulate]));
    const [gradNorm = 0, , good, scale = 0, skipped = 0] = values.slice(names.length);
    const scaling = this.optimizer.scaling && { scale, isSkipped: good === 0, skipped };
    return {
      step,
      loss,
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
    this.made.owned.dispose();
  }
}

/** Boxes for `count` samples of a step: random crops, or the whole image. */
function cropBoxes({ data, training }: Config, { width, height }: SetFacts, step: number, count: number): Float32Array {
  return drawCrops(training.seed, step, count, { scale: data.crop, flip: data.flip }, { width, height });
}
