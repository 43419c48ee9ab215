import { dropout } from '../ops/dropout';
import { flatten } from '../ops/reshape';
import type { Tensor } from '../tensor/tensor';
import { Module } from './module';

/** A module that makes one tensor of another. */
export interface Layer extends Module {
  /** What the layer makes of x. */
  forward(x: Tensor): Tensor;
}

/**
 * Layers and functions one after another: `new Sequential(new Linear(2, 8), relu, new Linear(8, 1))`. Their names are their
 * places, functions counted too, as where PyTorch has a module: `0.weight`, `2.weight`.
 */
export class Sequential extends Module {
  readonly #layers: readonly (Layer | ((x: Tensor) => Tensor))[];

  constructor(...layers: readonly (Layer | ((x: Tensor) => Tensor))[]) {
    super();
    this.#layers = layers;
  }

  protected override fields(): readonly (readonly [name: string, value: unknown])[] {
    return this.#layers.map((layer, index) => [String(index), layer]);
  }

  /** What the last layer makes, of what the layers before it make in turn. */
  forward(x: Tensor): Tensor {
    return this.#layers.reduce((y, layer) => (typeof layer === 'function' ? layer(y) : layer.forward(y)), x);
  }
}

/** Axes `start` to `end` as one: by default all but the batch's. */
export class Flatten extends Module {
  readonly #start: number;
  readonly #end: number;

  constructor(start = 1, end = -1) {
    super();
    this.#start = start;
    this.#end = end;
  }

  /** x with those axes as one: [B, ...] becomes [B, N]. */
  forward(x: Tensor): Tensor {
    return flatten(x, this.#start, this.#end);
  }
}

/** Each element is 0 with probability p, else divided by 1 − p; in a program that does not train, x itself. */
export class Dropout extends Module {
  readonly #p: number;

  constructor(p = 0.5) {
    super();
    this.#p = p;
  }

  /** x with elements dropped, of its shape; x itself where the program does not train. */
  forward(x: Tensor): Tensor {
    return dropout(x, this.#p);
  }
}
