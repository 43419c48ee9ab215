import source from '../../shaders/optimizer/momentum.wgsl';
import { EngineError } from '../gpu/errors';
import { workgroupRow } from '../gpu/recording';
import { kernelsOf } from '../gpu/shader';
import type { Module } from '../nn/module';
import type { Parameters } from '../nn/parameters';
import type { Graph } from '../tensor/graph';
import { disposeTensor, type LastingTensor, type Tensor } from '../tensor/tensor';
import type { LossScaling } from './lossScaling';
import {
  assertOption,
  halvesOf,
  Optimizer,
  segmentTable,
  whole,
  type DecayOptions,
  type OptimizerOptions,
} from './optimizer';

const kernels = kernelsOf('optimizer/momentum', source, ['momentumStep']);

/** How the kernel moves an element: see the shader. */
interface Rule {
  readonly label: string;
  readonly LION: boolean;
  readonly NESTEROV: boolean;
  readonly MOMENT: boolean;
  readonly first: number;
  readonly second: number;
}

/** What keeps one moment at most. */
class Momentum extends Optimizer<'m'> {
  readonly #segments: readonly LastingTensor[];
  readonly #rule: Rule;

  protected constructor(
    model: Module | Parameters,
    rule: Rule,
    { weightDecay = 0, ...options }: OptimizerOptions & DecayOptions & { readonly weightDecay?: number | undefined },
    scaling: LossScaling | undefined,
  ) {
    assertOption(rule.label, 'weightDecay', weightDecay, { least: 0 });
    super(model, { label: rule.label, moments: rule.MOMENT ? ['m'] : [], scaling }, options);
    this.#rule = rule;
    this.#segments = this.states.map(({ arena }) => segmentTable(this.engine, arena, weightDecay, options));
  }

  override record(graph: Graph, rate: Tensor, norm: Tensor): void {
    const { LION, NESTEROV, MOMENT, first, second } = this.#rule;
    for (const [index, { arena, moments }] of this.states.entries()) {
      const segments = this.#segments[index] as LastingTensor; // one an arena
      const count = arena.size / 4;
      graph.dispatch({
        kernel: kernels.momentumStep,
        params: { HALF: arena.halves !== undefined, SCALED: this.scaling !== undefined, LION, NESTEROV, MOMENT },
        uniforms: { count, first, rest: 1 - first, second, secondRest: 1 - second },
        bindings: {
          ...{ grads: whole(arena, arena.gradients), segments, rate, norm, values: whole(arena, arena.values) },
          ...(MOMENT ? { m: moments.m } : {}),
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

/** The settings of `Sgd`. */
export interface SgdOptions extends OptimizerOptions, DecayOptions {
  /** Share of the last move that goes on; 0 by default, which takes no memory. */
  readonly momentum?: number;
  /** Looks ahead by the momentum (Sutskever et al. 2013). */
  readonly nesterov?: boolean;
  /** Share of the weights that is added to their gradient; 0 by default. */
  readonly weightDecay?: number;
}

/** Stochastic gradient descent as torch.optim.SGD has it, without dampening: a dispatch an arena. */
export class Sgd extends Momentum {
  /**
   * @param model that is trained; it has memory
   * @throws EngineError as `AdamW`; `bad-program` for `nesterov` without momentum
   */
  constructor(model: Module | Parameters, options: SgdOptions = {}, scaling?: LossScaling) {
    const { momentum = 0, nesterov = false } = options;
    assertOption('Sgd', 'momentum', momentum, { least: 0 });
    if (nesterov && momentum <= 0) {
      throw new EngineError('bad-program', 'Sgd: nesterov looks ahead by a momentum of 0.', 'Give it momentum.');
    }
    const rule = { label: 'Sgd', LION: false, NESTEROV: nesterov, MOMENT: momentum > 0, first: momentum, second: 0 };
    super(model, rule, options, scaling);
  }
}

/** The settings of `Lion`. */
export interface LionOptions extends OptimizerOptions, DecayOptions {
  /** How much of the moment the direction takes, and how slowly the moment follows; 0.9 and 0.99 by default. */
  readonly betas?: readonly [number, number];
  /** Share of the learning rate by which weights shrink at a step; 0 by default. */
  readonly weightDecay?: number;
}

/**
 * Lion (Chen et al. 2023): each weight moves by the learning rate, in the direction of its moment. Its learning rate is three
 * to ten times smaller than AdamW's, and its weight decay larger by as much.
 */
export class Lion extends Momentum {
  /** @param model that is trained; it has memory @throws EngineError as `AdamW` */
  constructor(model: Module | Parameters, options: LionOptions = {}, scaling?: LossScaling) {
    const [first, second] = options.betas ?? [0.9, 0.99];
    for (const [index, beta] of [first, second].entries()) {
      assertOption('Lion', `betas[${index}]`, beta, { least: 0, below: 1 });
    }
    super(model, { label: 'Lion', LION: true, NESTEROV: false, MOMENT: true, first, second }, options, scaling);
  }
}
