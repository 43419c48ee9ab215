import type { Initializer } from '../src/nn/initializers';
import { Module, ModuleParameter, type NamedParameter } from '../src/nn/module';
import type { Shape } from '../src/tensor/shape';

/** A parameter by its name, whatever module might have it. */
export interface ParameterSpec {
  readonly name: string;
  readonly shape: Shape;
  readonly initialize: Initializer;
  /** A table that is not trained. */
  readonly fixed?: boolean;
}

class ParameterTable extends Module {
  private readonly named: readonly NamedParameter[];

  constructor(specs: readonly ParameterSpec[]) {
    super();
    this.named = specs.map(({ name, shape, initialize, fixed = false }) => ({
      name,
      shape,
      parameter: new ModuleParameter(shape, initialize, { trained: !fixed }),
    }));
  }

  override namedParameters(): NamedParameter[] {
    return [...this.named];
  }
}

/** A module that has just these parameters, for tests of what works on parameters. */
export function moduleOf(specs: readonly ParameterSpec[]): Module {
  return new ParameterTable(specs);
}
