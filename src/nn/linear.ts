import { linear } from '../ops/linear';
import type { Precision, Tensor } from '../tensor/tensor';
import { fanInUniform, type Initializer } from './initializers';
import { Module, ModuleParameter } from './module';

/** What a `Linear` is made with. */
export interface LinearOptions {
  /** Whether there is a bias: true by default. */
  readonly bias?: boolean;
  /** How the weight begins; by default, and as in PyTorch, U(±1/√inputs). */
  readonly initialize?: Initializer;
  /** How the bias begins; by default, and as in PyTorch, U(±1/√inputs). */
  readonly initializeBias?: Initializer;
}

/** x·Wᵀ + b: `weight` [outputs, inputs], `bias` [outputs]. */
export class Linear extends Module {
  readonly weight: ModuleParameter;
  readonly bias?: ModuleParameter;

  constructor(inputs: number, outputs: number, { bias = true, ...begin }: LinearOptions = {}) {
    super();
    const { initialize = fanInUniform(inputs), initializeBias = fanInUniform(inputs) } = begin;
    this.weight = new ModuleParameter([outputs, inputs], initialize);
    if (bias) this.bias = new ModuleParameter([outputs], initializeBias);
  }

  /**
   * @param x [..., inputs]
   * @param options what is added, and the precision
   * @param options.residual [..., outputs], added
   * @param options.precision of the result: f32, unless it is for attention or a product alone
   * @returns [..., outputs]
   */
  forward(x: Tensor, { residual, precision }: { residual?: Tensor | undefined; precision?: Precision } = {}): Tensor {
    return linear(x, this.weight, this.bias, residual, precision);
  }
}
