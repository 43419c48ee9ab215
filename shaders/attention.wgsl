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
// Five versions of the three kernels:
//   attentionPlain*     one invocation a row, scalars, softmax in passes: the reference, for any D
//   attentionRegister*  one invocation ROWS rows, straight from storage, no barriers: software adapters
//   attentionHead*      one invocation a head, of which half lies in private memory: software adapters of four lanes
//   attentionShuffle*   one subgroup of many lanes ROWS rows a lane, which share what they load: software adapters
//   attention*          workgroup tiles: GPUs
// All but attentionPlain* and attentionShuffle* read vec4; a D that is no multiple of 4 takes attentionPlain*. HALF: qkv, out
// and their gradients are f16 in memory, which attention* alone knows.

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

//#kernel attentionPlainForward
// One invocation a query row (b, h, q): the row's maximum, then its sum and output, which grows in its place in
// storage.
//#param WG: u32
//#param KEY_MASK: bool
//#param BIAS: bool
@group(0) @binding(0) var<uniform> sizes: Sizes;
@group(0) @binding(1) var<storage, read> qkv: array<f32>;
@group(0) @binding(2) var<storage, read_write> out: array<f32>;
@group(0) @binding(3) var<storage, read_write> lse: array<f32>;
//#if KEY_MASK
@group(0) @binding(4) var<storage, read> keyMask: array<u32>;
//#end
//#if BIAS
@group(0) @binding(5) var<storage, read> bias: array<f32>;
//#end

fn score(b: u32, h: u32, q: u32, k: u32) -> f32 {
  let n = sizes.sequence;
  let d = sizes.channels;
  //#if KEY_MASK
  if (keyMask[b * n + k] == 0u) { return NOTHING; }
  //#end
  let queryAt = ((b * n + q) * 3u * sizes.heads + h) * d;
  let keyAt = (((b * n + k) * 3u + 1u) * sizes.heads + h) * d;
  var sum = 0.0;
  for (var c = 0u; c < d; c++) { sum += qkv[queryAt + c] * qkv[keyAt + c]; }
  sum *= sizes.scale;
  //#if BIAS
  sum += bias[b * sizes.biasBatchStride + h * sizes.biasHeadStride + q * n + k];
  //#end
  return sum;
}

@compute @workgroup_size(WG)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let n = sizes.sequence;
  let d = sizes.channels;
  let row = id.x + id.y * groups.x * WG;
  if (row >= sizes.batch * sizes.heads * n) { return; }
  let q = row % n;
  let h = row / n % sizes.heads;
  let b = row / n / sizes.heads;

  var largest = NOTHING;
  for (var k = 0u; k < n; k++) { largest = max(largest, score(b, h, q, k)); }
  let outAt = ((b * n + q) * sizes.heads + h) * d;
  for (var c = 0u; c < d; c++) { out[outAt + c] = 0.0; }
  var total = 0.0;
  for (var k = 0u; k < n; k++) {
    let s = score(b, h, q, k);
    let p = select(0.0, exp(s - largest), s > NOTHING);
    let valueAt = (((b * n + k) * 3u + 2u) * sizes.heads + h) * d;
    for (var c = 0u; c < d; c++) { out[outAt + c] += p * qkv[valueAt + c]; }
    total += p;
  }
  let norm = select(0.0, 1.0 / total, total > 0.0);
  for (var c = 0u; c < d; c++) { out[outAt + c] *= norm; }
  lse[row] = select(NOTHING, largest + log(total), total > 0.0);
}

//#kernel attentionPlainBackwardQ
// One invocation a query row (b, h, q).
//#param WG: u32
//#param KEY_MASK: bool
//#param BIAS: bool
@group(0) @binding(0) var<uniform> sizes: Sizes;
@group(0) @binding(1) var<storage, read> qkv: array<f32>;
@group(0) @binding(2) var<storage, read> out: array<f32>;
@group(0) @binding(3) var<storage, read> dout: array<f32>;
@group(0) @binding(4) var<storage, read> lse: array<f32>;
@group(0) @binding(5) var<storage, read_write> delta: array<f32>;
@group(0) @binding(6) var<storage, read_write> dqkv: array<f32>;
//#if KEY_MASK
@group(0) @binding(7) var<storage, read> keyMask: array<u32>;
//#end
//#if BIAS
@group(0) @binding(8) var<storage, read> bias: array<f32>;
//#end

@compute @workgroup_size(WG)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let n = sizes.sequence;
  let d = sizes.channels;
  let row = id.x + id.y * groups.x * WG;
  if (row >= sizes.batch * sizes.heads * n) { return; }
  let q = row % n;
  let h = row / n % sizes.heads;
  let b = row / n / sizes.heads;
  let queryAt = ((b * n + q) * 3u * sizes.heads + h) * d;
  let outAt = ((b * n + q) * sizes.heads + h) * d;

  var rowDelta = 0.0;
  for (var c = 0u; c < d; c++) { rowDelta += dout[outAt + c] * out[outAt + c]; }
  delta[row] = rowDelta;

  for (var c = 0u; c < d; c++) { dqkv[queryAt + c] = 0.0; }
  for (var k = 0u; k < n; k++) {
    //#if KEY_MASK
    if (keyMask[b * n + k] == 0u) { continue; }
    //#end
    let keyAt = (((b * n + k) * 3u + 1u) * sizes.heads + h) * d;
    let valueAt = keyAt + sizes.heads * d;
    var s = 0.0;
    var dp = 0.0;
    for (var c = 0u; c < d; c++) {
      s += qkv[queryAt + c] * qkv[keyAt + c];
      dp += dout[outAt + c] * qkv[valueAt + c];
    }
    s *= sizes.scale;
    //#if BIAS
    s += bias[b * sizes.biasBatchStride + h * sizes.biasHeadStride + q * n + k];
    //#end
    let ds = exp(s - lse[row]) * (dp - rowDelta) * sizes.scale;
    for (var c = 0u; c < d; c++) { dqkv[queryAt + c] += ds * qkv[keyAt + c]; }
  }
}

//#kernel attentionPlainBackwardKV
// One invocation a key row (b, h, k).
//#param WG: u32
//#param KEY_MASK: bool
//#param BIAS: bool
@group(0) @binding(0) var<uniform> sizes: Sizes;
@group(0) @binding(1) var<storage, read> qkv: array<f32>;
@group(0) @binding(2) var<storage, read> dout: array<f32>;
@group(0) @binding(3) var<storage, read> lse: array<f32>;
@group(0) @binding(4) var<storage, read> delta: array<f32>;
@group(0) @binding(5) var<storage, read_write> dqkv: array<f32>;
//#if KEY_MASK
@group(0) @binding(6) var<storage, read> keyMask: array<u32>;
//#end
//#if BIAS
@group(0) @binding(7) var<storage, read> bias: array<f32>;
//#end

@compute @workgroup_size(WG)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let n = sizes.sequence;
  let d = sizes.channels;
  let row = id.x + id.y * groups.x * WG;
  if (row >= sizes.batch * sizes.heads * n) { return; }
  let k = row % n;
  let h = row / n % sizes.heads;
  let b = row / n / sizes.heads;
  let keyAt = (((b * n + k) * 3u + 1u) * sizes.heads + h) * d;
  let valueAt = keyAt + sizes.heads * d;

  var queries = n;
  //#if KEY_MASK
  if (keyMask[b * n + k] == 0u) { queries = 0u; }
  //#end
  for (var c = 0u; c < d; c++) {
    dqkv[keyAt + c] = 0.0;
    dqkv[valueAt + c] = 0.0;
  }
  for (var q = 0u; q < queries; q++) {
    let queryAt = ((b * n + q) * 3u * sizes.heads + h) * d;
    let outAt = ((b * n + q) * sizes.heads + h) * d;
    var s = 0.0;
    var dp = 0.0;
    for (var c = 0u; c < d; c++) {
      s += qkv[queryAt + c] * qkv[keyAt + c];
      dp += dout[outAt + c] * qkv[valueAt + c];
    }
    s *= sizes.scale;
    //#if BIAS
    s += bias[b * sizes.biasBatchStride + h * sizes.biasHeadStride + q * n + k];
    //#end
    let queryRow = row - k + q;
    let p = exp(s - lse[queryRow]);
    let ds = p * (dp - delta[queryRow]) * sizes.scale;
    for (var c = 0u; c < d; c++) {
      dqkv[keyAt + c] += ds * qkv[queryAt + c];
      dqkv[valueAt + c] += p * dout[outAt + c];
    }
  }
}

//#kernel attentionRegisterForward
// One invocation ROWS query rows of one head; KEYS keys at a time with online softmax. Scores and outputs stay in
// registers: ROWS + 2·KEYS vec4 loads for 2·ROWS·KEYS products of vec4. The end of the sequence is met by reading its
// last row again and giving it probability 0.
//#param ROWS: u32
//#param KEYS: u32
//#param WG: u32
//#param KEY_MASK: bool
//#param BIAS: bool
@group(0) @binding(0) var<uniform> sizes: Sizes;
@group(0) @binding(1) var<storage, read> qkv: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> out: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> lse: array<f32>;
//#if KEY_MASK
@group(0) @binding(4) var<storage, read> keyMask: array<u32>;
//#end
//#if BIAS
@group(0) @binding(5) var<storage, read> bias: array<f32>;
//#end

