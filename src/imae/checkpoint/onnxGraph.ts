import { tensorFloat32, type StoredTensor } from '../../formats/safetensors';
import type { EncoderSize, ModelSize } from '../config/config';
import { branchNames, type Branches } from '../model/mae';
import { MAE_EPS } from './encoderMetadata';

/*
 * A model as a graph of ONNX's operators (opset 17), of any batch. Weights of products lie as [inputs, outputs] there.
 * Source of what operators take and give: https://onnx.ai/onnx/operators.
 */

/** The version of the operators. */
export const OPSET = 17;

/** An attribute of a node: a whole number, a number, or several whole numbers. */
export type OnnxAttribute =
  { readonly int: number } | { readonly float: number } | { readonly ints: readonly number[] };

export interface OnnxNode {
  readonly operator: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: Readonly<Record<string, OnnxAttribute>>;
}

/** Elements and shape of a constant. */
export interface OnnxConstant {
  readonly name: string;
  readonly shape: readonly number[];
  readonly data: Float32Array | BigInt64Array;
}

/** An input or output; an axis by name is of any extent. */
export interface OnnxValue {
  readonly name: string;
  readonly type: 'f32' | 'i64';
  readonly shape: readonly (number | string)[];
}

export interface OnnxGraph {
  readonly nodes: readonly OnnxNode[];
  readonly constants: readonly OnnxConstant[];
  readonly inputs: readonly OnnxValue[];
  readonly outputs: readonly OnnxValue[];
}

/** What is shared by encoder and decoder, with the size of the part. */
interface Part {
  readonly dim: number;
  readonly heads: number;
  readonly eps: number;
}

/**
 * The encoder: `pixel_values` [batch, C, H, W], normalised → `last_hidden_state` [batch, 1 + L, D].
 *
 * @param tensors by their names in MAE
 */
export function encoderGraph(tensors: ReadonlyMap<string, StoredTensor>, size: EncoderSize): OnnxGraph {
  const builder = new GraphBuilder(tensors);
  const latent = builder.encode(size, undefined);
  builder.name(latent, 'last_hidden_state');
  return builder.graph(
    [pixels(size)],
    [{ name: 'last_hidden_state', type: 'f32', shape: ['batch', 1 + (size.image / size.patch) ** 2, size.dim] }],
  );
}

/**
 * The whole masked autoencoder: `pixel_values`, `ids_keep` [batch, K] (the visible patches) and `ids_restore` [batch, L] (the
 * place of each patch among the visible and then the hidden ones) → `last_hidden_state` [batch, 1 + K, D] and `logits`
 * [batch, L, P·P·C], a patch vector (row, column, channel); of an i-MAE with two branches `logits1` (of the subordinate image) and
 * `logits2`.
 */
export function maeGraph(tensors: ReadonlyMap<string, StoredTensor>, size: ModelSize, branches: Branches): OnnxGraph {
  const { image, patch, channels, dim } = size;
  const length = (image / patch) ** 2;
  const builder = new GraphBuilder(tensors);
  const latent = builder.encode(size, 'ids_keep');
  builder.name(latent, 'last_hidden_state');
  const outputs = branchNames(branches).map((branch): OnnxValue => {
    const name = branch.replace('decoder_embed', 'logits');
    builder.name(builder.decode(size, 'last_hidden_state', branch), name);
    return { name, type: 'f32', shape: ['batch', length, patch * patch * channels] };
  });
  return builder.graph(
    [
      pixels(size),
      { name: 'ids_keep', type: 'i64', shape: ['batch', 'visible'] },
      { name: 'ids_restore', type: 'i64', shape: ['batch', length] },
    ],
    [{ name: 'last_hidden_state', type: 'f32', shape: ['batch', '1 + visible', dim] }, ...outputs],
  );
}

function pixels({ channels, image }: EncoderSize): OnnxValue {
  return { name: 'pixel_values', type: 'f32', shape: ['batch', channels, image, image] };
}

/** Adds nodes one after the other; values are known by name. */
class GraphBuilder {
  private readonly nodes: OnnxNode[] = [];
  private readonly constants = new Map<string, OnnxConstant>();
  private values = 0;

  constructor(private readonly tensors: ReadonlyMap<string, StoredTensor>) {}

