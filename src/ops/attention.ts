import type { KernelVariant } from '../gpu/autotune';
import { EngineError } from '../gpu/errors';
import { addInPlace } from '../tensor/accumulate';
import { graphOf } from '../tensor/graph';
import { formatShape, matchShape } from '../tensor/shape';
import type { Tensor, DType } from '../tensor/tensor';
import { attentionKernels as kernels } from './attentionKernels';
import { planAttention, type AttentionPlan, type AttentionVariant } from './attentionPlan';
import { assertFloating, assertType } from './patchIndices';

/** What `attention` may be told: a key mask and a bias. */
export interface AttentionOptions {
  /** [B, N] u32: 1 where a key may be attended to. A row that may attend to none gives zeros. */
  readonly keyMask?: Tensor<'u32'>;
  /** [B or 1, H or 1, N, N] f32, added to the scaled scores. A constant: it takes no gradient. */
  readonly bias?: Tensor;
}

/**
 * Multi-head attention softmax(Q·Kᵀ/√d + bias)·V on packed queries, keys and values (Vaswani et al. 2017; computed as in
 * FlashAttention, Dao et al. 2022).
 *
 * @param qkv [B, N, 3·H·d], f32 or f16, as one Linear gives it: queries, keys, values, each head after head
 * @returns [B, N, H·d] of the type of qkv
 * @throws EngineError `bad-shape`
 */
export function attention(qkv: Tensor, heads: number, { keyMask, bias }: AttentionOptions = {}): Tensor {
  const graph = graphOf('attention', qkv, keyMask, bias);
  assertFloating('attention', 'qkv', qkv);
  if (keyMask) assertType('attention', 'keyMask', keyMask, 'u32');
  if (bias) assertType('attention', 'bias', bias, 'f32');
  const { b, n, width } = matchShape('attention', 'qkv', qkv.shape, ['b', 'n', 'width']);
  if (width % (3 * heads) !== 0) {
    throw new EngineError(
      'bad-shape',
      `attention: qkv ${formatShape(qkv.shape)} does not divide into queries, keys and values of ${heads} heads.`,
      'Give a width that is a multiple of 3 × heads.',
    );
  }
  const d = width / (3 * heads);
  if (keyMask) matchShape('attention', 'keyMask', keyMask.shape, [b, n]);
  const biasStrides = bias ? stridesOfBias(bias, b, heads, n) : { biasBatchStride: 0, biasHeadStride: 0 };

  const shape = { b, n, heads, d, mask: keyMask !== undefined, bias: bias !== undefined, half: qkv.dtype === 'f16' };
  const uniforms = { batch: b, sequence: n, heads, channels: d, scale: 1 / Math.sqrt(d), ...biasStrides };
  const options = { ...(keyMask ? { keyMask } : {}), ...(bias ? { bias } : {}) };
  const out = graph.empty('attention', [b, n, heads * d], qkv.dtype, qkv.requiresGrad);
  const lse = graph.empty('attention lse', [b, heads, n]);
  const variant = ({ kernel, params, workgroups }: AttentionVariant): KernelVariant => ({
    kernel: kernels[kernel],
    params,
    workgroups,
  });
  /** @param products of N × N by d that it makes */
  const dispatch = (
    plan: AttentionPlan,
    part: 'forward' | 'backwardQ' | 'backwardKV',
    products: number,
    bindings: Readonly<Record<string, Tensor<DType>>>,
  ): void => {
    const { others, ...first } = plan[part];
    const ofBias = bias ? ` bias ${bias.shape.join('×')}` : '';
    graph.dispatch({
      ...variant(first),
      alternatives: { work: `attention ${part} ${b}×${n}×${heads}×${d}${ofBias}`, variants: others.map(variant) },
      flops: 2 * products * b * heads * n * n * d,
      uniforms,
      bindings: { ...bindings, ...options },
    });
  };
  /** As the kernels take it. */
  const given = ({ half }: AttentionPlan, tensor: Tensor): Tensor => {
    const dtype = half ? 'f16' : 'f32';
    if (tensor.dtype === dtype) return tensor;
    const converted = graph.empty(tensor.label, tensor.shape, dtype);
    addInPlace(graph, converted, tensor, false);
    return converted;
  };
  graph.byTraits('attention', (traits) => {
    const plan = planAttention(shape, traits);
    const madeOf = given(plan, qkv);
    const isDirect = plan.half === (out.dtype === 'f16');
    const made = isDirect ? out : graph.empty(out.label, out.shape, plan.half ? 'f16' : 'f32');
    dispatch(plan, 'forward', 2, { qkv: madeOf, out: made, lse });
    if (!isDirect) addInPlace(graph, out, made, false);
  });
  graph.record('attention', [out], (gradients) => {
    const dout = gradients.of(out);
    const target = dout && gradients.into(qkv);
    if (!dout || !target) return;
    graph.byTraits('attention backward', (traits) => {
      const plan = planAttention(shape, traits);
      // The kernels write dQ, dK and dV once each; where there is one to add to, or in f16, they write beside it.
      const isDirect = !target.accumulate && plan.half === (target.out.dtype === 'f16');
      const dqkv = isDirect ? target.out : graph.empty('d qkv', qkv.shape, plan.half ? 'f16' : 'f32');
      const operands = { qkv: given(plan, qkv), dout: given(plan, dout) };
      const delta = graph.empty('attention delta', [b, heads, n]);
      dispatch(plan, 'backwardQ', 3, { ...operands, out: given(plan, out), lse, delta, dqkv });
      dispatch(plan, 'backwardKV', 4, { ...operands, lse, delta, dqkv });
      if (!isDirect) addInPlace(graph, target.out, dqkv, target.accumulate);
    });
  });
  return out;
}

function stridesOfBias(
  bias: Tensor,
  b: number,
  heads: number,
  n: number,
): { biasBatchStride: number; biasHeadStride: number } {
  const { samples, rows } = matchShape('attention', 'bias', bias.shape, ['samples', 'rows', n, n]);
  if ((samples !== b && samples !== 1) || (rows !== heads && rows !== 1)) {
    throw new EngineError(
      'bad-shape',
      `attention: bias has shape ${formatShape(bias.shape)}, not [${b} or 1, ${heads} or 1, ${n}, ${n}].`,
      'Give one matrix a sample and head, or share it.',
    );
  }
  const headStride = n * n;
  return {
    biasBatchStride: samples === 1 ? 0 : rows * headStride,
    biasHeadStride: rows === 1 ? 0 : headStride,
  };
}