@compute @workgroup_size(WG)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let n = sizes.sequence;
  let blocks = (n + ROWS - 1u) / ROWS;
  let block = id.x + id.y * groups.x * WG;
  if (block >= sizes.batch * sizes.heads * blocks) { return; }
  let q = block % blocks * ROWS;
  let bh = block / blocks;
  let h = bh % sizes.heads;
  let b = bh / sizes.heads;
  let chunks = sizes.channels / 4u;
  let width = sizes.heads * chunks;
  let stride = 3u * width;
  let headAt = b * n * stride + h * chunks;
  let last = n - 1u;
  //#for i in 0..ROWS
  let q${i} = min(q + ${i}u, last);
  let queryAt${i} = headAt + q${i} * stride;
  var largest${i} = NOTHING;
  var total${i} = 0.0;
  let outAt${i} = (b * n + q${i}) * width + h * chunks;
  //#end
  for (var k = 0u; k < n; k += KEYS) {
    //#for j in 0..KEYS
    let k${j} = min(k + ${j}u, last);
    let keyAt${j} = headAt + width + k${j} * stride;
    //#if KEY_MASK
    let open${j} = k + ${j}u < n && keyMask[b * n + k${j}] != 0u;
    //#else
    let open${j} = k + ${j}u < n;
    //#end
    //#end for j
    //#for i in 0..ROWS, j in 0..KEYS: var s${i}_${j} = 0.0;
    for (var c = 0u; c < chunks; c++) {
      //#for j in 0..KEYS: let key${j} = qkv[keyAt${j} + c];
      //#for i in 0..ROWS
      let query${i} = qkv[queryAt${i} + c];
      //#for j in 0..KEYS: s${i}_${j} += dot(query${i}, key${j});
      //#end
    }
    //#for i in 0..ROWS
    let before${i} = largest${i};
    //#if BIAS
    let biasAt${i} = b * sizes.biasBatchStride + h * sizes.biasHeadStride + q${i} * n;
    //#end
    //#for j in 0..KEYS
    //#if BIAS
    s${i}_${j} = s${i}_${j} * sizes.scale + bias[biasAt${i} + k${j}];
    //#else
    s${i}_${j} *= sizes.scale;
    //#end
    largest${i} = max(largest${i}, select(NOTHING, s${i}_${j}, open${j}));
    //#end for j
    let shrink${i} = exp(before${i} - largest${i});
    total${i} *= shrink${i};
    //#for j in 0..KEYS
    let p${i}_${j} = select(0.0, exp(s${i}_${j} - largest${i}), open${j});
    total${i} += p${i}_${j};
    //#end
    //#end for i
    for (var c = 0u; c < chunks; c++) {
      //#for j in 0..KEYS: let value${j} = qkv[keyAt${j} + width + c];
      //#for i in 0..ROWS
      var o${i} = vec4f();
      if (k > 0u) { o${i} = out[outAt${i} + c] * shrink${i}; }
      //#for j in 0..KEYS: o${i} += p${i}_${j} * value${j};
      if (k + KEYS >= n) { o${i} *= select(0.0, 1.0 / total${i}, total${i} > 0.0); }
      if (q + ${i}u < n) { out[outAt${i} + c] = o${i}; }
      //#end
    }
  }
  //#for i in 0..ROWS
  if (q + ${i}u < n) {
    lse[bh * n + q${i}] = select(NOTHING, largest${i} + log(total${i}), total${i} > 0.0);
  }
  //#end
}

//#kernel attentionRegisterBackwardQ
// One invocation ROWS query rows of one head, KEYS keys at a time, like attentionRegisterForward.
//#param ROWS: u32
//#param KEYS: u32
//#param WG: u32
//#param KEY_MASK: bool
//#param BIAS: bool
@group(0) @binding(0) var<uniform> sizes: Sizes;
@group(0) @binding(1) var<storage, read> qkv: array<vec4f>;
@group(0) @binding(2) var<storage, read> out: array<vec4f>;
@group(0) @binding(3) var<storage, read> dout: array<vec4f>;
@group(0) @binding(4) var<storage, read> lse: array<f32>;
@group(0) @binding(5) var<storage, read_write> delta: array<f32>;
@group(0) @binding(6) var<storage, read_write> dqkv: array<vec4f>;
//#if KEY_MASK
@group(0) @binding(7) var<storage, read> keyMask: array<u32>;
//#end
//#if BIAS
@group(0) @binding(8) var<storage, read> bias: array<f32>;
//#end

@compute @workgroup_size(WG)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let n = sizes.sequence;
  let blocks = (n + ROWS - 1u) / ROWS;
  let block = id.x + id.y * groups.x * WG;
  if (block >= sizes.batch * sizes.heads * blocks) { return; }
  let q = block % blocks * ROWS;
  let bh = block / blocks;
  let h = bh % sizes.heads;
  let b = bh / sizes.heads;
  let chunks = sizes.channels / 4u;
  let width = sizes.heads * chunks;
  let stride = 3u * width;
  let headAt = b * n * stride + h * chunks;
  let last = n - 1u;
  //#for i in 0..ROWS
  let q${i} = min(q + ${i}u, last);
  let queryAt${i} = headAt + q${i} * stride;
  let outAt${i} = (b * n + q${i}) * width + h * chunks;
  let lse${i} = lse[bh * n + q${i}];
  var delta${i} = 0.0;
  //#end
  for (var c = 0u; c < chunks; c++) {
    //#for i in 0..ROWS: delta${i} += dot(dout[outAt${i} + c], out[outAt${i} + c]);
  }
  for (var k = 0u; k < n; k += KEYS) {
    //#for j in 0..KEYS
    let k${j} = min(k + ${j}u, last);
    let keyAt${j} = headAt + width + k${j} * stride;
    //#if KEY_MASK
    let open${j} = k + ${j}u < n && keyMask[b * n + k${j}] != 0u;
    //#else
    let open${j} = k + ${j}u < n;
    //#end
    //#end for j
    //#for i in 0..ROWS, j in 0..KEYS
    var s${i}_${j} = 0.0;
    var dp${i}_${j} = -delta${i};
    //#end
    for (var c = 0u; c < chunks; c++) {
      //#for j in 0..KEYS: let key${j} = qkv[keyAt${j} + c];
      //#for i in 0..ROWS
      let query${i} = qkv[queryAt${i} + c];
      //#for j in 0..KEYS: s${i}_${j} += dot(query${i}, key${j});
      //#end
    }
    for (var c = 0u; c < chunks; c++) {
      //#for j in 0..KEYS: let value${j} = qkv[keyAt${j} + width + c];
      //#for i in 0..ROWS
      let dout${i} = dout[outAt${i} + c];
      //#for j in 0..KEYS: dp${i}_${j} += dot(dout${i}, value${j});
      //#end
    }
    //#for i in 0..ROWS
    //#if BIAS
    let biasAt${i} = b * sizes.biasBatchStride + h * sizes.biasHeadStride + q${i} * n;
    //#end
    //#for j in 0..KEYS
    //#if BIAS
    s${i}_${j} = s${i}_${j} * sizes.scale + bias[biasAt${i} + k${j}];
    //#else
    s${i}_${j} *= sizes.scale;
    //#end
    let ds${i}_${j} = select(0.0, exp(s${i}_${j} - lse${i}) * dp${i}_${j} * sizes.scale, open${j});
    //#end for j
    //#end for i
    for (var c = 0u; c < chunks; c++) {
      //#for j in 0..KEYS: let key${j} = qkv[keyAt${j} + c];
      //#for i in 0..ROWS
      var dq${i} = vec4f();
      if (k > 0u) { dq${i} = dqkv[queryAt${i} + c]; }
      //#for j in 0..KEYS: dq${i} += ds${i}_${j} * key${j};
      if (q + ${i}u < n) { dqkv[queryAt${i} + c] = dq${i}; }
      //#end
    }
  }
  //#for i in 0..ROWS
  if (q + ${i}u < n) {
    delta[bh * n + q${i}] = delta${i};
  }
  //#end
}

//#kernel attentionRegisterBackwardKV
// One invocation ROWS key rows of one head, QUERIES query rows at a time.
//#param ROWS: u32
//#param QUERIES: u32
//#param WG: u32
//#param KEY_MASK: bool
//#param BIAS: bool
@group(0) @binding(0) var<uniform> sizes: Sizes;
@group(0) @binding(1) var<storage, read> qkv: array<vec4f>;
@group(0) @binding(2) var<storage, read> dout: array<vec4f>;
@group(0) @binding(3) var<storage, read> lse: array<f32>;
@group(0) @binding(4) var<storage, read> delta: array<f32>;
@group(0) @binding(5) var<storage, read_write> dqkv: array<vec4f>;
//#if KEY_MASK
@group(0) @binding(6) var<storage, read> keyMask: array<u32>;
//#end
//#if BIAS
@group(0) @binding(7) var<storage, read> bias: array<f32>;
//#end

