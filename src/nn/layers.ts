import { attention, type AttentionOptions } from '../ops/attention';
import { dropPath, type PathScales } from '../ops/dropPath';
import { layerNorm } from '../ops/layerNorm';
import { linear } from '../ops/linear';
import { mlp } from '../ops/mlp';
import { graphOf } from '../tensor/graph';
import type { Precision, Tensor } from '../tensor/tensor';
import { ones, xavierUniform, zeros } from './initializers';
import type { Parameters, ParameterSpec } from './parameters';

/*
 * The layers of a Vision Transformer. A layer is two functions over a name: one states its parameters, under the names
 * of published checkpoints, the other applies them.
 */

const LAYERNORM_EPS = 1e-6;
const MLP_RATIO = 4;

/** `NAME.weight` [outputs, inputs], `NAME.bias` [outputs]. */
export function linearSpecs(name: string, inputs: number, outputs: number): ParameterSpec[] {
  return [
    { name: `${name}.weight`, shape: [outputs, inputs], initialize: xavierUniform },
    { name: `${name}.bias`, shape: [outputs], initialize: zeros },
  ];
}

/** x·Wᵀ + b (+ residual). x [..., inputs] → [..., outputs]. */
export function linearLayer(
  parameters: Parameters,
  name: string,
  x: Tensor,
  residual?: Tensor,
  precision?: Precision,
): Tensor {
  return linear(x, parameters.get(`${name}.weight`), parameters.get(`${name}.bias`), residual, precision);
}

export function layerNormSpecs(name: string, dim: number): ParameterSpec[] {
  return [
    { name: `${name}.weight`, shape: [dim], initialize: ones },
    { name: `${name}.bias`, shape: [dim], initialize: zeros },
  ];
}

export function layerNormLayer(parameters: Parameters, name: string, x: Tensor): Tensor {
  return layerNorm(x, parameters.get(`${name}.weight`), parameters.get(`${name}.bias`), LAYERNORM_EPS);
}

/** A pre-norm transformer block: `norm1`, `attn.{qkv,proj}`, `norm2`, `mlp.{fc1,fc2}`. */
export function blockSpecs(name: string, dim: number): ParameterSpec[] {
  return [
    ...layerNormSpecs(`${name}.norm1`, dim),
    ...linearSpecs(`${name}.attn.qkv`, dim, 3 * dim),
    ...linearSpecs(`${name}.attn.proj`, dim, dim),
    ...layerNormSpecs(`${name}.norm2`, dim),
    ...linearSpecs(`${name}.mlp.fc1`, dim, MLP_RATIO * dim),
    ...linearSpecs(`${name}.mlp.fc2`, MLP_RATIO * dim, dim),
  ];
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

/**
 * x + proj(attention(qkv(norm1(x)))), then x + mlp(norm2(x)) (Dosovitskiy et al. 2020).
 *
 * @param x [B, N, dim]
 * @param options which keys a token may attend to, who watches, what is kept, and what is left out
 */
export function block(
  parameters: Parameters,
  name: string,
  x: Tensor,
  heads: number,
  { watch, watchTokens, recompute = false, paths, ...options }: BlockOptions = {},
): Tensor {
  const graph = graphOf('block', x);
  watchTokens?.(x);
  let watcher = watch; // sees the forward pass only
  const make = (): Tensor => {
    const normed = layerNormLayer(parameters, `${name}.norm1`, x);
    const qkv = linearLayer(parameters, `${name}.attn.qkv`, normed, undefined, graph.precision);
    watcher?.(qkv);
    watcher = undefined;
    const mixed = attention(qkv, heads, options);
    const attended = paths
      ? dropPath(x, linearLayer(parameters, `${name}.attn.proj`, mixed), paths[0])
      : linearLayer(parameters, `${name}.attn.proj`, mixed, x);
    const out = mlp(layerNormLayer(parameters, `${name}.norm2`, attended), {
      weight1: parameters.get(`${name}.mlp.fc1.weight`),
      bias1: parameters.get(`${name}.mlp.fc1.bias`),
      weight2: parameters.get(`${name}.mlp.fc2.weight`),
      bias2: parameters.get(`${name}.mlp.fc2.bias`),
      ...(paths ? {} : { residual: attended }),
    });
    return paths ? dropPath(attended, out, paths[1]) : out;
  };
  return recompute ? graph.checkpoint(name, make) : make();
}
