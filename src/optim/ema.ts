import source from '../../shaders/optimizer/average.wgsl';
import { workgroupRow } from '../gpu/recording';
import { kernelsOf } from '../gpu/shader';
import { Slice } from '../gpu/storage';
import type { Module } from '../nn/module';
import { Parameters } from '../nn/parameters';
import type { Graph } from '../tensor/graph';
import { readState, type NamedState, type StateEntry, type Stateful } from '../tensor/state';
import { createTensor, disposeTensor, Tensor, type LastingTensor } from '../tensor/tensor';
import { assertOption, whole } from './optimizer';

const kernels = kernelsOf('optimizer/average', source, ['averageStep']);

/** The settings of `Ema`. */
export interface EmaOptions {
  /** How slowly the averages follow; 0.999 by default. */
  readonly decay?: number;
}

/**
 * An exponential moving average of a model's trained parameters: average ← decay · average + (1 − decay) · parameter. It
 * begins with what the parameters hold when it is made.
 */
export class Ema implements Stateful {
  readonly #parameters: Parameters;
  readonly #averages: readonly LastingTensor[];
  readonly #rest: number;

  readonly #model: Module;

  /** @param model that is averaged; it has memory @throws EngineError `bad-program` where it has none, `out-of-memory` */
  constructor(model: Module, { decay = 0.999 }: EmaOptions = {}) {
    this.#model = model;
    assertOption('Ema', 'decay', decay, { least: 0, below: 1 });
    this.#parameters = Parameters.of(model);
    this.#rest = 1 - decay;
    const { engine, arenas } = this.#parameters;
    this.#averages = arenas.map(({ size, values }) => {
      const average = createTensor(engine, 'average', [size / 4], 'f32');
      engine.copy(new Slice(values, 0, size), average.storage);
      return average;
    });
  }

  /** Appends an update of the averages: after `minimize`, in the same body. */
  update(program: Graph): void {
    for (const [index, arena] of this.#parameters.arenas.entries()) {
      const average = this.#averages[index] as LastingTensor; // one an arena
      program.dispatch({
        kernel: kernels.averageStep,
        uniforms: { count: average.size, rest: this.#rest },
        bindings: { values: whole(arena, arena.values), average },
        workgroups: workgroupRow(Math.ceil(average.size / 256)),
      });
    }
  }

  /**
   * Exchanges the averages and what the parameters hold, after what was submitted so far: programs that use the model see the
   * averages from here on, until it is called again.
   */
  async swap(): Promise<void> {
    const { engine, arenas } = this.#parameters;
    for (const [index, { size, values }] of arenas.entries()) {
      const average = (this.#averages[index] as LastingTensor).storage; // one an arena
      const between = engine.allocate(size, 'what is exchanged');
      const [own, other] = [new Slice(values, 0, size), new Slice(between, 0, size)];
      engine.copy(own, other);
      engine.copy(average, own);
      engine.copy(other, average);
      engine.pool.release(between);
    }
    await this.#parameters.written();
  }

  /** The model's state with the averages in the place of what is averaged. */
  namedState(): NamedState {
    const { engine, tensors } = this.#model.namedState();
    const state = new Map(tensors);
    for (const [index, { members }] of this.#parameters.arenas.entries()) {
      const { buffer } = (this.#averages[index] as LastingTensor).storage; // one an arena
      for (const { name, shape, storage } of members) {
        state.set(name, new Tensor(shape, 'f32', new Slice(buffer, storage.offset, storage.size)));
      }
    }
    return { engine, tensors: state };
  }

  /** The averages by the names of the parameters, and what is not averaged as the model has it: a state of the model. */
  stateDict(): Promise<Map<string, StateEntry>> {
    return readState(this);
  }

  /** Gives the averages back. The parameters stay. */
  dispose(): void {
    for (const average of this.#averages) disposeTensor(this.#parameters.engine, average);
  }
}