@compute @workgroup_size(WG)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let n = sizes.sequence;
  let blocks = (n + ROWS - 1u) / ROWS;
  let block = id.x + id.y * groups.x * WG;
  if (block >= sizes.batch * sizes.heads * blocks) { return; }
  let k = block % blocks * ROWS;
  let bh = block / blocks;
  let h = bh % sizes.heads;
  let b = bh / sizes.heads;
  let chunks = sizes.channels / 4u;
  let width = sizes.heads * chunks;
  let stride = 3u * width;
  let headAt = b * n * stride + h * chunks;
  let last = n - 1u;
  //#for j in 0..ROWS
  let k${j} = min(k + ${j}u, last);
  let keyAt${j} = headAt + width + k${j} * stride;
  //#if KEY_MASK
  let open${j} = keyMask[b * n + k${j}] != 0u;
  //#end
  //#end for j
  for (var q = 0u; q < n; q += QUERIES) {
    //#for i in 0..QUERIES
    let q${i} = min(q + ${i}u, last);
    let queryAt${i} = headAt + q${i} * stride;
    let outAt${i} = (b * n + q${i}) * width + h * chunks;
    let lse${i} = lse[bh * n + q${i}];
    let delta${i} = delta[bh * n + q${i}];
    //#for j in 0..ROWS
    var s${i}_${j} = 0.0;
    var dp${i}_${j} = -delta${i};
    //#end
    //#end for i
    for (var c = 0u; c < chunks; c++) {
      //#for i in 0..QUERIES: let query${i} = qkv[queryAt${i} + c];
      //#for j in 0..ROWS
      let key${j} = qkv[keyAt${j} + c];
      //#for i in 0..QUERIES: s${i}_${j} += dot(query${i}, key${j});
      //#end
    }
    for (var c = 0u; c < chunks; c++) {
      //#for i in 0..QUERIES: let dout${i} = dout[outAt${i} + c];
      //#for j in 0..ROWS
      let value${j} = qkv[keyAt${j} + width + c];
      //#for i in 0..QUERIES: dp${i}_${j} += dot(dout${i}, value${j});
      //#end
    }
    //#for i in 0..QUERIES
    //#if BIAS
    let biasAt${i} = b * sizes.biasBatchStride + h * sizes.biasHeadStride + q${i} * n;
    //#end
    //#for j in 0..ROWS
    //#if BIAS
    s${i}_${j} = s${i}_${j} * sizes.scale + bias[biasAt${i} + k${j}];
    //#else
    s${i}_${j} *= sizes.scale;
    //#end
    //#if KEY_MASK
    let p${i}_${j} = select(0.0, exp(s${i}_${j} - lse${i}), q + ${i}u < n && open${j});
    //#else
    let p${i}_${j} = select(0.0, exp(s${i}_${j} - lse${i}), q + ${i}u < n);
    //#end
    let ds${i}_${j} = p${i}_${j} * dp${i}_${j} * sizes.scale;
    //#end for j
    //#end for i
    for (var c = 0u; c < chunks; c++) {
      //#for i in 0..QUERIES: let query${i} = qkv[queryAt${i} + c];
      //#for j in 0..ROWS
      var dk${j} = vec4f();
      if (q > 0u) { dk${j} = dqkv[keyAt${j} + c]; }
      //#for i in 0..QUERIES: dk${j} += ds${i}_${j} * query${i};
      if (k + ${j}u < n) { dqkv[keyAt${j} + c] = dk${j}; }
      //#end
    }
    for (var c = 0u; c < chunks; c++) {
      //#for i in 0..QUERIES: let dout${i} = dout[outAt${i} + c];
      //#for j in 0..ROWS
      var dv${j} = vec4f();
      if (q > 0u) { dv${j} = dqkv[keyAt${j} + width + c]; }
      //#for i in 0..QUERIES: dv${j} += p${i}_${j} * dout${i};
      if (k + ${j}u < n) { dqkv[keyAt${j} + width + c] = dv${j}; }
      //#end
    }
  }
}

//#kernel attentionShuffleForward
// A workgroup, which is one subgroup of LANES, ROWS × LANES query rows of one head, KEYS keys at a time with online softmax.
// Scores: a lane has rows of its own, and each lane loads one channel of each key, which all get by shuffles. Outputs: a
// lane has a column of its own, and gets the probabilities of all rows by shuffles.
//#enable subgroups
//#param ROWS: u32
//#param KEYS: u32
//#param LANES: u32
//#param KEY_MASK: bool
//#param BIAS: bool
@group(0) @binding(0) var<uniform> sizes: Sizes;
@group(0) @binding(1) var<storage, read> qkv: array<f32>;
@group(0) @binding(2) var<storage, read_write> out: array<f32>;
@group(0) @binding(3) var<storage, read_write> lse: array<f32>;
//#if KEY_MASK
@group(0) @binding(4) var<storage, read> keyMask: array<u32>;
//#end
//#if BIAS
@group(0) @binding(5) var<storage, read> bias: array<f32>;
//#end

@compute @workgroup_size(LANES)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(subgroup_invocation_id) subgroupLane: u32,
) {
  let lane = subgroupLane % LANES;
  let n = sizes.sequence;
  let d = sizes.channels;
  let blocks = (n + ROWS * LANES - 1u) / (ROWS * LANES);
  let block = group.x + group.y * groups.x;
  if (block >= sizes.batch * sizes.heads * blocks) { return; }
  let first = block % blocks * ROWS * LANES;
  let bh = block / blocks;
  let h = bh % sizes.heads;
  let b = bh / sizes.heads;
  let width = sizes.heads * d;
  let stride = 3u * width;
  let headAt = b * n * stride + h * d;
  let outHeadAt = b * n * width + h * d;
  let last = n - 1u;
  //#for i in 0..ROWS
  let q${i} = first + ${i}u * LANES + lane;
  let queryAt${i} = headAt + min(q${i}, last) * stride;
  var largest${i} = NOTHING;
  var total${i} = 0.0;
  //#end
  for (var k = 0u; k < n; k += KEYS) {
    //#for j in 0..KEYS
    let k${j} = min(k + ${j}u, last);
    let keyAt${j} = headAt + width + k${j} * stride;
    //#if KEY_MASK
    let open${j} = k + ${j}u < n && keyMask[b * n + k${j}] != 0u;
    //#else
    let open${j} = k + ${j}u < n;
    //#end
    //#end for j
    //#for i in 0..ROWS, j in 0..KEYS: var s${i}_${j} = 0.0;
    for (var c = 0u; c < d; c += LANES) {
      let mine = min(c + lane, d - 1u);
      //#for j in 0..KEYS: let key${j} = qkv[keyAt${j} + mine];
      let present = min(LANES, d - c);
      for (var l = 0u; l < present; l++) {
        //#for i in 0..ROWS: let query${i} = qkv[queryAt${i} + c + l];
        //#for j in 0..KEYS
        let x${j} = subgroupShuffle(key${j}, l);
        //#for i in 0..ROWS: s${i}_${j} = fma(query${i}, x${j}, s${i}_${j});
        //#end
      }
    }
    //#for i in 0..ROWS
    let before${i} = largest${i};
    //#if BIAS
    let biasAt${i} = b * sizes.biasBatchStride + h * sizes.biasHeadStride + min(q${i}, last) * n;
    //#end
    //#for j in 0..KEYS
    //#if BIAS
    s${i}_${j} = s${i}_${j} * sizes.scale + bias[biasAt${i} + k${j}];
    //#else
    s${i}_${j} *= sizes.scale;
    //#end
    largest${i} = max(largest${i}, select(NOTHING, s${i}_${j}, open${j}));
    //#end for j
    let shrink${i} = exp(before${i} - largest${i});
    total${i} *= shrink${i};
    //#for j in 0..KEYS
    let p${i}_${j} = select(0.0, exp(s${i}_${j} - largest${i}), open${j});
    total${i} += p${i}_${j};
    //#end
    let norm${i} = select(1.0, select(0.0, 1.0 / total${i}, total${i} > 0.0), k + KEYS >= n);
    //#end for i
    for (var c = 0u; c < d; c += LANES) {
      let column = c + lane;
      let mine = min(column, d - 1u);
      //#for j in 0..KEYS: let value${j} = qkv[keyAt${j} + width + mine];
      for (var l = 0u; l < LANES; l++) {
        //#for i in 0..ROWS
        let row${i} = first + ${i}u * LANES + l;
        if (row${i} < n) {
          let at = outHeadAt + row${i} * width + mine;
          var o = 0.0;
          if (k > 0u) { o = out[at] * subgroupShuffle(shrink${i}, l); }
          //#for j in 0..KEYS: o = fma(subgroupShuffle(p${i}_${j}, l), value${j}, o);
          o *= subgroupShuffle(norm${i}, l);
          if (column < d) { out[at] = o; }
        }
        //#end for i
      }
    }
  }
  //#for i in 0..ROWS
  if (q${i} < n) {
    lse[bh * n + q${i}] = select(NOTHING, largest${i} + log(total${i}), total${i} > 0.0);
  }
  //#end
}

