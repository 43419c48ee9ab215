import { checkGroups, conv2d, pairOf, type ConvOptions, type Pair } from '../ops/conv2d';
import { convTranspose2d, type ConvTransposeOptions } from '../ops/convTranspose2d';
import { avgPool2d, maxPool2d, type AvgPoolOptions, type MaxPoolOptions } from '../ops/pool2d';
import { sizeOf } from '../tensor/shape';
import type { Tensor } from '../tensor/tensor';
import { fanInUniform } from './initializers';
import { Module, ModuleParameter } from './module';

/** Whether a convolution has a bias. */
interface WithBias {
  /** Whether there is a bias: true by default. */
  readonly bias?: boolean;
}

/**
 * A convolution of images: `weight` [outputs, inputs / groups, kh, kw], `bias` [outputs]. Both begin as in PyTorch, on ±1/√n for n
 * numbers of the weight that a number is made of.
 */
export class Conv2d extends Module {
  readonly weight: ModuleParameter;
  readonly bias?: ModuleParameter;
  readonly #options: ConvOptions;

  /** @throws EngineError `bad-shape` unless the groups divide both numbers of channels */
  constructor(inputs: number, outputs: number, kernel: Pair, { bias = true, ...options }: ConvOptions & WithBias = {}) {
    super();
    const { groups = 1 } = options;
    checkGroups('Conv2d', groups, inputs, outputs);
    const shape = [outputs, inputs / groups, ...pairOf('Conv2d', 'kernel', kernel, 1)];
    const initialize = fanInUniform(sizeOf(shape.slice(1)));
    this.weight = new ModuleParameter(shape, initialize);
    if (bias) this.bias = new ModuleParameter([outputs], initialize);
    this.#options = options;
  }

  /** @param x [B, inputs, H, W] @returns [B, outputs, H′, W′] */
  forward(x: Tensor): Tensor {
    return conv2d(x, this.weight, this.bias, this.#options);
  }
}

/**
 * A transposed convolution, which makes images larger: `weight` [inputs, outputs / groups, kh, kw], `bias` [outputs]. Both begin as
 * in PyTorch, on ±1/√n for n = outputs / groups · kh · kw.
 */
export class ConvTranspose2d extends Module {
  readonly weight: ModuleParameter;
  readonly bias?: ModuleParameter;
  readonly #options: ConvTransposeOptions;

  /** @throws EngineError as `Conv2d` */
  constructor(
    inputs: number,
    outputs: number,
    kernel: Pair,
    { bias = true, ...options }: ConvTransposeOptions & WithBias = {},
  ) {
    super();
    const { groups = 1 } = options;
    checkGroups('ConvTranspose2d', groups, inputs, outputs);
    const shape = [inputs, outputs / groups, ...pairOf('ConvTranspose2d', 'kernel', kernel, 1)];
    const initialize = fanInUniform(sizeOf(shape.slice(1)));
    this.weight = new ModuleParameter(shape, initialize);
    if (bias) this.bias = new ModuleParameter([outputs], initialize);
    this.#options = options;
  }

  /** @param x [B, inputs, H, W] @returns [B, outputs, H′, W′] */
  forward(x: Tensor): Tensor {
    return convTranspose2d(x, this.weight, this.bias, this.#options);
  }
}

/** The largest of each window. */
export class MaxPool2d extends Module {
  readonly #kernel: Pair;
  readonly #options: MaxPoolOptions;

  constructor(kernel: Pair, options: MaxPoolOptions = {}) {
    super();
    this.#kernel = kernel;
    this.#options = options;
  }

  /** @param x [B, C, H, W] @returns [B, C, H′, W′] */
  forward(x: Tensor): Tensor {
    return maxPool2d(x, this.#kernel, this.#options);
  }
}

/** The mean of each window. */
export class AvgPool2d extends Module {
  readonly #kernel: Pair;
  readonly #options: AvgPoolOptions;

  constructor(kernel: Pair, options: AvgPoolOptions = {}) {
    super();
    this.#kernel = kernel;
    this.#options = options;
  }

  /** @param x [B, C, H, W] @returns [B, C, H′, W′] */
  forward(x: Tensor): Tensor {
    return avgPool2d(x, this.#kernel, this.#options);
  }
}
