import { backward, forward, type Inputs } from '../kernels-test/scaledDotProductAttention.reference';
import { scaledDotProductAttention } from '../src/ops/scaledDotProductAttention';
import type { BenchCase, BenchSuite } from './bench';

function attentionCase(heads: number, tokens: number, width: number, causal: boolean): BenchCase {
  const shape = [heads, tokens, width];
  return {
    name: `${heads} heads, ${tokens} tokens of ${width}${causal ? ', causal' : ''}, forward and backward`,
    inputs: { q: shape, k: shape, v: shape },
    operation: ({ q, k, v }) => (q && k && v ? { y: scaledDotProductAttention(q, k, v, { causal }) } : {}),
    forward: (inputs: Inputs) => forward(inputs, { causal }),
    backward: ({ q, k, v }: Inputs, dOutputs) => {
      const gradients = backward({ q, k, v }, dOutputs, { causal });
      return { q: gradients.q, k: gradients.k, v: gradients.v };
    },
    // Two products on the way, four on the way back.
    flops: 12 * heads * tokens * tokens * width,
    bytes: 4 * heads * (8 * tokens * width + 4 * tokens * tokens),
    tolerance: 4e-6,
  };
}

export default {
  kernel: 'scaledDotProductAttention',
  cases: [attentionCase(32, 64, 32, true), attentionCase(12, 197, 64, false), attentionCase(6, 33, 17, true)],
} satisfies BenchSuite;