//#kernel attentionShuffleBackwardQ
// The mapping of attentionShuffleForward.
//#enable subgroups
//#param ROWS: u32
//#param KEYS: u32
//#param LANES: u32
//#param KEY_MASK: bool
//#param BIAS: bool
@group(0) @binding(0) var<uniform> sizes: Sizes;
@group(0) @binding(1) var<storage, read> qkv: array<f32>;
@group(0) @binding(2) var<storage, read> out: array<f32>;
@group(0) @binding(3) var<storage, read> dout: array<f32>;
@group(0) @binding(4) var<storage, read> lse: array<f32>;
@group(0) @binding(5) var<storage, read_write> delta: array<f32>;
@group(0) @binding(6) var<storage, read_write> dqkv: array<f32>;
//#if KEY_MASK
@group(0) @binding(7) var<storage, read> keyMask: array<u32>;
//#end
//#if BIAS
@group(0) @binding(8) var<storage, read> bias: array<f32>;
//#end

@compute @workgroup_size(LANES)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(subgroup_invocation_id) subgroupLane: u32,
) {
  let lane = subgroupLane % LANES;
  let n = sizes.sequence;
  let d = sizes.channels;
  let blocks = (n + ROWS * LANES - 1u) / (ROWS * LANES);
  let block = group.x + group.y * groups.x;
  if (block >= sizes.batch * sizes.heads * blocks) { return; }
  let first = block % blocks * ROWS * LANES;
  let bh = block / blocks;
  let h = bh % sizes.heads;
  let b = bh / sizes.heads;
  let width = sizes.heads * d;
  let stride = 3u * width;
  let headAt = b * n * stride + h * d;
  let last = n - 1u;
  //#for i in 0..ROWS
  let q${i} = first + ${i}u * LANES + lane;
  let queryAt${i} = headAt + min(q${i}, last) * stride;
  let outAt${i} = (b * n + min(q${i}, last)) * width + h * d;
  let lse${i} = lse[bh * n + min(q${i}, last)];
  var delta${i} = 0.0;
  //#end
  for (var k = 0u; k < n; k += KEYS) {
    //#for j in 0..KEYS
    let k${j} = min(k + ${j}u, last);
    let keyAt${j} = headAt + width + k${j} * stride;
    //#if KEY_MASK
    let open${j} = k + ${j}u < n && keyMask[b * n + k${j}] != 0u;
    //#else
    let open${j} = k + ${j}u < n;
    //#end
    //#end for j
    //#for i in 0..ROWS, j in 0..KEYS
    var s${i}_${j} = 0.0;
    var dp${i}_${j} = 0.0;
    //#end
    for (var c = 0u; c < d; c += LANES) {
      let mine = min(c + lane, d - 1u);
      //#for j in 0..KEYS
      let key${j} = qkv[keyAt${j} + mine];
      let value${j} = qkv[keyAt${j} + width + mine];
      //#end
      let present = min(LANES, d - c);
      for (var l = 0u; l < present; l++) {
        //#for i in 0..ROWS
        let query${i} = qkv[queryAt${i} + c + l];
        let dout${i} = dout[outAt${i} + c + l];
        if (k == 0u) { delta${i} = fma(dout${i}, out[outAt${i} + c + l], delta${i}); }
        //#end
        //#for j in 0..KEYS
        let x${j} = subgroupShuffle(key${j}, l);
        let y${j} = subgroupShuffle(value${j}, l);
        //#for i in 0..ROWS
        s${i}_${j} = fma(query${i}, x${j}, s${i}_${j});
        dp${i}_${j} = fma(dout${i}, y${j}, dp${i}_${j});
        //#end
        //#end for j
      }
    }
    //#for i in 0..ROWS
    //#if BIAS
    let biasAt${i} = b * sizes.biasBatchStride + h * sizes.biasHeadStride + min(q${i}, last) * n;
    //#end
    //#for j in 0..KEYS
    //#if BIAS
    s${i}_${j} = s${i}_${j} * sizes.scale + bias[biasAt${i} + k${j}];
    //#else
    s${i}_${j} *= sizes.scale;
    //#end
    let ds${i}_${j} = select(0.0, exp(s${i}_${j} - lse${i}) * (dp${i}_${j} - delta${i}) * sizes.scale, open${j});
    //#end for j
    //#end for i
    for (var c = 0u; c < d; c += LANES) {
      let column = c + lane;
      let mine = min(column, d - 1u);
      //#for j in 0..KEYS: let key${j} = qkv[keyAt${j} + mine];
      for (var l = 0u; l < LANES; l++) {
        //#for i in 0..ROWS
        let row${i} = first + ${i}u * LANES + l;
        if (row${i} < n) {
          let at = headAt + row${i} * stride + mine;
          var dq = 0.0;
          if (k > 0u) { dq = dqkv[at]; }
          //#for j in 0..KEYS: dq = fma(subgroupShuffle(ds${i}_${j}, l), key${j}, dq);
          if (column < d) { dqkv[at] = dq; }
        }
        //#end
      }
    }
  }
  //#for i in 0..ROWS
  if (q${i} < n) {
    delta[bh * n + q${i}] = delta${i};
  }
  //#end
}

//#kernel attentionShuffleBackwardKV
// The mapping of attentionShuffleForward with keys and queries in each other's place.
//#enable subgroups
//#param ROWS: u32
//#param QUERIES: u32
//#param LANES: u32
//#param KEY_MASK: bool
//#param BIAS: bool
@group(0) @binding(0) var<uniform> sizes: Sizes;
@group(0) @binding(1) var<storage, read> qkv: array<f32>;
@group(0) @binding(2) var<storage, read> dout: array<f32>;
@group(0) @binding(3) var<storage, read> lse: array<f32>;
@group(0) @binding(4) var<storage, read> delta: array<f32>;
@group(0) @binding(5) var<storage, read_write> dqkv: array<f32>;
//#if KEY_MASK
@group(0) @binding(6) var<storage, read> keyMask: array<u32>;
//#end
//#if BIAS
@group(0) @binding(7) var<storage, read> bias: array<f32>;
//#end

@compute @workgroup_size(LANES)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(subgroup_invocation_id) subgroupLane: u32,
) {
  let lane = subgroupLane % LANES;
  let n = sizes.sequence;
  let d = sizes.channels;
  let blocks = (n + ROWS * LANES - 1u) / (ROWS * LANES);
  let block = group.x + group.y * groups.x;
  if (block >= sizes.batch * sizes.heads * blocks) { return; }
  let first = block % blocks * ROWS * LANES;
  let bh = block / blocks;
  let h = bh % sizes.heads;
  let b = bh / sizes.heads;
  let width = sizes.heads * d;
  let stride = 3u * width;
  let headAt = b * n * stride + h * d;
  let outHeadAt = b * n * width + h * d;
  let last = n - 1u;
  //#for i in 0..ROWS
  let k${i} = first + ${i}u * LANES + lane;
  let keyAt${i} = headAt + width + min(k${i}, last) * stride;
  //#if KEY_MASK
  let open${i} = keyMask[b * n + min(k${i}, last)] != 0u;
  //#end
  //#end for i
  for (var q = 0u; q < n; q += QUERIES) {
    //#for j in 0..QUERIES
    let q${j} = min(q + ${j}u, last);
    let queryAt${j} = headAt + q${j} * stride;
    let outAt${j} = outHeadAt + q${j} * width;
    //#for i in 0..ROWS
    var s${i}_${j} = 0.0;
    var dp${i}_${j} = 0.0;
    //#end
    //#end for j
    for (var c = 0u; c < d; c += LANES) {
      let mine = min(c + lane, d - 1u);
      //#for j in 0..QUERIES
      let query${j} = qkv[queryAt${j} + mine];
      let dout${j} = dout[outAt${j} + mine];
      //#end
      let present = min(LANES, d - c);
      for (var l = 0u; l < present; l++) {
        //#for i in 0..ROWS
        let key${i} = qkv[keyAt${i} + c + l];
        let value${i} = qkv[keyAt${i} + width + c + l];
        //#end
        //#for j in 0..QUERIES
        let x${j} = subgroupShuffle(query${j}, l);
        let y${j} = subgroupShuffle(dout${j}, l);
        //#for i in 0..ROWS
        s${i}_${j} = fma(key${i}, x${j}, s${i}_${j});
        dp${i}_${j} = fma(value${i}, y${j}, dp${i}_${j});
        //#end
        //#end for j
      }
    }
    //#for j in 0..QUERIES
    let lse${j} = lse[bh * n + q${j}];
    let delta${j} = delta[bh * n + q${j}];
    //#for i in 0..ROWS
    //#if BIAS
    s${i}_${j} = s${i}_${j} * sizes.scale
      + bias[b * sizes.biasBatchStride + h * sizes.biasHeadStride + q${j} * n + min(k${i}, last)];
    //#else
    s${i}_${j} *= sizes.scale;
    //#end
    //#if KEY_MASK
    let p${i}_${j} = select(0.0, exp(s${i}_${j} - lse${j}), q + ${j}u < n && open${i});
    //#else
    let p${i}_${j} = select(0.0, exp(s${i}_${j} - lse${j}), q + ${j}u < n);
    //#end
    let ds${i}_${j} = p${i}_${j} * (dp${i}_${j} - delta${j}) * sizes.scale;
    //#end for i
    //#end for j
    for (var c = 0u; c < d; c += LANES) {
      let column = c + lane;
      let mine = min(column, d - 1u);
      //#for j in 0..QUERIES
      let query${j} = qkv[queryAt${j} + mine];
      let dout${j} = dout[outAt${j} + mine];
      //#end
      for (var l = 0u; l < LANES; l++) {
        //#for i in 0..ROWS
        let row${i} = first + ${i}u * LANES + l;
        if (row${i} < n) {
          let at = headAt + width + row${i} * stride + mine;
          var dk = 0.0;
          var dv = 0.0;
          if (q > 0u) {
            dk = dqkv[at];
            dv = dqkv[at + width];
          }
          //#for j in 0..QUERIES
          dk = fma(subgroupShuffle(ds${i}_${j}, l), query${j}, dk);
          dv = fma(subgroupShuffle(p${i}_${j}, l), dout${j}, dv);
          //#end
          if (column < d) {
            dqkv[at] = dk;
            dqkv[at + width] = dv;
          }
        }
        //#end for i
      }
    }
  }
}