  graph(inputs: readonly OnnxValue[], outputs: readonly OnnxValue[]): OnnxGraph {
    return { nodes: this.nodes, constants: [...this.constants.values()], inputs, outputs };
  }

  /** Gives a value the name of an output. */
  name(value: string, name: string): void {
    this.nodes.push({ operator: 'Identity', inputs: [value], outputs: [name], attributes: {} });
  }

  /** Images through the encoder. @param ids the visible patches; undefined: all */
  encode({ patch, dim, depth, heads, layerNormEps: eps = MAE_EPS }: EncoderSize, ids: string | undefined): string {
    const positions = this.elements('pos_embed');
    const side: OnnxAttribute = { ints: [patch, patch] };
    const convolved = this.add(
      'Conv',
      ['pixel_values', this.weight('patch_embed.proj.weight'), this.weight('patch_embed.proj.bias')],
      {
        kernel_shape: side,
        strides: side,
      },
    );
    const rows = this.transpose(this.reshape(convolved, [0, dim, -1]), [0, 2, 1]);
    const placed = this.add('Add', [
      rows,
      this.constant('pos_embed of patches', [1, positions.length / dim - 1, dim], positions.slice(dim)),
    ]);
    const visible = ids === undefined ? placed : this.gather(placed, ids);
    const token = this.elements('cls_token').map((value, i) => value + (positions[i] as number));
    const tokens = this.add(
      'Concat',
      [this.repeated(this.constant('cls_token with its place', [1, 1, dim], token), visible, [1, dim]), visible],
      {
        axis: { int: 1 },
      },
    );
    const part = { dim, heads, eps };
    return this.norm(this.blocks(tokens, 'blocks', depth, part), 'norm', eps);
  }

  /** A latent through a branch and the decoder: patches, without the class token's row. */
  decode(size: ModelSize, latent: string, branch: string): string {
    const { decoderDim: dim, decoderDepth, decoderHeads: heads, layerNormEps: eps = MAE_EPS } = size;
    const z = this.linear(latent, branch);
    const token = this.slice(z, 0, 1);
    const seen = this.slice(z, 1);
    // As many mask tokens as there are patches, behind the visible ones: only the first of them are fetched.
    const masks = this.repeated(this.weight('mask_token'), z, [(size.image / size.patch) ** 2, dim]);
    const patches = this.gather(this.add('Concat', [seen, masks], { axis: { int: 1 } }), 'ids_restore');
    const tokens = this.add('Concat', [token, patches], { axis: { int: 1 } });
    const placed = this.add('Add', [tokens, this.weight('decoder_pos_embed')]);
    const decoded = this.blocks(placed, 'decoder_blocks', decoderDepth, { dim, heads, eps });
    return this.slice(this.linear(this.norm(decoded, 'decoder_norm', eps), 'decoder_pred'), 1);
  }

  private blocks(tokens: string, name: string, depth: number, part: Part): string {
    let x = tokens;
    for (let index = 0; index < depth; index++) {
      const block = `${name}.${index}`;
      x = this.add('Add', [x, this.attention(this.norm(x, `${block}.norm1`, part.eps), `${block}.attn`, part)]);
      x = this.add('Add', [x, this.mlp(this.norm(x, `${block}.norm2`, part.eps), `${block}.mlp`)]);
    }
    return x;
  }

  /** softmax(q·kᵀ/√d)·v, head by head, and the product after it. */
  private attention(x: string, name: string, { dim, heads }: Part): string {
    const width = dim / heads;
    const packed = this.transpose(
      this.reshape(this.linear(x, `${name}.qkv`), [0, 0, 3, heads, width]),
      [2, 0, 3, 1, 4],
    );
    const [q, k, v] = [0, 1, 2].map((index) =>
      this.add('Gather', [packed, this.scalar(index)], { axis: { int: 0 } }),
    ) as [string, string, string];
    const scaled = this.add('Mul', [q, this.constant(`1/√${width}`, [], Float32Array.of(1 / Math.sqrt(width)))]);
    const scores = this.add('MatMul', [scaled, this.transpose(k, [0, 1, 3, 2])]);
    const mixed = this.add('MatMul', [this.add('Softmax', [scores], { axis: { int: -1 } }), v]);
    return this.linear(this.reshape(this.transpose(mixed, [0, 2, 1, 3]), [0, 0, dim]), `${name}.proj`);
  }

