import { embedding } from '../ops/gather';
import type { Tensor } from '../tensor/tensor';
import { normal } from './initializers';
import { Module, ModuleParameter } from './module';

/** A row of `weight` [count, dim] for each index. It begins as in PyTorch: standard normal. */
export class Embedding extends Module {
  readonly weight: ModuleParameter;

  constructor(count: number, dim: number) {
    super();
    this.weight = new ModuleParameter([count, dim], normal(1));
  }

  /** @param indices [...], below `count` @returns [..., dim] */
  forward(indices: Tensor<'u32'>): Tensor {
    return embedding(indices, this.weight);
  }
}
