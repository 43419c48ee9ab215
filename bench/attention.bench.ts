import { forward, type Inputs } from '../kernels-test/attention.reference';
import { attention } from '../src/ops/attention';
import type { BenchCase, BenchSuite } from './bench';

function attentionCase(b: number, n: number, heads: number, d: number, backward: boolean): BenchCase {
  return {
    name: `${b}×${n}, ${heads} heads of ${d} ${backward ? 'forward and backward' : 'forward'}`,
    inputs: { qkv: [b, n, 3 * heads * d] },
    operation: (graph, { qkv }) => (qkv ? { out: attention(graph, qkv, heads) } : {}),
    forward: (inputs: Inputs) => ({ out: forward({ b, n, heads, d }, inputs).out }),
    backward,
    // Two products forward; five backward: the scores again, dV, dP, dQ, dK.
    flops: 2 * b * heads * n * n * d * (backward ? 7 : 2),
    bytes: 4 * b * n * heads * d * (backward ? 12 : 4),
  };
}

export default {
  kernel: 'attention',
  cases: [
    attentionCase(16, 17, 3, 64, false),
    attentionCase(16, 17, 3, 64, true),
    attentionCase(16, 65, 3, 64, true),
    attentionCase(1, 197, 12, 64, true),
    attentionCase(3, 33, 5, 20, true),
  ],
} satisfies BenchSuite;
