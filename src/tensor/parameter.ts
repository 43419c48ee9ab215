import { EngineError } from '../gpu/errors';
import type { GpuEngine } from '../gpu/gpuEngine';
import type { Slice, ValueOwner } from '../gpu/storage';
import { formatShape, type Shape } from './shape';
import { Tensor } from './tensor';

/** Whoever allocated a parameter. */
export interface ParameterOwner {
  readonly engine: GpuEngine;
  /** Is told that the host wrote values: brings what depends on them up to date. */
  written(): Promise<void>;
}

/** Where the elements of a parameter lie. */
export interface ParameterMemory {
  readonly owner: ParameterOwner;
  readonly values: Slice;
  /** Absent where it is frozen. */
  readonly gradient?: Tensor<'f32'>;
  /** The values in f16, for products to read. */
  readonly half?: Tensor<'f16'>;
}

/** What the views of a parameter share. */
interface Place {
  name: string;
  /** Whether it is to be trained. */
  trained: boolean;
  memory?: ParameterMemory;
}

/**
 * A tensor of a model that outlives programs. A module makes it without memory; whoever allocates the model gives it a name
 * and a place in an arena, and its gradient the same place of a second arena.
 */
export class Parameter<S extends Shape = Shape> extends Tensor<'f32', S> {
  readonly #place: Place;

  /** @param trained false for a table that is computed, takes no gradient and is never updated */
  constructor(shape: S, trained = true, place?: Place) {
    super(shape, 'f32', undefined, trained);
    this.#place = place ?? { name: `parameter ${formatShape(shape)}`, trained };
  }

  /** Whether it is trained, once it has memory. */
  get trained(): boolean {
    return this.#place.trained;
  }

  /** As published checkpoints name it; until it has memory, its shape. */
  get name(): string {
    return this.#place.name;
  }

  override get label(): string {
    return this.name;
  }

  get hasMemory(): boolean {
    return this.#place.memory !== undefined;
  }

  /** Gives it its name and its memory, or takes the memory back. */
  bind(name: string, memory: ParameterMemory | undefined): void {
    this.#place.name = name;
    if (memory) this.#place.memory = memory;
    else delete this.#place.memory;
  }

  /** @throws EngineError `bad-program` where it has no memory */
  get owner(): ParameterOwner {
    return this.#memoryOf.owner;
  }

  get #memoryOf(): ParameterMemory {
    const { name, memory } = this.#place;
    if (memory) return memory;
    throw new EngineError(
      'bad-program',
      `Parameter '${name}' has no memory yet.`,
      'Give its model to engine.init(model) before it is used.',
    );
  }

  override get storage(): Slice {
    return this.#memoryOf.values;
  }

  override get half(): Tensor<'f16'> | undefined {
    return this.#memoryOf.half?.reshape(this.shape);
  }

  /** Whether gradients flow to it: not where its model is frozen. */
  override get requiresGrad(): boolean {
    return this.trained && (!this.#place.memory || this.#place.memory.gradient !== undefined);
  }

  /**
   * Freezes it, or has it trained: without gradients it takes no memory for them, nor for an optimizer's moments.
   *
   * @throws EngineError `bad-program` once it has memory
   */
  override set requiresGrad(trained: boolean) {
    if (this.hasMemory) {
      const what = `Parameter '${this.name}' has memory already, with or without gradients.`;
      throw new EngineError('bad-program', what, 'Set requiresGrad before engine.init.');
    }
    this.#place.trained = trained;
  }

  /** @throws EngineError `bad-program` where it is frozen */
  get grad(): Tensor<'f32', S> {
    const { gradient } = this.#memoryOf;
    if (gradient) return gradient.reshape(this.shape);
    throw new EngineError('bad-program', `Parameter '${this.name}' is frozen: it has no gradient.`, 'Train the model.');
  }

  /** Still a parameter: what flows back to it arrives in the same `grad`. */
  override reshape<const T extends Shape>(shape: T): Parameter<T> {
    this.assertSameSize(shape);
    return new Parameter(shape, this.trained, this.#place).usedBy(this.user);
  }

  override usedIn(recording: ValueOwner): Parameter<S> {
    return new Parameter(this.shape, this.trained, this.#place).usedBy(recording);
  }
}
