import { attention } from '../ops/attention';
import { linear } from '../ops/linear';
import { permute } from '../ops/permute';
import { scaledDotProductAttention } from '../ops/scaledDotProductAttention';
import { slice } from '../ops/slice';
import { EngineError } from '../gpu/errors';
import { graphOf } from '../tensor/graph';
import type { Tensor } from '../tensor/tensor';
import { xavierUniform, zeros } from './initializers';
import { Linear } from './linear';
import { Module, ModuleParameter } from './module';

/** What a `MultiheadAttention` may be told at each call. */
export interface AttendOptions {
  /** What is attended to, [B, M, dim]: by default x itself. */
  readonly key?: Tensor | undefined;
  /** What is taken from there, [B, M, dim]: by default `key`. */
  readonly value?: Tensor | undefined;
  /** Whether a token attends to none that comes after it. */
  readonly causal?: boolean | undefined;
  /** 1 where a token may attend, broadcast to [B, heads, N, M]. */
  readonly mask?: Tensor<'u32'> | undefined;
}

/**
 * Multi-head attention (Vaswani et al. 2017) with the parameters of torch.nn.MultiheadAttention: `inProjWeight` [3·dim, dim],
 * `inProjBias` [3·dim], `outProj`; they begin as there: Xavier's for the former, U(±1/√dim) for `outProj`, biases 0.
 */
export class MultiheadAttention extends Module {
  readonly inProjWeight: ModuleParameter;
  readonly inProjBias?: ModuleParameter;
  readonly outProj: Linear;

  readonly #dim: number;
  readonly #heads: number;

  /** @throws EngineError `bad-shape` unless `heads` divides `dim` */
  constructor(dim: number, heads: number, { bias = true }: { readonly bias?: boolean } = {}) {
    super();
    this.#dim = dim;
    this.#heads = heads;
    if (!Number.isInteger(heads) || heads < 1 || dim % heads !== 0) {
      const what = `MultiheadAttention: a width of ${dim} does not divide into ${heads} heads.`;
      throw new EngineError('bad-shape', what, 'Give a number of heads that divides the width.');
    }
    this.inProjWeight = new ModuleParameter([3 * dim, dim], xavierUniform);
    if (bias) this.inProjBias = new ModuleParameter([3 * dim], zeros);
    this.outProj = new Linear(dim, dim, { bias, initializeBias: zeros });
  }

  /** @param x [B, N, dim] @returns [B, N, dim] */
  forward(x: Tensor, { key, value, causal, mask }: AttendOptions = {}): Tensor {
    if (!key && !value && !causal && !mask) {
      return this.outProj.forward(attention(linear(x, this.inProjWeight, this.inProjBias), this.#heads));
    }
    const [queries, keys, values] =
      key || value ? this.#projectApart(x, key ?? x, value ?? key ?? x) : this.#project(x);
    const [q, k, v] = [this.#split(queries), this.#split(keys), this.#split(values)];
    const mixed = scaledDotProductAttention(q, k, v, { ...(causal ? { causal } : {}), ...(mask ? { mask } : {}) });
    return this.outProj.forward(permute(mixed, [0, 2, 1, 3]).reshape(x.shape));
  }

  /** Queries, keys and values of one tensor. */
  #project(x: Tensor): readonly [Tensor, Tensor, Tensor] {
    const all = linear(x, this.inProjWeight, this.inProjBias);
    const part = (index: number): Tensor => slice(all, -1, index * this.#dim, (index + 1) * this.#dim);
    return [part(0), part(1), part(2)];
  }

  #projectApart(...operands: readonly [Tensor, Tensor, Tensor]): readonly [Tensor, Tensor, Tensor] {
    const { inProjWeight, inProjBias } = this;
    const dim = this.#dim;
    const graph = graphOf('MultiheadAttention', ...operands);
    const project = (of: Tensor, index: number): Tensor => {
      const part = (tensor: Tensor): Tensor => slice(graph.use(tensor), 0, index * dim, (index + 1) * dim);
      return linear(of, part(inProjWeight), inProjBias && part(inProjBias));
    };
    return [project(operands[0], 0), project(operands[1], 1), project(operands[2], 2)];
  }

  /** [B, N, dim] as [B, heads, N, dim / heads]. */
  #split(x: Tensor): Tensor {
    const [batch = 0, tokens = 0] = x.shape;
    return permute(x.reshape([batch, tokens, this.#heads, this.#dim / this.#heads]), [0, 2, 1, 3]);
  }
}
