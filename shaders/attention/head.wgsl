// Better than register where loads are dear: an invocation takes a whole head, N rows of D channels, of which keys and
// values (or, for their gradients, queries and dout) lie in private memory while the other rows pass. For a compiler
// that makes each load from storage some 70 instructions, a store to a variable 20 and a multiplication with its sum 4
// (SwiftShader's Subzero): panels are read by indices that the compiler knows, which is free, and sums are values,
// never variables. It costs: all is written out, so that sequences must be short and channels few, and there are only
// as many invocations as heads.
//#use attention/common
//#param N: u32
//#param D: u32
const CHUNKS = ${D / 4}u;
var<private> keys: array<vec4f, ${N * D / 4}>;
var<private> values: array<vec4f, ${N * D / 4}>;
//#if KEY_MASK
var<private> open: array<f32, N>;
//#end

/// Brings the keys and values of a head, and whether they may be attended, to private memory.
fn loadKeysAndValues(b: u32, headAt: u32) {
  let width = sizes.heads * CHUNKS;
  for (var k = 0u; k < N; k++) {
    let keyAt = headAt + width + k * 3u * width;
    //#for c in 0..D/4
    keys[k * CHUNKS + ${c}u] = qkv[keyAt + ${c}u];
    values[k * CHUNKS + ${c}u] = qkv[keyAt + width + ${c}u];
    //#end
    //#if KEY_MASK
    open[k] = f32(keyMask[b * N + k]);
    //#end
  }
}

//#kernel attentionHeadForward
// Keys and values wait in private memory while the query rows pass.
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
  loadKeysAndValues(b, headAt);
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
  loadKeysAndValues(b, headAt);
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