  /** GELU by the error function: x·(1 + erf(x/√2))/2. */
  private mlp(x: string, name: string): string {
    const inner = this.linear(x, `${name}.fc1`);
    const number = (label: string, value: number): string => this.constant(label, [], Float32Array.of(value));
    const erf = this.add('Erf', [this.add('Mul', [inner, number('1/√2', Math.SQRT1_2)])]);
    const gate = this.add('Mul', [this.add('Add', [erf, number('1', 1)]), number('1/2', 0.5)]);
    return this.linear(this.add('Mul', [inner, gate]), `${name}.fc2`);
  }

  private norm(x: string, name: string, eps: number): string {
    const inputs = [x, this.weight(`${name}.weight`), this.weight(`${name}.bias`)];
    return this.add('LayerNormalization', inputs, { axis: { int: -1 }, epsilon: { float: eps } });
  }

  /** x·Wᵀ + b: the weight is laid out as [inputs, outputs]. */
  private linear(x: string, name: string): string {
    const weight = `${name}.weight`;
    const [outputs = 0, inputs = 0] = this.tensor(weight).shape;
    if (!this.constants.has(weight)) {
      const values = this.elements(weight);
      const turned = new Float32Array(values.length);
      for (let row = 0; row < outputs; row++)
        for (let column = 0; column < inputs; column++)
          turned[column * outputs + row] = values[row * inputs + column] as number;
      this.constant(weight, [inputs, outputs], turned);
    }
    return this.add('Add', [this.add('MatMul', [x, weight]), this.weight(`${name}.bias`)]);
  }

  /** Rows of each sample, by its indices: [batch, N, width] and [batch, M] → [batch, M, width]. */
  private gather(x: string, ids: string): string {
    const indices = this.add('Unsqueeze', [ids, this.integers('last axis', [-1])]);
    return this.add('GatherND', [x, indices], { batch_dims: { int: 1 } });
  }

  /** A constant [1, 1, width] for each sample of x: [batch, …shape]. */
  private repeated(value: string, x: string, shape: readonly number[]): string {
    const batch = this.add('Shape', [x], { start: { int: 0 }, end: { int: 1 } });
    const all = this.add('Concat', [batch, this.integers(`[${shape.join()}]`, shape)], { axis: { int: 0 } });
    return this.add('Expand', [value, all]);
  }

  /** Of axis 1, what lies from `begin` to `end`. */
  private slice(x: string, begin: number, end = Number.MAX_SAFE_INTEGER): string {
    const one = (value: number): string => this.integers(`[${value}]`, [value]);
    return this.add('Slice', [x, one(begin), one(end), one(1)]);
  }

  private reshape(x: string, shape: readonly number[]): string {
    return this.add('Reshape', [x, this.integers(`[${shape.join()}]`, shape)]);
  }

  private transpose(x: string, axes: readonly number[]): string {
    return this.add('Transpose', [x], { perm: { ints: axes } });
  }

  private integers(name: string, values: readonly number[]): string {
    return this.constant(name, [values.length], BigInt64Array.from(values, BigInt));
  }

  private scalar(value: number): string {
    return this.constant(`index ${value}`, [], BigInt64Array.of(BigInt(value)));
  }

  private tensor(name: string): StoredTensor {
    const tensor = this.tensors.get(name);
    if (!tensor) throw new Error(`The model has no '${name}'.`); // all were collected
    return tensor;
  }

  private elements(name: string): Float32Array {
    return tensorFloat32(this.tensor(name));
  }

  /** A tensor of the model, as it is. */
  private weight(name: string): string {
    return this.constants.has(name) ? name : this.constant(name, this.tensor(name).shape, this.elements(name));
  }

  private constant(name: string, shape: readonly number[], data: OnnxConstant['data']): string {
    if (!this.constants.has(name)) this.constants.set(name, { name, shape, data });
    return name;
  }

  private add(operator: string, inputs: readonly string[], attributes: OnnxNode['attributes'] = {}): string {
    const output = `${operator} ${this.values++}`;
    this.nodes.push({ operator, inputs, outputs: [output], attributes });
    return output;
  }
}
