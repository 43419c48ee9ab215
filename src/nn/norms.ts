import { batchNorm } from '../ops/batchNorm';
import { groupNorm } from '../ops/groupNorm';
import { layerNorm, rmsNorm } from '../ops/layerNorm';
import type { Tensor } from '../tensor/tensor';
import { ones, zeros } from './initializers';
import { Module, ModuleBuffer, ModuleParameter } from './module';

/** What a normalising module is made with. */
export interface NormOptions {
  /** Added to the variance; 1e-5 by default. */
  readonly eps?: number;
  /** Whether what is normalised is scaled by a weight and shifted by a bias, which begin as 1 and 0: true by default. */
  readonly affine?: boolean;
}

/** Each row normalised over its last dimension, then scaled by `weight` [dim] and shifted by `bias` [dim]. */
export class LayerNorm extends Module {
  readonly weight?: ModuleParameter;
  readonly bias?: ModuleParameter;
  readonly #eps: number;

  /**
   * @param dim the extent of the last axis
   * @param options as `NormOptions`
   * @param options.bias whether there is one, where there is a weight: true by default
   */
  constructor(dim: number, { eps = 1e-5, affine = true, bias = true }: NormOptions & { readonly bias?: boolean } = {}) {
    super();
    if (affine) this.weight = new ModuleParameter([dim], ones);
    if (affine && bias) this.bias = new ModuleParameter([dim], zeros);
    this.#eps = eps;
  }

  /**
   * x normalised, of its shape.
   *
   * @param x [..., dim]
   */
  forward(x: Tensor): Tensor {
    return layerNorm(x, this.weight, this.bias, this.#eps);
  }
}

/** Each row over the root of its mean square, scaled by `weight` [dim], which begins as 1. */
export class RmsNorm extends Module {
  readonly weight: ModuleParameter;
  readonly #eps: number;

  /**
   * @param dim the extent of the last axis
   * @param options `eps` is added to the mean square; 1e-6 by default
   */
  constructor(dim: number, { eps = 1e-6 }: Pick<NormOptions, 'eps'> = {}) {
    super();
    this.weight = new ModuleParameter([dim], ones);
    this.#eps = eps;
  }

  /**
   * x normalised, of its shape.
   *
   * @param x [..., dim]
   */
  forward(x: Tensor): Tensor {
    return rmsNorm(x, this.weight, this.#eps);
  }
}

/** Each sample's channels normalised in groups, over their space, then scaled by `weight` [C] and shifted by `bias` [C]. */
export class GroupNorm extends Module {
  readonly weight?: ModuleParameter;
  readonly bias?: ModuleParameter;
  readonly #eps: number;

  readonly #groups: number;

  constructor(groups: number, channels: number, { eps = 1e-5, affine = true }: NormOptions = {}) {
    super();
    this.#groups = groups;
    if (affine) this.weight = new ModuleParameter([channels], ones);
    if (affine) this.bias = new ModuleParameter([channels], zeros);
    this.#eps = eps;
  }

  /**
   * x normalised, of its shape.
   *
   * @param x [B, C, ...]
   */
  forward(x: Tensor): Tensor {
    return groupNorm(x, this.#groups, { weight: this.weight, bias: this.bias, eps: this.#eps });
  }
}

/**
 * Each channel normalised over batch and space, then scaled by `weight` [C] and shifted by `bias` [C]. A program that trains
 * normalises by the batch, and moves `runningMean` and `runningVar` at each run; one that does not (`{ training: false }`)
 * normalises by those. For x of any number of dimensions from [B, C].
 */
export class BatchNorm2d extends Module {
  readonly weight?: ModuleParameter;
  readonly bias?: ModuleParameter;
  readonly runningMean: ModuleBuffer;
  readonly runningVar: ModuleBuffer;
  readonly #eps: number;
  readonly #momentum: number;

  /**
   * @param channels C of [B, C, H, W]
   * @param options as `NormOptions`
   * @param options.momentum how far a batch moves the running statistics; 0.1 by default
   */
  constructor(
    channels: number,
    { eps = 1e-5, affine = true, momentum = 0.1 }: NormOptions & { readonly momentum?: number } = {},
  ) {
    super();
    if (affine) this.weight = new ModuleParameter([channels], ones);
    if (affine) this.bias = new ModuleParameter([channels], zeros);
    this.runningMean = new ModuleBuffer([channels], zeros);
    this.runningVar = new ModuleBuffer([channels], ones);
    this.#eps = eps;
    this.#momentum = momentum;
  }

  /**
   * x normalised, of its shape.
   *
   * @param x [B, C, ...]
   */
  forward(x: Tensor): Tensor {
    const { weight, bias } = this;
    const eps = this.#eps;
    const momentum = this.#momentum;
    return batchNorm(x, this, { weight, bias, eps, momentum });
  }
}
