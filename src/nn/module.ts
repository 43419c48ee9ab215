import { EngineError } from '../gpu/errors';
import { Parameter } from '../tensor/parameter';
import { assertShape, type Shape } from '../tensor/shape';
import { readState, type NamedState, type StateEntry, type Stateful } from '../tensor/state';
import type { Initializer } from './initializers';

/** A parameter that a module declares: its first values, until a model has memory, are how they are drawn. */
export class ModuleParameter extends Parameter {
  constructor(
    shape: Shape,
    readonly initialize: Initializer,
    { trained = true }: { readonly trained?: boolean } = {},
  ) {
    super(shape, trained);
    assertShape(this.name, shape);
  }
}

/**
 * What a module keeps beside its parameters, such as running statistics: no optimizer moves it, programs may write to it, and it
 * is saved with the parameters.
 */
export class ModuleBuffer extends ModuleParameter {
  constructor(shape: Shape, initialize: Initializer) {
    super(shape, initialize, { trained: false });
  }
}

/** A parameter of a module, by the name that files know it by. */
export interface NamedParameter {
  readonly name: string;
  readonly shape: Shape;
  readonly parameter: ModuleParameter;
}

/**
 * A part of a model: its parameters and further modules are its properties, its maths its methods. Names in files are the
 * paths of properties, as PyTorch has them (`decoderBlocks.0.norm1.weight` is `decoder_blocks.0.norm1.weight`). Their order
 * is that in which the class declares its fields; it decides which random numbers a parameter begins with, and the order
 * of the sum of the gradient's norm.
 */
export abstract class Module implements Stateful {
  /** Its fields by the names that files know them by. */
  protected fields(): readonly (readonly [name: string, value: unknown])[] {
    return Object.entries(this).map(([key, value]) => [snakeCase(key), value]);
  }

  /** All parameters and buffers of this module and those in it, in order. */
  #everything(prefix: string): NamedParameter[] {
    return this.fields().flatMap(([name, value]) =>
      tensorsAt(`${prefix}${name}`, value, (each, at) => each.#everything(at)),
    );
  }

  /** All parameters of this module and those in it, in order. */
  namedParameters(prefix = ''): NamedParameter[] {
    return this.#everything(prefix).filter(({ parameter }) => !(parameter instanceof ModuleBuffer));
  }

  /** What is kept beside the parameters, in order. */
  namedBuffers(prefix = ''): NamedParameter[] {
    return this.#everything(prefix).filter(({ parameter }) => parameter instanceof ModuleBuffer);
  }

  /** All parameters, in order: `for (const parameter of model.encoder.parameters()) parameter.requiresGrad = false`. */
  parameters(): ModuleParameter[] {
    return this.namedParameters().map(({ parameter }) => parameter);
  }

  /** Its parameters and buffers, by PyTorch's names. @throws EngineError `bad-program` where it has no memory */
  namedState(): NamedState {
    const named = [...this.namedParameters(), ...this.namedBuffers()];
    const owners = new Set(named.map(({ parameter }) => parameter.owner));
    const [owner] = owners;
    if (!owner)
      throw new EngineError('bad-program', 'The module has no parameters.', 'There is nothing to save of it.');
    return {
      engine: owner.engine,
      tensors: new Map(named.map(({ name, parameter }) => [name, parameter])),
      written: async () => {
        for (const each of owners) await each.written();
      },
    };
  }

  /**
   * Reads all of its parameters and buffers, by PyTorch's names; `load` sets them.
   *
   * @throws EngineError (a rejection) `bad-program` where it has no memory
   */
  stateDict(): Promise<Map<string, StateEntry>> {
    return readState(this);
  }
}

type Everything = (module: Module, prefix: string) => NamedParameter[];

function tensorsAt(name: string, value: unknown, everything: Everything): NamedParameter[] {
  if (value instanceof ModuleParameter) return [{ name, shape: value.shape, parameter: value }];
  if (value instanceof Module) return everything(value, `${name}.`);
  if (!Array.isArray(value)) return [];
  return value.flatMap((part, index) => tensorsAt(`${name}.${index}`, part, everything));
}

function snakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
