import { attention, type AttentionOptions } from '../ops/attention';
import { dropPath, type PathScales } from '../ops/dropPath';
import { mlp } from '../ops/mlp';
import { graphOf } from '../tensor/graph';
import type { Tensor } from '../tensor/tensor';
import { xavierUniform, zeros, type Initializer } from './initializers';
import { Linear } from './linear';
import { Module } from './module';
import { LayerNorm } from './norms';

/* The layers of a Vision Transformer, with the parameters of published checkpoints. */

const LAYERNORM_EPS = 1e-6;
const MLP_RATIO = 4;

/** A linear layer as MAE's code begins it. */
export function vitLinear(inputs: number, outputs: number, initialize: Initializer = xavierUniform): Linear {
  return new Linear(inputs, outputs, { initialize, initializeBias: zeros });
}

/** A norm as Vision Transformers have it. */
export function vitNorm(dim: number, eps = LAYERNORM_EPS): LayerNorm {
  return new LayerNorm(dim, { eps });
}

/** Multi-head self-attention without its residual: `proj`(attention(`qkv`(x))). */
export class Attention extends Module {
  readonly qkv: Linear;
  readonly proj: Linear;

  readonly #heads: number;

  constructor(dim: number, heads: number) {
    super();
    this.#heads = heads;
    this.qkv = vitLinear(dim, 3 * dim);
    this.proj = vitLinear(dim, dim);
  }

  /**
   * @param x [B, N, dim]
   * @param options what is added, who watches, and what `attention` is told
   * @param options.residual [B, N, dim], added to what comes out
   * @param options.watch is given the packed queries, keys and values: [B, N, 3·dim]
   * @returns [B, N, dim]
   */
  forward(x: Tensor, { residual, watch, ...options }: AttentionForward = {}): Tensor {
    const qkv = this.qkv.forward(x, { precision: graphOf('attention', x).precision });
    watch?.(qkv);
    return this.proj.forward(attention(qkv, this.#heads, options), { residual });
  }
}

/** What `Attention.forward` may be told. */
interface AttentionForward extends AttentionOptions {
  readonly residual?: Tensor | undefined;
  /** Is given the packed queries, keys and values. */
  readonly watch?: ((qkv: Tensor) => void) | undefined;
}

/** `fc2`(gelu(`fc1`(x))), of `MLP_RATIO` times the width inside. */
export class Mlp extends Module {
  readonly fc1: Linear;
  readonly fc2: Linear;

  constructor(dim: number) {
    super();
    this.fc1 = vitLinear(dim, MLP_RATIO * dim);
    this.fc2 = vitLinear(MLP_RATIO * dim, dim);
  }

  /**
   * The second product of GELU of the first.
   *
   * @param residual added to what comes out
   */
  forward(x: Tensor, residual?: Tensor): Tensor {
    const { fc1, fc2 } = this;
    return mlp(x, {
      ...{ weight1: fc1.weight, bias1: fc1.bias as Tensor, weight2: fc2.weight, bias2: fc2.bias as Tensor }, // made with biases
      ...(residual ? { residual } : {}),
    });
  }
}

export interface BlockOptions extends AttentionOptions {
  /** Is given the packed queries, keys and values that the block attends with: [B, N, 3·dim]. */
  readonly watch?: (qkv: Tensor) => void;
  /** Is given what the block is given: [B, N, dim]. */
  readonly watchTokens?: (tokens: Tensor) => void;
  /** Of each block, keep only what it is given, and compute the rest again on the way back: less memory, more work. */
  readonly recompute?: boolean;
  /** Scales of the attention and of the MLP, sample by sample: stochastic depth. */
  readonly paths?: readonly [PathScales, PathScales];
}

/** A pre-norm transformer block: x + attn(norm1(x)), then x + mlp(norm2(x)) (Dosovitskiy et al. 2020). */
export class Block extends Module {
  readonly norm1: LayerNorm;
  readonly attn: Attention;
  readonly norm2: LayerNorm;
  readonly mlp: Mlp;

  /**
   * @param dim a multiple of `heads`
   * @param eps of its layer norms
   */
  constructor(dim: number, heads: number, eps?: number) {
    super();
    this.norm1 = vitNorm(dim, eps);
    this.attn = new Attention(dim, heads);
    this.norm2 = vitNorm(dim, eps);
    this.mlp = new Mlp(dim);
  }

  /**
   * x with attention added, then with the MLP added.
   *
   * @param x [B, N, dim]
   * @param options which keys a token may attend to, who watches, what is kept, and what is left out
   */
  forward(x: Tensor, { watch, watchTokens, recompute = false, paths, ...options }: BlockOptions = {}): Tensor {
    watchTokens?.(x);
    let watcher = watch; // sees the forward pass only
    const make = (): Tensor => {
      const attending = { ...options, watch: watcher, residual: paths ? undefined : x };
      watcher = undefined;
      const mixed = this.attn.forward(this.norm1.forward(x), attending);
      const attended = paths ? dropPath(x, mixed, paths[0]) : mixed;
      const normed = this.norm2.forward(attended);
      return paths ? dropPath(attended, this.mlp.forward(normed), paths[1]) : this.mlp.forward(normed, attended);
    };
    return recompute ? graphOf('block', x).checkpoint('block', make) : make();
  }
}