//#kernel attentionHeadForward
// One invocation a head, whose keys and values, N rows of D channels, lie in private memory while query rows pass: for a
// compiler that makes each load from storage some 70 instructions, a store to a variable 20 and a multiplication with its
// sum 4 (SwiftShader's Subzero). Panels are read by indices that the compiler knows, which is free, and sums are values,
// never variables. For short sequences of few channels: all is written out.
//#param N: u32
//#param D: u32
//#param KEY_MASK: bool
//#param BIAS: bool
@group(0) @binding(0) var<uniform> sizes: Sizes;
@group(0) @binding(1) var<storage, read> qkv: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> out: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> lse: array<f32>;
//#if KEY_MASK
@group(0) @binding(4) var<storage, read> keyMask: array<u32>;
//#end
//#if BIAS
@group(0) @binding(5) var<storage, read> bias: array<f32>;
//#end

const CHUNKS = ${D / 4}u;
var<private> keys: array<vec4f, ${N * D / 4}>;
var<private> values: array<vec4f, ${N * D / 4}>;
//#if KEY_MASK
var<private> open: array<f32, N>;
//#end

@compute @workgroup_size(4)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let bh = id.x + id.y * groups.x * 4u;
  if (bh >= sizes.batch * sizes.heads) { return; }
  let h = bh % sizes.heads;
  let b = bh / sizes.heads;
  let width = sizes.heads * CHUNKS;
  let stride = 3u * width;
  let headAt = b * N * stride + h * CHUNKS;
  let outHeadAt = b * N * width + h * CHUNKS;
  //#if BIAS
  let biasAt = b * sizes.biasBatchStride + h * sizes.biasHeadStride;
  //#end
  for (var k = 0u; k < N; k++) {
    //#for c in 0..D/4
    keys[k * CHUNKS + ${c}u] = qkv[headAt + width + k * stride + ${c}u];
    values[k * CHUNKS + ${c}u] = qkv[headAt + 2u * width + k * stride + ${c}u];
    //#end
    //#if KEY_MASK
    open[k] = f32(keyMask[b * N + k]);
    //#end
  }
  for (var q = 0u; q < N; q++) {
    //#for c in 0..D/4: let query${c} = sizes.scale * qkv[headAt + q * stride + ${c}u];
    let peak0 = NOTHING;
    let total0 = 0.0;
    //#for j in 0..N
    let x${j}_0 = dot(query0, keys[${j * D / 4}]);
    //#for c in 1..D/4: let x${j}_${c} = x${j}_${c - 1} + dot(query${c}, keys[${j * D / 4 + c}]);
    //#if BIAS
    let s${j} = x${j}_${D / 4 - 1} + bias[biasAt + q * N + ${j}u];
    //#else
    let s${j} = x${j}_${D / 4 - 1};
    //#end
    //#if KEY_MASK
    let peak${j + 1} = max(peak${j}, select(NOTHING, s${j}, open[${j}] != 0.0));
    //#else
    let peak${j + 1} = max(peak${j}, s${j});
    //#end
    //#end for j
    //#for j in 0..N
    //#if KEY_MASK
    let p${j} = select(0.0, exp(s${j} - peak${N}), open[${j}] != 0.0);
    //#else
    let p${j} = exp(s${j} - peak${N});
    //#end
    let total${j + 1} = total${j} + p${j};
    //#end for j
    let norm = select(0.0, 1.0 / total${N}, total${N} > 0.0);
    //#for c in 0..D/4
    let o0_${c} = vec4f();
    //#for j in 0..N: let o${j + 1}_${c} = fma(vec4f(p${j}), values[${j * D / 4 + c}], o${j}_${c});
    out[outHeadAt + q * width + ${c}u] = o${N}_${c} * norm;
    //#end
    lse[bh * N + q] = select(NOTHING, peak${N} + log(total${N}), total${N} > 0.0);
  }
}

//#kernel attentionHeadBackwardQ
// The mapping of attentionHeadForward.
//#param N: u32
//#param D: u32
//#param KEY_MASK: bool
//#param BIAS: bool
@group(0) @binding(0) var<uniform> sizes: Sizes;
@group(0) @binding(1) var<storage, read> qkv: array<vec4f>;
@group(0) @binding(2) var<storage, read> out: array<vec4f>;
@group(0) @binding(3) var<storage, read> dout: array<vec4f>;
@group(0) @binding(4) var<storage, read> lse: array<f32>;
@group(0) @binding(5) var<storage, read_write> delta: array<f32>;
@group(0) @binding(6) var<storage, read_write> dqkv: array<vec4f>;
//#if KEY_MASK
@group(0) @binding(7) var<storage, read> keyMask: array<u32>;
//#end
//#if BIAS
@group(0) @binding(8) var<storage, read> bias: array<f32>;
//#end

const CHUNKS = ${D / 4}u;
var<private> keys: array<vec4f, ${N * D / 4}>;
var<private> values: array<vec4f, ${N * D / 4}>;
//#if KEY_MASK
var<private> open: array<f32, N>;
//#end

@compute @workgroup_size(4)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let bh = id.x + id.y * groups.x * 4u;
  if (bh >= sizes.batch * sizes.heads) { return; }
  let h = bh % sizes.heads;
  let b = bh / sizes.heads;
  let width = sizes.heads * CHUNKS;
  let stride = 3u * width;
  let headAt = b * N * stride + h * CHUNKS;
  let outHeadAt = b * N * width + h * CHUNKS;
  //#if BIAS
  let biasAt = b * sizes.biasBatchStride + h * sizes.biasHeadStride;
  //#end
  for (var k = 0u; k < N; k++) {
    //#for c in 0..D/4
    keys[k * CHUNKS + ${c}u] = qkv[headAt + width + k * stride + ${c}u];
    values[k * CHUNKS + ${c}u] = qkv[headAt + 2u * width + k * stride + ${c}u];
    //#end
    //#if KEY_MASK
    open[k] = f32(keyMask[b * N + k]);
    //#end
  }
  for (var q = 0u; q < N; q++) {
    let delta0 = 0.0;
    //#for c in 0..D/4
    let query${c} = sizes.scale * qkv[headAt + q * stride + ${c}u];
    let dout${c} = dout[outHeadAt + q * width + ${c}u];
    let delta${c + 1} = delta${c} + dot(dout${c}, out[outHeadAt + q * width + ${c}u]);
    //#end
    delta[bh * N + q] = delta${D / 4};
    let lseHere = lse[bh * N + q];
    //#for j in 0..N
    let x${j}_0 = dot(query0, keys[${j * D / 4}]);
    //#for c in 1..D/4: let x${j}_${c} = x${j}_${c - 1} + dot(query${c}, keys[${j * D / 4 + c}]);
    let y${j}_0 = dot(dout0, values[${j * D / 4}]);
    //#for c in 1..D/4: let y${j}_${c} = y${j}_${c - 1} + dot(dout${c}, values[${j * D / 4 + c}]);
    //#if BIAS
    let s${j} = x${j}_${D / 4 - 1} + bias[biasAt + q * N + ${j}u];
    //#else
    let s${j} = x${j}_${D / 4 - 1};
    //#end
    let given${j} = exp(s${j} - lseHere) * (y${j}_${D / 4 - 1} - delta${D / 4}) * sizes.scale;
    //#if KEY_MASK
    let ds${j} = select(0.0, given${j}, open[${j}] != 0.0);
    //#else
    let ds${j} = given${j};
    //#end
    //#end for j
    //#for c in 0..D/4
    let dq0_${c} = vec4f();
    //#for j in 0..N: let dq${j + 1}_${c} = fma(vec4f(ds${j}), keys[${j * D / 4 + c}], dq${j}_${c});
    dqkv[headAt + q * stride + ${c}u] = dq${N}_${c};
    //#end
  }
}

