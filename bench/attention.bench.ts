import { backward, forward, type Inputs } from '../kernels-test/attention.reference';
import type { References } from '../kernels-test/allclose';
import { attention } from '../src/ops/attention';
import type { BenchCase, BenchSuite } from './bench';
import { asRowsOf, rowsOf, sampleRows } from './rowSampling';

/** Products that a reference may take. */
const CHECKED = 5e7;

function attentionCase(b: number, n: number, heads: number, d: number, both: boolean): BenchCase {
  // Samples know nothing of each other.
  const checked = sampleRows(b, Math.max(2, Math.floor(CHECKED / (heads * n * n * d))));
  const sampled = { b: checked.length, n, heads, d };
  return {
    name: `${b}×${n}, ${heads} heads of ${d} ${both ? 'forward and backward' : 'forward'}`,
    inputs: { qkv: [b, n, 3 * heads * d] },
    operation: ({ qkv }) => (qkv ? { out: attention(qkv, heads) } : {}),
    forward: (inputs: Inputs) => asRowsOf({ out: forward(sampled, rowsOf(inputs, checked)).out }, checked),
    ...(both
      ? {
          backward: (inputs: Inputs, dOutputs: References) =>
            asRowsOf(backward(sampled, rowsOf(inputs, checked), rowsOf(dOutputs, checked)), checked),
        }
      : {}),
    // Two products forward; five backward: the scores again, dV, dP, dQ, dK.
    flops: 2 * b * heads * n * n * d * (both ? 7 : 2),
    bytes: 4 * b * n * heads * d * (both ? 12 : 4),
  };
}

export default {
  kernel: 'attention',
  cases: [
    attentionCase(16, 17, 3, 64, false),
    attentionCase(16, 17, 3, 64, true),
    attentionCase(16, 65, 3, 64, true),
    attentionCase(32, 13, 4, 16, true),
    attentionCase(64, 17, 3, 64, true),
    attentionCase(16, 257, 3, 64, false),
    attentionCase(16, 257, 3, 64, true),
    attentionCase(1, 197, 12, 64, true),
    attentionCase(512, 65, 3, 64, true),
    attentionCase(64, 50, 12, 64, true),
    attentionCase(64, 197, 16, 32, false),
    attentionCase(64, 197, 16, 32, true),
    attentionCase(3, 33, 5, 20, true),
  ],
} satisfies BenchSuite;
