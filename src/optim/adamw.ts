import optimizer from '../../shaders/optimizer.wgsl';
import source from '../../shaders/adamw.wgsl';
import { workgroupRow } from '../gpu/recording';
import { kernelsOf } from '../gpu/shader';
import type { Module } from '../nn/module';
import type { Parameters } from '../nn/parameters';
import { exactLog, power } from '../tensor/exactMath';
import type { Graph } from '../tensor/graph';
import { disposeTensor, type LastingTensor, type Tensor } from '../tensor/tensor';
import type { LossScaling } from './lossScaling';
import {
  assertOption,
  halvesOf,
  isDecayed,
  Optimizer,
  scheduleOf,
  segmentTable,
  whole,
  type DecayOptions,
  type OptimizerOptions,
} from './optimizer';

const kernels = kernelsOf('adamw', source, ['adamw', 'adamwHyper'], { optimizer });

/** The settings of `Adam`. */
export interface AdamOptions extends OptimizerOptions, DecayOptions {
  /** How slowly the moments follow; 0.9 and 0.999 by default. */
  readonly betas?: readonly [number, number];
  /** What keeps steps finite where gradients vanish; 1e-8 by default. */
  readonly eps?: number;
  /** Of AdamW, the share of the learning rate by which weights shrink at a step: 0.01 by default. Of Adam, the share of the
   * weights that is added to their gradient: 0 by default. */
  readonly weightDecay?: number;
}

/** The settings of `AdamW`. */
export type AdamWOptions = AdamOptions;

/** How many numbers a step is told. */
export const HYPER_VALUES = 8;

/** PyTorch's. */
const DEFAULTS = { betas: [0.9, 0.999], eps: 1e-8 } as const;
/** Of AdamW, as PyTorch has it. */
export const ADAMW_DECAY = 0.01;

/** What Adam and AdamW share: they differ in how weights decay. */
class AdaptiveMoments extends Optimizer<'m' | 'v'> {
  readonly #options: AdamOptions & Required<Pick<AdamOptions, keyof typeof DEFAULTS | 'weightDecay'>>;
  /** One an arena. */
  readonly #segments: readonly LastingTensor[];
  readonly #kind: { readonly label: string; readonly isCoupled: boolean };

  protected constructor(
    model: Module | Parameters,
    kind: { readonly label: string; readonly isCoupled: boolean },
    given: AdamOptions & Required<Pick<AdamOptions, 'weightDecay'>>,
    scaling: LossScaling | undefined,
  ) {
    const { label } = kind;
    for (const [index, beta] of (given.betas ?? []).entries()) {
      assertOption(label, `betas[${index}]`, beta, { least: 0, below: 1 });
    }
    assertOption(label, 'eps', given.eps, { least: 0 });
    assertOption(label, 'weightDecay', given.weightDecay, { least: 0 });
    super(model, { label, moments: ['m', 'v'], scaling }, given);
    this.#kind = kind;
    this.#options = { ...DEFAULTS, ...given };
    const { weightDecay } = this.#options;
    this.#segments = this.states.map(({ arena }) => segmentTable(this.engine, arena, weightDecay, given));
  }

  /** Appends the count of a step, and what it needs: [`HYPER_VALUES`]. @throws EngineError as `minimize` */
  override recordHyper(graph: Graph): Tensor {
    const { step, learningRate } = this.counted();
    const { betas, eps } = this.#options;
    const [beta1, beta2] = betas;
    const { DECAY, uniforms } = scheduleOf(learningRate);
    const hyper = graph.empty('AdamW hyper', [HYPER_VALUES]);
    graph.dispatch({
      kernel: kernels.adamwHyper,
      params: { DECAY },
      uniforms: {
        ...uniforms,
        ...{ beta1, rest1: 1 - beta1, log1: exactLog(beta1), beta2, rest2: 1 - beta2, log2: exactLog(beta2), eps },
      },
      bindings: { step, hyper },
      workgroups: [1],
    });
    return hyper;
  }

  /** What the kernel needs of a step: [`HYPER_VALUES`]. @param step counted from 1 */
  hyper(learningRate: number, step: number): Float32Array {
    const { betas, eps } = this.#options;
    const [beta1, beta2] = betas;
    return Float32Array.of(
      learningRate,
      Math.sqrt(1 - power(beta2, step)),
      1 / (1 - power(beta1, step)),
      beta1,
      1 - beta1,
      beta2,
      1 - beta2,
      eps,
    );
  }

  /**
   * Appends one update.
   *
   * @param hyper an input of the program, [`HYPER_VALUES`], given before each run what `hyper` makes
   * @param norm what `gradientNorm` gives: its factor is applied to the gradients. Where their scaling has them skipped,
   *   nothing changes; the step counts all the same in the learning rate and in the moments' corrections
   */
  override record(graph: Graph, hyper: Tensor, norm: Tensor): void {
    const SCALED = this.scaling !== undefined;
    for (const [index, { arena, moments }] of this.states.entries()) {
      const segments = this.#segments[index] as LastingTensor;
      const count = arena.size / 4;
      const { m, v } = moments;
      graph.dispatch({
        kernel: kernels.adamw,
        params: { HALF: arena.halves !== undefined, SCALED, COUPLED: this.#kind.isCoupled },
        uniforms: { count },
        bindings: {
          ...{ grads: whole(arena, arena.gradients), segments, hyper, norm, values: whole(arena, arena.values), m, v },
          ...halvesOf(arena),
        },
        workgroups: workgroupRow(Math.ceil(count / 256)),
      });
    }
  }

  /** Gives back what the optimizer keeps. The parameters stay. */
  override dispose(): void {
    super.dispose();
    for (const segments of this.#segments) disposeTensor(this.engine, segments);
  }
}

/** AdamW (Loshchilov and Hutter 2019) over a model's arenas, in PyTorch's order of operations: a dispatch an arena. */
export class AdamW extends AdaptiveMoments {
  /**
   * @param model that is trained; it has memory
   * @param scaling of the gradients; owned, and saved with the moments
   * @throws EngineError `bad-program` where the model has no memory, `out-of-memory`
   */
  constructor(model: Module | Parameters, options: AdamWOptions = {}, scaling?: LossScaling) {
    super(model, { label: 'AdamW', isCoupled: false }, { weightDecay: ADAMW_DECAY, ...options }, scaling);
  }
}

/** Adam (Kingma and Ba 2015): as `AdamW`, but that decay is a part of the gradient, as of torch.optim.Adam. */
export class Adam extends AdaptiveMoments {
  /** @param model that is trained; it has memory @throws EngineError as `AdamW` */
  constructor(model: Module | Parameters, options: AdamOptions = {}, scaling?: LossScaling) {
    super(model, { label: 'Adam', isCoupled: true }, { weightDecay: 0, ...options }, scaling);
  }
}

export { isDecayed };