//#kernel attentionHeadBackwardKV
// The mapping of attentionHeadForward, with keys and queries in each other's place.
//#param N: u32
//#param D: u32
//#param KEY_MASK: bool
//#param BIAS: bool
@group(0) @binding(0) var<uniform> sizes: Sizes;
@group(0) @binding(1) var<storage, read> qkv: array<vec4f>;
@group(0) @binding(2) var<storage, read> dout: array<vec4f>;
@group(0) @binding(3) var<storage, read> lse: array<f32>;
@group(0) @binding(4) var<storage, read> delta: array<f32>;
@group(0) @binding(5) var<storage, read_write> dqkv: array<vec4f>;
//#if KEY_MASK
@group(0) @binding(6) var<storage, read> keyMask: array<u32>;
//#end
//#if BIAS
@group(0) @binding(7) var<storage, read> bias: array<f32>;
//#end

const CHUNKS = ${D / 4}u;
var<private> queries: array<vec4f, ${N * D / 4}>;
var<private> douts: array<vec4f, ${N * D / 4}>;
var<private> lses: array<f32, N>;
var<private> deltas: array<f32, N>;

@compute @workgroup_size(4)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let bh = id.x + id.y * groups.x * 4u;
  if (bh >= sizes.batch * sizes.heads) { return; }
  let h = bh % sizes.heads;
  let b = bh / sizes.heads;
  let width = sizes.heads * CHUNKS;
  let stride = 3u * width;
  let headAt = b * N * stride + h * CHUNKS;
  let outHeadAt = b * N * width + h * CHUNKS;
  //#if BIAS
  let biasAt = b * sizes.biasBatchStride + h * sizes.biasHeadStride;
  //#end
  for (var q = 0u; q < N; q++) {
    //#for c in 0..D/4
    queries[q * CHUNKS + ${c}u] = qkv[headAt + q * stride + ${c}u];
    douts[q * CHUNKS + ${c}u] = dout[outHeadAt + q * width + ${c}u];
    //#end
    lses[q] = lse[bh * N + q];
    deltas[q] = delta[bh * N + q];
  }
  for (var k = 0u; k < N; k++) {
    let keyAt = headAt + width + k * stride;
    //#if KEY_MASK
    let open = keyMask[b * N + k] != 0u;
    //#end
    //#for c in 0..D/4
    let key${c} = sizes.scale * qkv[keyAt + ${c}u];
    let value${c} = qkv[keyAt + width + ${c}u];
    //#end
    //#for j in 0..N
    let x${j}_0 = dot(key0, queries[${j * D / 4}]);
    //#for c in 1..D/4: let x${j}_${c} = x${j}_${c - 1} + dot(key${c}, queries[${j * D / 4 + c}]);
    let y${j}_0 = dot(value0, douts[${j * D / 4}]);
    //#for c in 1..D/4: let y${j}_${c} = y${j}_${c - 1} + dot(value${c}, douts[${j * D / 4 + c}]);
    //#if BIAS
    let s${j} = x${j}_${D / 4 - 1} + bias[biasAt + ${j}u * N + k];
    //#else
    let s${j} = x${j}_${D / 4 - 1};
    //#end
    //#if KEY_MASK
    let p${j} = select(0.0, exp(s${j} - lses[${j}]), open);
    //#else
    let p${j} = exp(s${j} - lses[${j}]);
    //#end
    let ds${j} = p${j} * (y${j}_${D / 4 - 1} - deltas[${j}]) * sizes.scale;
    //#end for j
    //#for c in 0..D/4
    let dk0_${c} = vec4f();
    let dv0_${c} = vec4f();
    //#for j in 0..N
    let dk${j + 1}_${c} = fma(vec4f(ds${j}), queries[${j * D / 4 + c}], dk${j}_${c});
    let dv${j + 1}_${c} = fma(vec4f(p${j}), douts[${j * D / 4 + c}], dv${j}_${c});
    //#end
    dqkv[keyAt + ${c}u] = dk${N}_${c};
    dqkv[keyAt + width + ${c}u] = dv${N}_${c};
    //#end for c
  }
}

//#kernel attentionForward
// A workgroup takes HEADS pairs (b, h) and 4·GROUPS query rows of each; keys and values come through workgroup memory,
// ACROSS at a time. An invocation makes the scores of 4 rows with every COLUMNS-th key and the channels of those 4 rows
// in every COLUMNS-th vec4; COLUMNS invocations share a row and exchange its maximum, probabilities and sum.
//#param D: u32
//#param COLUMNS: u32
//#param GROUPS: u32
//#param ACROSS: u32
//#param HEADS: u32
//#param HALF: bool
//#if HALF
//#enable f16
alias Four = vec4h;
//#else
alias Four = vec4f;
//#end
//#param KEY_MASK: bool
//#param BIAS: bool
@group(0) @binding(0) var<uniform> sizes: Sizes;
@group(0) @binding(1) var<storage, read> qkv: array<Four>;
@group(0) @binding(2) var<storage, read_write> out: array<Four>;
@group(0) @binding(3) var<storage, read_write> lse: array<f32>;
//#if KEY_MASK
@group(0) @binding(4) var<storage, read> keyMask: array<u32>;
//#end
//#if BIAS
@group(0) @binding(5) var<storage, read> bias: array<f32>;
//#end

const CHUNKS = ${D / 4}u;
// Odd, so that neighbouring rows of a tile start in different banks.
const PITCH = ${D / 8 * 2 + 1}u;
const ROWS = 4u * GROUPS;
const TEAM = COLUMNS * GROUPS;

var<workgroup> tileA: array<vec4f, ${HEADS * ACROSS * (D / 8 * 2 + 1)}>;
var<workgroup> tileB: array<vec4f, ${HEADS * ACROSS * (D / 8 * 2 + 1)}>;
var<workgroup> weights: array<f32, ${HEADS * 4 * GROUPS * (ACROSS + 1)}>;
var<workgroup> parts: array<f32, ${HEADS * 4 * GROUPS * COLUMNS}>;

