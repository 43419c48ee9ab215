import { Parameter } from '../tensor/parameter';
import type { Shape } from '../tensor/shape';
import type { Initializer } from './initializers';

/** A parameter that a module declares: its first values, until a model has memory, are how they are drawn. */
export class ModuleParameter extends Parameter {
  constructor(
    shape: Shape,
    readonly initialize: Initializer,
    { trained = true }: { readonly trained?: boolean } = {},
  ) {
    super(shape, trained);
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
export abstract class Module {
  /** All parameters of this module and those in it, in order. */
  namedParameters(prefix = ''): NamedParameter[] {
    return Object.entries(this).flatMap(([key, value]) => parametersAt(`${prefix}${snakeCase(key)}`, value));
  }
}

function parametersAt(name: string, value: unknown): NamedParameter[] {
  if (value instanceof ModuleParameter) return [{ name, shape: value.shape, parameter: value }];
  if (value instanceof Module) return value.namedParameters(`${name}.`);
  if (!Array.isArray(value)) return [];
  return value.flatMap((part, index) => parametersAt(`${name}.${index}`, part));
}

function snakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
