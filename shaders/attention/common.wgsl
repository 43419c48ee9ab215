// Multi-head scaled dot-product attention over short sequences, forward and backward.
//
//   s[q,k]   = scale · Σ_c Q[q,c] K[k,c] + bias[q,k]         p[q,k] = exp(s[q,k] − lse[q]), 0 where k is masked
//   lse[q]   = log Σ_k exp(s[q,k])                           out[q] = Σ_k p[q,k] V[k]
//   delta[q] = Σ_c dout[q,c] out[q,c]                        ds[q,k] = p[q,k] · (Σ_c dout[q,c] V[k,c] − delta[q])
//   dQ[q]    = scale · Σ_k ds[q,k] K[k]                      dK[k] = scale · Σ_q ds[q,k] Q[q]
//                                                            dV[k] = Σ_q p[q,k] dout[q]
//
// Layouts, row-major: qkv, dqkv [B, N, 3, H, D] (as one Linear gives Q, K and V together); out, dout [B, N, H, D]; lse
// and delta [B, H, N]; keyMask [B, N], 1 where the key may be attended; bias [B or 1, H or 1, N, N], broadcast by its
// strides. A row that may attend nothing has lse = NOTHING, out = 0 and no gradient.
//
// Probabilities are never stored: backward makes them again from lse. backwardQ owns query rows and writes delta and
// dQ; backwardKV owns key rows, reads that delta, so runs after it, and writes dK and dV. Nobody adds to another's
// result, so there are no atomics and every sum has a fixed order. (Dao et al. 2022, FlashAttention; Dao 2023,
// FlashAttention-2.)
//
// The ladder, a file a version (with Backward beside it where both are long), three kernels each:
//
//   plain     attentionPlain*     the reference, for any D: an invocation a row, scalars, softmax in passes
//   register  attentionRegister*  an invocation several rows, vec4, one pass over the keys: software adapters
//   head      attentionHead*      an invocation a head, half of which lies in private memory: software of four lanes
//   shuffle   attentionShuffle*   a subgroup, whose lanes share what they load: software adapters of many lanes
//   tile      attention*          workgroups, which share keys and values in workgroup memory: GPUs
//
// Which of them runs, and with which parameters, says src/ops/attentionPlan.ts.

//#param KEY_MASK: bool
//#param BIAS: bool

struct Sizes {
  batch: u32,
  sequence: u32,
  heads: u32,
  channels: u32,
  scale: f32,
  biasBatchStride: u32,
  biasHeadStride: u32,
}

// Below every score that counts, and finite because WGSL has no constant for infinity.
const NOTHING = -3.0e38f;

/// Whether a key takes part: it is one of the sequence, and no mask hides it.
fn isOpen(b: u32, k: u32) -> bool {
  //#if KEY_MASK
  return k < sizes.sequence && keyMask[b * sizes.sequence + min(k, sizes.sequence - 1u)] != 0u;
  //#else
  return k < sizes.sequence;
  //#end
}