@compute @workgroup_size(${HEADS * GROUPS * COLUMNS})
fn main(
  @builtin(workgroup_id) workgroup: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let n = sizes.sequence;
  // CHUNKS, but a bound that compilers do not unroll by.
  let chunks = sizes.channels / 4u;
  let blocks = (n + ROWS - 1u) / ROWS;
  let at = workgroup.x + workgroup.y * groups.x;
  let slot = lane / TEAM;
  let member = lane % TEAM;
  let column = lane % COLUMNS;
  let row = member / COLUMNS * 4u;
  let pair = at / blocks * HEADS + slot;
  let owned = pair < sizes.batch * sizes.heads;
  let bh = min(pair, sizes.batch * sizes.heads - 1u);
  let h = bh % sizes.heads;
  let b = bh / sizes.heads;
  let width = sizes.heads * CHUNKS;
  let stride = 3u * width;
  let headAt = b * n * stride + h * CHUNKS;
  let outHeadAt = b * n * width + h * CHUNKS;
  let last = n - 1u;
  let q = at % blocks * ROWS + row;
  let tileAt = slot * ACROSS * PITCH;
  let weightAt = (slot * ROWS + row) * (ACROSS + 1u);
  let partAt = (slot * ROWS + row) * COLUMNS;
  //#for i in 0..4
  let q${i} = min(q + ${i}u, last);
  let queryAt${i} = headAt + q${i} * stride;
  var largest${i} = NOTHING;
  var total${i} = 0.0;
  //#for c in 0..(D/4+COLUMNS-1)/COLUMNS: var o${i}_${c} = vec4f();
  //#end
  for (var k = 0u; k < n; k += ACROSS) {
    let present = min(ACROSS, n - k);
    for (var e = member; e < present * CHUNKS; e += TEAM) {
      let rowAt = headAt + width + (k + e / CHUNKS) * stride + e % CHUNKS;
      tileA[tileAt + e / CHUNKS * PITCH + e % CHUNKS] = vec4f(qkv[rowAt]);
      tileB[tileAt + e / CHUNKS * PITCH + e % CHUNKS] = vec4f(qkv[rowAt + width]);
    }
    workgroupBarrier();
    //#for j in 0..ACROSS/COLUMNS
    let k${j} = k + column + ${j * COLUMNS}u;
    //#if KEY_MASK
    let open${j} = k${j} < n && keyMask[b * n + min(k${j}, last)] != 0u;
    //#else
    let open${j} = k${j} < n;
    //#end
    //#end for j
    //#for i in 0..4, j in 0..ACROSS/COLUMNS: var s${i}_${j} = 0.0;
    for (var c = 0u; c < chunks; c++) {
      //#for j in 0..ACROSS/COLUMNS: let key${j} = tileA[tileAt + (column + ${j * COLUMNS}u) * PITCH + c];
      //#for i in 0..4
      let query${i} = vec4f(qkv[queryAt${i} + c]);
      //#for j in 0..ACROSS/COLUMNS: s${i}_${j} += dot(query${i}, key${j});
      //#end
    }
    //#for i in 0..4
    var peak${i} = NOTHING;
    //#if BIAS
    let biasAt${i} = b * sizes.biasBatchStride + h * sizes.biasHeadStride + q${i} * n;
    //#end
    //#for j in 0..ACROSS/COLUMNS
    //#if BIAS
    s${i}_${j} = s${i}_${j} * sizes.scale + bias[biasAt${i} + min(k${j}, last)];
    //#else
    s${i}_${j} *= sizes.scale;
    //#end
    peak${i} = max(peak${i}, select(NOTHING, s${i}_${j}, open${j}));
    //#end for j
    parts[partAt + ${i}u * COLUMNS + column] = peak${i};
    //#end for i
    workgroupBarrier();
    //#for i in 0..4
    let before${i} = largest${i};
    for (var t = 0u; t < COLUMNS; t++) { largest${i} = max(largest${i}, parts[partAt + ${i}u * COLUMNS + t]); }
    let shrink${i} = exp(before${i} - largest${i});
    total${i} *= shrink${i};
    //#for c in 0..(D/4+COLUMNS-1)/COLUMNS: o${i}_${c} *= shrink${i};
    //#for j in 0..ACROSS/COLUMNS
    let p${i}_${j} = select(0.0, exp(s${i}_${j} - largest${i}), open${j});
    total${i} += p${i}_${j};
    weights[weightAt + ${i}u * (ACROSS + 1u) + column + ${j * COLUMNS}u] = p${i}_${j};
    //#end
    //#end for i
    workgroupBarrier();
    for (var j = 0u; j < present; j++) {
      //#for i in 0..4: let p${i} = weights[weightAt + ${i}u * (ACROSS + 1u) + j];
      //#for c in 0..(D/4+COLUMNS-1)/COLUMNS
      let value${c} = tileB[tileAt + j * PITCH + min(column + ${c * COLUMNS}u, CHUNKS - 1u)];
      //#for i in 0..4: o${i}_${c} += p${i} * value${c};
      //#end
    }
    workgroupBarrier();
  }
  //#for i in 0..4: parts[partAt + ${i}u * COLUMNS + column] = total${i};
  workgroupBarrier();
  //#for i in 0..4
  if (owned && q + ${i}u < n) {
    var total = 0.0;
    for (var t = 0u; t < COLUMNS; t++) { total += parts[partAt + ${i}u * COLUMNS + t]; }
    let norm = select(0.0, 1.0 / total, total > 0.0);
    let outAt = outHeadAt + q${i} * width + column;
    //#for c in 0..(D/4+COLUMNS-1)/COLUMNS
    if (column + ${c * COLUMNS}u < CHUNKS) { out[outAt + ${c * COLUMNS}u] = Four(o${i}_${c} * norm); }
    //#end
    if (column == 0u) { lse[bh * n + q${i}] = select(NOTHING, largest${i} + log(total), total > 0.0); }
  }
  //#end for i
}

//#kernel attentionBackwardQ
// The mapping of attentionForward; the invocations of a row share its delta and its score gradients.
//#param D: u32
//#param COLUMNS: u32
//#param GROUPS: u32
//#param ACROSS: u32
//#param HEADS: u32
//#param HALF: bool
//#if HALF
//#enable f16
alias Four = vec4h;
//#else
alias Four = vec4f;
//#end
//#param KEY_MASK: bool
//#param BIAS: bool
@group(0) @binding(0) var<uniform> sizes: Sizes;
@group(0) @binding(1) var<storage, read> qkv: array<Four>;
@group(0) @binding(2) var<storage, read> out: array<Four>;
@group(0) @binding(3) var<storage, read> dout: array<Four>;
@group(0) @binding(4) var<storage, read> lse: array<f32>;
@group(0) @binding(5) var<storage, read_write> delta: array<f32>;
@group(0) @binding(6) var<storage, read_write> dqkv: array<Four>;
//#if KEY_MASK
@group(0) @binding(7) var<storage, read> keyMask: array<u32>;
//#end
//#if BIAS
@group(0) @binding(8) var<storage, read> bias: array<f32>;
//#end

const CHUNKS = ${D / 4}u;
// Odd, so that neighbouring rows of a tile start in different banks.
const PITCH = ${D / 8 * 2 + 1}u;
const ROWS = 4u * GROUPS;
const TEAM = COLUMNS * GROUPS;

var<workgroup> tileA: array<vec4f, ${HEADS * ACROSS * (D / 8 * 2 + 1)}>;
var<workgroup> tileB: array<vec4f, ${HEADS * ACROSS * (D / 8 * 2 + 1)}>;
var<workgroup> weights: array<f32, ${HEADS * 4 * GROUPS * (ACROSS + 1)}>;
var<workgroup> parts: array<f32, ${HEADS * 4 * GROUPS * COLUMNS}>;

@compute @workgroup_size(${HEADS * GROUPS * COLUMNS})
fn main(
  @builtin(workgroup_id) workgroup: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let n = sizes.sequence;
  // CHUNKS, but a bound that compilers do not unroll by.
  let chunks = sizes.channels / 4u;
  let blocks = (n + ROWS - 1u) / ROWS;
  let at = workgroup.x + workgroup.y * groups.x;
  let slot = lane / TEAM;
  let member = lane % TEAM;
  let column = lane % COLUMNS;
  let row = member / COLUMNS * 4u;
  let pair = at / blocks * HEADS + slot;
  let owned = pair < sizes.batch * sizes.heads;
  let bh = min(pair, sizes.batch * sizes.heads - 1u);
  let h = bh % sizes.heads;
  let b = bh / sizes.heads;
  let width = sizes.heads * CHUNKS;
  let stride = 3u * width;
  let headAt = b * n * stride + h * CHUNKS;
  let outHeadAt = b * n * width + h * CHUNKS;
  let last = n - 1u;
  let q = at % blocks * ROWS + row;
  let tileAt = slot * ACROSS * PITCH;
  let weightAt = (slot * ROWS + row) * (ACROSS + 1u);
  let partAt = (slot * ROWS + row) * COLUMNS;
  //#for i in 0..4
  let q${i} = min(q + ${i}u, last);
  let queryAt${i} = headAt + q${i} * stride;
  let outAt${i} = outHeadAt + q${i} * width;
  let lse${i} = lse[bh * n + q${i}];
  var part${i} = 0.0;
  for (var c = column; c < CHUNKS; c += COLUMNS) { part${i} += dot(vec4f(dout[outAt${i} + c]), vec4f(out[outAt${i} + c])); }
  parts[partAt + ${i}u * COLUMNS + column] = part${i};
  //#for c in 0..(D/4+COLUMNS-1)/COLUMNS: var dq${i}_${c} = vec4f();
  //#end
  workgroupBarrier();
  //#for i in 0..4
  var delta${i} = 0.0;
  for (var t = 0u; t < COLUMNS; t++) { delta${i} += parts[partAt + ${i}u * COLUMNS + t]; }
  //#end
  for (var k = 0u; k < n; k += ACROSS) {
    let present = min(ACROSS, n - k);
    for (var e = member; e < present * CHUNKS; e += TEAM) {
      let rowAt = headAt + width + (k + e / CHUNKS) * stride + e % CHUNKS;
      tileA[tileAt + e / CHUNKS * PITCH + e % CHUNKS] = vec4f(qkv[rowAt]);
      tileB[tileAt + e / CHUNKS * PITCH + e % CHUNKS] = vec4f(qkv[rowAt + width]);
    }
    workgroupBarrier();
    //#for j in 0..ACROSS/COLUMNS
    let k${j} = k + column + ${j * COLUMNS}u;
    //#if KEY_MASK
    let open${j} = k${j} < n && keyMask[b * n + min(k${j}, last)] != 0u;
    //#else
    let open${j} = k${j} < n;
    //#end
    //#end for j
    //#for i in 0..4, j in 0..ACROSS/COLUMNS
    var s${i}_${j} = 0.0;
    var dp${i}_${j} = -delta${i};
    //#end
    for (var c = 0u; c < chunks; c++) {
      //#for j in 0..ACROSS/COLUMNS
      let key${j} = tileA[tileAt + (column + ${j * COLUMNS}u) * PITCH + c];
      let value${j} = tileB[tileAt + (column + ${j * COLUMNS}u) * PITCH + c];
      //#end
      //#for i in 0..4
      let query${i} = vec4f(qkv[queryAt${i} + c]);
      let dout${i} = vec4f(dout[outAt${i} + c]);
      //#for j in 0..ACROSS/COLUMNS
      s${i}_${j} += dot(query${i}, key${j});
      dp${i}_${j} += dot(dout${i}, value${j});
      //#end
      //#end for i
    }
    //#for i in 0..4
    //#if BIAS
    let biasAt${i} = b * sizes.biasBatchStride + h * sizes.biasHeadStride + q${i} * n;
    //#end
    //#for j in 0..ACROSS/COLUMNS
    //#if BIAS
    s${i}_${j} = s${i}_${j} * sizes.scale + bias[biasAt${i} + min(k${j}, last)];
    //#else
    s${i}_${j} *= sizes.scale;
    //#end
    weights[weightAt + ${i}u * (ACROSS + 1u) + column + ${j * COLUMNS}u] =
      select(0.0, exp(s${i}_${j} - lse${i}) * dp${i}_${j} * sizes.scale, open${j});
    //#end for j
    //#end for i
    workgroupBarrier();
    for (var j = 0u; j < present; j++) {
      //#for i in 0..4: let ds${i} = weights[weightAt + ${i}u * (ACROSS + 1u) + j];
      //#for c in 0..(D/4+COLUMNS-1)/COLUMNS
      let key${c} = tileA[tileAt + j * PITCH + min(column + ${c * COLUMNS}u, CHUNKS - 1u)];
      //#for i in 0..4: dq${i}_${c} += ds${i} * key${c};
      //#end
    }
    workgroupBarrier();
  }
  //#for i in 0..4
  if (owned && q + ${i}u < n) {
    //#for c in 0..(D/4+COLUMNS-1)/COLUMNS
    if (column + ${c * COLUMNS}u < CHUNKS) { dqkv[queryAt${i} + column + ${c * COLUMNS}u] = Four(dq${i}_${c}); }
    //#end
    if (column == 0u) { delta[bh * n + q${i}] = delta${i}; }
  }
  //#end for i
}

