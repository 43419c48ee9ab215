// The reference, for any number of channels: an invocation a row, scalars only, nothing kept but in storage. What it
// computes is said in common.wgsl; the others are checked against it.
//#use attention/common
//#param WG: u32

//#kernel attentionPlainForward
// One invocation a query row (b, h, q): the row's maximum, then its sum and output, which grows in its place in
// storage.
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