//#kernel attentionBackwardKV
// The mapping of attentionForward with keys and queries in each other's place: a workgroup owns key rows, and query
// rows come through workgroup memory, ACROSS at a time.
//#param D: u32
//#param COLUMNS: u32
//#param GROUPS: u32
//#param ACROSS: u32
//#param HEADS: u32
//#param HALF: bool
//#if HALF
//#enable f16
alias Four = vec4h;
//#else
alias Four = vec4f;
//#end
//#param KEY_MASK: bool
//#param BIAS: bool
@group(0) @binding(0) var<uniform> sizes: Sizes;
@group(0) @binding(1) var<storage, read> qkv: array<Four>;
@group(0) @binding(2) var<storage, read> dout: array<Four>;
@group(0) @binding(3) var<storage, read> lse: array<f32>;
@group(0) @binding(4) var<storage, read> delta: array<f32>;
@group(0) @binding(5) var<storage, read_write> dqkv: array<Four>;
//#if KEY_MASK
@group(0) @binding(6) var<storage, read> keyMask: array<u32>;
//#end
//#if BIAS
@group(0) @binding(7) var<storage, read> bias: array<f32>;
//#end

const CHUNKS = ${D / 4}u;
// Odd, so that neighbouring rows of a tile start in different banks.
const PITCH = ${D / 8 * 2 + 1}u;
const ROWS = 4u * GROUPS;
const TEAM = COLUMNS * GROUPS;

var<workgroup> tileA: array<vec4f, ${HEADS * ACROSS * (D / 8 * 2 + 1)}>;
var<workgroup> tileB: array<vec4f, ${HEADS * ACROSS * (D / 8 * 2 + 1)}>;
var<workgroup> weights: array<f32, ${HEADS * 4 * GROUPS * (ACROSS + 1)}>;

@compute @workgroup_size(${HEADS * GROUPS * COLUMNS})
fn main(
  @builtin(workgroup_id) workgroup: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let n = sizes.sequence;
  // CHUNKS, but a bound that compilers do not unroll by.
  let chunks = sizes.channels / 4u;
  let blocks = (n + ROWS - 1u) / ROWS;
  let at = workgroup.x + workgroup.y * groups.x;
  let slot = lane / TEAM;
  let member = lane % TEAM;
  let column = lane % COLUMNS;
  let row = member / COLUMNS * 4u;
  let pair = at / blocks * HEADS + slot;
  let owned = pair < sizes.batch * sizes.heads;
  let bh = min(pair, sizes.batch * sizes.heads - 1u);
  let h = bh % sizes.heads;
  let b = bh / sizes.heads;
  let width = sizes.heads * CHUNKS;
  let stride = 3u * width;
  let headAt = b * n * stride + h * CHUNKS;
  let outHeadAt = b * n * width + h * CHUNKS;
  let last = n - 1u;
  let k = at % blocks * ROWS + row;
  let tileAt = slot * ACROSS * PITCH;
  let weightAt = (slot * ROWS + row) * (ACROSS + 1u);
  //#for i in 0..4
  let k${i} = min(k + ${i}u, last);
  let keyAt${i} = headAt + width + k${i} * stride;
  //#if KEY_MASK
  let open${i} = keyMask[b * n + k${i}] != 0u;
  //#end
  //#for c in 0..(D/4+COLUMNS-1)/COLUMNS
  var dk${i}_${c} = vec4f();
  var dv${i}_${c} = vec4f();
  //#end
  //#end for i
  for (var q = 0u; q < n; q += ACROSS) {
    let present = min(ACROSS, n - q);
    for (var e = member; e < present * CHUNKS; e += TEAM) {
      let source = q + e / CHUNKS;
      tileA[tileAt + e / CHUNKS * PITCH + e % CHUNKS] = vec4f(qkv[headAt + source * stride + e % CHUNKS]);
      tileB[tileAt + e / CHUNKS * PITCH + e % CHUNKS] = vec4f(dout[outHeadAt + source * width + e % CHUNKS]);
    }
    workgroupBarrier();
    //#for j in 0..ACROSS/COLUMNS
    let q${j} = q + column + ${j * COLUMNS}u;
    let queryRow${j} = bh * n + min(q${j}, last);
    let delta${j} = delta[queryRow${j}];
    let lse${j} = lse[queryRow${j}];
    //#for i in 0..4
    var s${i}_${j} = 0.0;
    var dp${i}_${j} = -delta${j};
    //#end
    //#end for j
    for (var c = 0u; c < chunks; c++) {
      //#for j in 0..ACROSS/COLUMNS
      let query${j} = tileA[tileAt + (column + ${j * COLUMNS}u) * PITCH + c];
      let dout${j} = tileB[tileAt + (column + ${j * COLUMNS}u) * PITCH + c];
      //#end
      //#for i in 0..4
      let key${i} = vec4f(qkv[keyAt${i} + c]);
      let value${i} = vec4f(qkv[keyAt${i} + width + c]);
      //#for j in 0..ACROSS/COLUMNS
      s${i}_${j} += dot(key${i}, query${j});
      dp${i}_${j} += dot(value${i}, dout${j});
      //#end
      //#end for i
    }
    //#for i in 0..4, j in 0..ACROSS/COLUMNS
    //#if BIAS
    s${i}_${j} = s${i}_${j} * sizes.scale
      + bias[b * sizes.biasBatchStride + h * sizes.biasHeadStride + min(q${j}, last) * n + k${i}];
    //#else
    s${i}_${j} *= sizes.scale;
    //#end
    //#if KEY_MASK
    let p${i}_${j} = select(0.0, exp(s${i}_${j} - lse${j}), q${j} < n && open${i});
    //#else
    let p${i}_${j} = select(0.0, exp(s${i}_${j} - lse${j}), q${j} < n);
    //#end
    weights[weightAt + ${i}u * (ACROSS + 1u) + column + ${j * COLUMNS}u] = p${i}_${j};
    //#end for i, j
    workgroupBarrier();
    for (var j = 0u; j < present; j++) {
      //#for i in 0..4: let p${i} = weights[weightAt + ${i}u * (ACROSS + 1u) + j];
      //#for c in 0..(D/4+COLUMNS-1)/COLUMNS
      let dout${c} = tileB[tileAt + j * PITCH + min(column + ${c * COLUMNS}u, CHUNKS - 1u)];
      //#for i in 0..4: dv${i}_${c} += p${i} * dout${c};
      //#end
    }
    workgroupBarrier();
    //#for i in 0..4, j in 0..ACROSS/COLUMNS
    weights[weightAt + ${i}u * (ACROSS + 1u) + column + ${j * COLUMNS}u] = p${i}_${j} * dp${i}_${j} * sizes.scale;
    //#end
    workgroupBarrier();
    for (var j = 0u; j < present; j++) {
      //#for i in 0..4: let ds${i} = weights[weightAt + ${i}u * (ACROSS + 1u) + j];
      //#for c in 0..(D/4+COLUMNS-1)/COLUMNS
      let query${c} = tileA[tileAt + j * PITCH + min(column + ${c * COLUMNS}u, CHUNKS - 1u)];
      //#for i in 0..4: dk${i}_${c} += ds${i} * query${c};
      //#end
    }
    workgroupBarrier();
  }
  //#for i in 0..4
  if (owned && k + ${i}u < n) {
    //#for c in 0..(D/4+COLUMNS-1)/COLUMNS
    if (column + ${c * COLUMNS}u < CHUNKS) {
      dqkv[keyAt${i} + column + ${c * COLUMNS}u] = Four(dk${i}_${c});
      dqkv[keyAt${i} + width + column + ${c * COLUMNS}u] = Four(dv${i}_${c});
    }
    //#end
  }
  //#end for i
}
